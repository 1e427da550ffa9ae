"""Every experiment starts as the README says, from any directory, and says what it does."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

DIRECTORY = Path(__file__).parents[2] / "experiments"
SCRIPTS = [path for path in sorted(DIRECTORY.glob("*.py")) if "__main__" in path.read_text("utf-8")]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_starts_and_names_its_flags(tmp_path, monkeypatch, capsys, script):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    monkeypatch.setattr(sys, "path", [str(DIRECTORY), *sys.path])  # as Python starts a script
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(script), run_name="__main__")
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert "--workdir" in told
    assert "--smoke" in told


def test_one_starts_in_a_process_of_its_own(tmp_path):
    command = [sys.executable, "-W", "error", str(DIRECTORY / "table2.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: table2.py")


def test_there_are_experiments():
    assert {"table2", "vanishing_gradient", "bottleneck", "pooling"} <= {s.stem for s in SCRIPTS}
