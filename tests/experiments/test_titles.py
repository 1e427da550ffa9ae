"""The experiment on titles: what is held out, what is counted, and a smoke run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.titles import (
    NUM_WORDS,
    fraction_equal,
    split_pairs,
    titled_paragraphs,
    write_pairs,
    write_report,
)

ROOT = Path(__file__).parents[2]
MANUAL = """Lists
*****

A list holds things in an order that a program may change.

   list ::= things ::= that is grammar, not prose, but it ends with a stop.

Too short.

Making a list
=============

Write the things between square brackets, with
commas between them:

>>> [1, 2] and what follows is an example, so it is left out.
"""


def test_paragraphs_of_prose_stand_under_the_title_above_them():
    assert titled_paragraphs({"lists": MANUAL, "again": MANUAL}) == {
        "Lists": ["A list holds things in an order that a program may change."],
        "Making a list": ["Write the things between square brackets, with commas between them:"],
    }


def test_no_paragraph_is_in_two_splits_and_no_unseen_title_is_trained():
    paragraphs = {f"T{title}": [f"{title} {n}" for n in range(6)] for title in range(20)}
    splits = split_pairs(paragraphs)
    pairs = [pair for part in splits.values() for pair in part]
    assert sorted(pairs) == sorted((text, t) for t, some in paragraphs.items() for text in some)
    titles = {name: {title for _, title in part} for name, part in splits.items()}
    assert len(titles["unseen"]) == 2
    assert not titles["unseen"] & (titles["train"] | titles["valid"] | titles["test"])
    assert [len(splits[name]) for name in ("train", "valid", "test")] == [86, 11, 11]


def test_long_paragraphs_are_cut_and_written_line_by_line(tmp_path):
    splits = split_pairs({"A": [" ".join(map(str, range(NUM_WORDS + 5)))] * 3})
    write_pairs(tmp_path / "pairs", splits)
    for name, part in splits.items():
        sources = (tmp_path / "pairs" / f"{name}.paragraph").read_text().splitlines()
        assert sources == [source for source, _ in part]
        assert all(len(source.split()) == NUM_WORDS for source in sources)


def test_a_title_is_right_to_the_letter_or_not_at_all():
    assert fraction_equal(("Lists", "lists", "Names"), ["Lists", "Lists", "Name"]) == 1 / 3


def test_the_report_holds_what_was_measured(tmp_path):
    row = {
        "kind": "sections seen",
        "paragraphs": 8,
        "right": 0.375,
        "chrf": 41.26,
        "commonest_right": 0.125,
        "commonest_chrf": 9.0,
        "examples": [("some words", "Lists", "Names")],
    }
    text = write_report(tmp_path, [row], 2.04)
    assert "| sections seen | 8 | 37.5% | 41.3 | 12.5% | 9.0 |" in text
    assert "* some words ...\n  title: Lists; written: Names" in text
    assert text == (tmp_path / "titles.md").read_text()
    assert json.loads((tmp_path / "titles.json").read_text())["rows"][0]["right"] == 0.375


@pytest.mark.slow
def test_smoke_runs_whole(tmp_path):
    command = [sys.executable, "experiments/titles.py", f"--workdir={tmp_path}", "--smoke"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "titles.json").read_text())["rows"]
    assert [row["kind"] for row in rows] == ["sections seen", "sections never seen"]
