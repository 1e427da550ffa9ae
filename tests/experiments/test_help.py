"""Every experiment starts as the README says, from any directory, and says what it does."""

import subprocess
import sys
from pathlib import Path

import pytest

DIRECTORY = Path(__file__).parents[2] / "experiments"
SCRIPTS = [path for path in sorted(DIRECTORY.glob("*.py")) if "__main__" in path.read_text("utf-8")]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_starts_and_names_its_flags(tmp_path, script):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "--workdir" in done.stdout
    assert "--smoke" in done.stdout


def test_there_are_experiments():
    assert {"table2", "vanishing_gradient", "bottleneck", "pooling"} <= {s.stem for s in SCRIPTS}
