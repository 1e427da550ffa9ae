"""Installs this checkout into fresh environments of chosen versions, and runs main_job.py in each.

    python3.11 tests/versions/environments.py lowest
    python3.13 tests/versions/environments.py colab_gpu colab_tpu
    python3.12 tests/versions/environments.py newest

The Python that runs this script is the Python of the environments. `lowest` has the lowest version
of each package that pyproject.toml admits, `newest` has what pip chooses, and `colab_gpu` and
`colab_tpu` have the packages of a Colab runtime, on top of which `pip install .` runs as it does
there. The packages come from the registry that pip is set up for.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOR_DEVELOPERS = {"all", "benchmarks", "docs", "test"}  # "all" is the rest
EXTRAS = ",".join(sorted(PROJECT["optional-dependencies"].keys() - FOR_DEVELOPERS))
LOWEST_PYTHON = tuple(map(int, PROJECT["requires-python"].removeprefix(">=").split(".")))
KEPT = ("jax", "jaxlib", "libtpu", "numpy", "protobuf", "tensorflow")  # of a Colab runtime
NAMES = ("colab_gpu", "colab_tpu", "lowest", "newest")


def normal(name: str) -> str:
    """Returns the name of a package, or of a requirement, as registries compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", name)[0]).lower()


def versions(python: Path) -> dict[str, str]:
    """Returns the version of each package that an environment has."""
    command = [python, "-m", "pip", "list", "--format=json"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {normal(package["name"]): package["version"] for package in json.loads(listed)}


def pip_install(python: Path, *arguments: str) -> None:
    """Installs packages into the environment of this interpreter."""
    subprocess.run([python, "-m", "pip", "install", "-q", *arguments], check=True)


def install_lowest(python: Path) -> None:
    """Installs the zoo with all extras, and the lowest version of each package that it names.

    Raises:
        SystemExit: this is a newer Python, for which some of these versions were never built.
    """
    if sys.version_info[:2] != LOWEST_PYTHON:
        sys.exit("lowest needs Python {}.{}".format(*LOWEST_PYTHON))
    pip_install(python, "uv")
    uv = [python, "-m", "uv", "pip", "install", "-q", "--python", python]
    subprocess.run([*uv, "--resolution", "lowest-direct", f"{ROOT}[{EXTRAS}]"], check=True)


def install_on_colab(python: Path, runtime: str) -> None:
    """Installs the packages of a Colab runtime, and then the zoo.

    Raises:
        SystemExit: the zoo changed a package that the runtime was built for.
    """
    pip_install(python, "-r", str(HERE / f"{runtime}.txt"))
    before = versions(python)
    pip_install(python, str(ROOT))
    after = versions(python)
    for name in KEPT:
        if before.get(name) != after.get(name):
            sys.exit(f"{name} was {before.get(name)}, and pip install . made it {after.get(name)}")
    for name, version in sorted(after.items()):
        if before.get(name) != version:
            print(f"{name}: {before.get(name, 'none')} -> {version}")
    if "tensorflow" in after:
        subprocess.run([python, "-c", "import tensorflow"], check=True, capture_output=True)


def try_environment(name: str) -> None:
    """Makes an environment, runs the main job in it, and prints the versions that were tried.

    Args:
        name: one of NAMES.
    """
    print(f"{name}, Python {sys.version.split()[0]}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        python = Path(directory, "bin", "python")
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        if name in ("lowest", "newest"):
            flags = ["--extras"]
            if name == "lowest":
                install_lowest(python)
            else:
                pip_install(python, f"{ROOT}[{EXTRAS}]")
        else:
            flags = []
            install_on_colab(python, name)
        named = {normal(line) for line in PROJECT["dependencies"]} | set(KEPT)
        found = versions(python)
        print(" ".join(f"{name} {found[name]}" for name in sorted(named & found.keys())))
        job = [python, HERE / "main_job.py", *flags]
        subprocess.run(job, check=True, env={"JAX_PLATFORMS": "cpu", **os.environ})


def main() -> None:
    """Tries the environments that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", metavar="NAME", choices=NAMES, help=", ".join(NAMES))
    for name in parser.parse_args().names:
        try:
            try_environment(name)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{name}: {' '.join(map(str, error.cmd))} failed")


if __name__ == "__main__":
    main()
