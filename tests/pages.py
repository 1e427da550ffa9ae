"""The code of the pages in docs/, as users have it: in a module of their own."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tiny_run import ROOT

README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(path: Path) -> list[tuple[str, str]]:
    """The code blocks of a page in order: the language of each, and its text."""
    return re.findall(r"^```(\w*)\n(.*?)^```", path.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def code_of(page: str) -> list[str]:
    """The blocks of Python in a page of docs/."""
    return [text for language, text in blocks_of(ROOT / "docs" / page) if language == "python"]


def commands_in(block: str) -> list[str]:
    """The commands of a block, each in one line."""
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def commands_of(path: Path) -> list[str]:
    """All commands of a page; a block that says no language holds commands too."""
    found = [commands_in(text) for language, text in blocks_of(path) if language in ("", "bash")]
    return [command for block in found for command in block]


def clone_into(root: Path) -> Path:
    """Makes a directory into what a fresh clone of this repository is; runs stay inside it."""
    for path in ROOT.iterdir():
        if path.name not in ("runs", "build") and not path.name.startswith("."):
            (root / path.name).symlink_to(path)
    return root


def run_command(command: str, directory: Path, *more: str) -> str:
    """What a command of a page prints; a training takes a few steps only, whatever it says."""
    words = [*shlex.split(command), *more]
    assert words[0] == "python", command
    if "train.py" in words:
        words.append(f"--config.data.cache_directory={directory / 'cache'}")
        if "kneser_ney" not in command:  # which has no steps
            words += ["--config.training.num_steps=10", "--config.evaluation.every_steps=5"]
    done = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


@contextmanager
def known_module(
    path: Path, code: str, lines: str, names: dict[str, Any], patch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Inside, a page's code is a module at `path`, and its lines in the registries have run."""
    path.write_text(code, encoding="utf-8")
    patch.syspath_prepend(path.parent)
    exec(lines, names)
    yield
    sys.modules.pop(path.stem, None)
