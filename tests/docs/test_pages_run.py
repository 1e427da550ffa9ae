"""The how-to pages, run from top to bottom in a fresh clone; trainings take a few steps."""

import subprocess
import sys
from pathlib import Path

import pytest
from pages import blocks_of, clone_into, commands_in, run_command
from tiny_run import ROOT

HOW_TO = ("quick_start", "own_text", "own_table", "own_pairs", "own_tags", "fine_tune", "models")
ELSEWHERE = ("pip ", "python3 -m venv", "source ")
NOT_HERE = ("glove.txt",)  # files that a user has and the clone has not


@pytest.mark.slow
@pytest.mark.parametrize("name", HOW_TO)
def test_a_page_runs(name: str, tmp_path: Path) -> None:
    clone_into(tmp_path)
    program = ""  # the blocks of Python go on from each other
    for language, text in blocks_of(ROOT / "docs" / f"{name}.md"):
        if language == "python":
            program += text
            done = subprocess.run(
                [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
        elif language == "bash":
            for command in commands_in(text):
                if not command.startswith(ELSEWHERE) and not any(n in command for n in NOT_HERE):
                    run_command(command, tmp_path)
