"""What the README tells people to type."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_python_lines_run_and_print_what_they_say():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("The for statement")
    assert 1 < float(lines[-2]) < 20  # a perplexity per character
    assert re.fullmatch(r"\(1, 13, \d+\)", lines[-1])


def test_every_config_and_path_it_names_is_there():
    for name in re.findall(r"configs/\w+\.py", README):
        assert (ROOT / name).exists(), name
    shown = README.split("## Map")[1].split("```")[1]
    for name in re.findall(r"^([\w/]+(?:\.py)?) ", shown, re.MULTILINE):
        assert (ROOT / name).exists(), name


def test_ci_runs_the_command_of_the_readme():
    commands = [line for line in README.splitlines() if "install -e '.[test]'" in line]
    assert len(commands) == 1
    assert commands[0].endswith(".venv/bin/pytest -n auto --dist loadfile")
    assert "install -e '.\\[test\\]'" in (ROOT / ".ci" / "run").read_text()
