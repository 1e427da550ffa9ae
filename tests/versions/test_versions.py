"""Environments of Colab's versions: pyproject.toml admits them, and the main job runs there."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from versions.environments import HERE, KEPT, PROJECT, normal

RAISED = {"absl-py", "tensorflow-metadata"}  # what pip may change in a Colab runtime


def lines_of(name: str) -> list[str]:
    """The packages of a runtime, with those of the file that both runtimes include."""
    lines = [*(HERE / "colab.txt").read_text().splitlines(), *(HERE / name).read_text().split("\n")]
    return [line for line in lines if line and not line.startswith(("#", "-r "))]


@pytest.mark.parametrize("name", ["colab_gpu.txt", "colab_tpu.txt"])
def test_a_colab_runtime_keeps_its_packages(name):
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *(line for extra in extras for line in extras[extra])]
    bounds = {normal(line): Requirement(line).specifier for line in wanted}
    given = dict(line.split("==") for line in lines_of(name))
    assert set(KEPT) - {"libtpu", "tensorflow"} <= given.keys()
    refused = {
        normal(package)
        for package, version in given.items()
        if normal(package) in bounds and version not in bounds[normal(package)]
    }
    assert refused == RAISED


def find_python(version: str) -> str | None:
    """A Python of this version from the search path or from pyenv, or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = [f"{path}/bin/python" for path in sorted(pyenv.glob(f"{version}.*"), reverse=True)]
    for python in (shutil.which(f"python{version}"), *found):
        if python and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0:
            return python
    return None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["colab_gpu", "colab_tpu"])
def test_the_main_job_runs_on_top_of_a_colab_runtime(name, tmp_path):
    python = find_python("3.13")
    if python is None:
        pytest.skip("Colab's runtimes need Python 3.13")
    download = [python, "-m", "pip", "download", "-q", "--no-deps", "--retries=0", "-d", tmp_path]
    if subprocess.run([*download, "toolz==0.12.1"], capture_output=True).returncode != 0:
        pytest.skip("there is no package registry")
    done = subprocess.run([python, HERE / "environments.py", name], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
