"""What the README tells people to type, typed in order, and what it says is printed."""

import re
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import pytest
from labeled_texts import labeled_texts, write_csv
from pages import README as PAGE
from pages import blocks_of, clone_into, commands_in, run_command
from tiny_run import write_corpus

ROOT = Path(__file__).parents[1]
README = PAGE.read_text("utf-8")
ELSEWHERE = ("pip ", "python3 -m venv", "source ", "sphinx-build", "python -m zoo serve")
TABLE = re.findall(r"^\|[^|]+\| `(python [^`]+)` \|", README, re.MULTILINE)


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


def test_ci_runs_the_command_of_contributing():
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    commands = [line for line in contributing.splitlines() if "install -e '.[test]'" in line]
    assert len(commands) == 1
    assert commands[0].endswith(".venv/bin/pytest -n auto --dist loadfile")
    run = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "install -e '.\\[test\\]'\" CONTRIBUTING.md" in run
    assert "sphinx-build" in run


def test_the_readme_begins_with_the_installation():
    commands = [line for language, text in blocks_of(PAGE) for line in commands_in(text)]
    assert commands[:3] == [
        "python3 -m venv .venv",
        "source .venv/bin/activate",
        "pip install '.[all]'",
    ]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with the data of a user."""
    root = clone_into(tmp_path_factory.mktemp("clone"))
    write_corpus(root, 200, "my.txt")
    write_csv(root / "my.csv", labeled_texts(60), ("text", "label"))
    pairs = "".join(f"eins zwei {n}\tone two {n}\n" for n in range(400))
    (root / "my.de-en.tsv").write_text(pairs, encoding="utf-8")
    return root


def typed(command, directory):
    """What a command prints; the subwords of so few sentence pairs are few."""
    few = ["--config.data.vocabulary_size=60"] * ("my.de-en.tsv" in command)
    return run_command(command, directory, *few)


def is_shown(shown, printed):
    """Whether the lines that a page shows are printed in this order; `...` stands for anything."""
    rest = iter(printed.splitlines())
    for line in shown.splitlines():
        pattern = ".*".join(re.escape(part.strip()) for part in line.split("..."))
        if not any(re.match(rf"\s*{pattern}", other) for other in rest):
            return False
    return True


@pytest.mark.slow
def test_all_commands_run_in_order_and_print_what_is_shown(clone):
    blocks = blocks_of(PAGE)
    for (language, text), following in zip_longest(blocks, blocks[1:]):
        if language != "bash":
            continue
        commands = [line for line in commands_in(text) if not line.startswith(ELSEWHERE)]
        printed = "".join(typed(command, clone) for command in commands)
        if commands and following[0] == "text":
            assert is_shown(following[1], printed), f"{following[1]}\n--- is not in ---\n{printed}"


@pytest.mark.slow
@pytest.mark.parametrize("command", TABLE)
def test_the_commands_of_the_lecture_run(clone, command):
    if "DIR" in command or ".txt" in command:
        pytest.skip("it needs files of the user")
    if "experiments" in command:
        command += " --smoke"
    assert typed(command, clone)


def test_the_table_has_the_topics_of_the_lecture():
    assert len(TABLE) == 15


def test_what_is_shown_is_compared_line_by_line():
    assert is_shown("a ...\n c", "x\na b\ny\n  c d\n")
    assert not is_shown("c\na", "a\nc\n")
    assert not is_shown("a b", "a c")
