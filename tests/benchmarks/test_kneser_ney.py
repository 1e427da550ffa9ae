"""The race of n-gram estimators: both sides are started on the same text, and their times shown."""

import sys

import numpy as np
import pytest

from benchmarks import kneser_ney
from benchmarks.kneser_ney import Took

LMPLZ = """#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in --text) text=$2;; --arpa) arpa=$2;; esac
  shift
done
test -s "$text" && echo model > "$arpa"
"""


@pytest.fixture
def text(tmp_path):
    words = np.random.default_rng(0).integers(0, 30, (200, 6))
    path = tmp_path / "text.txt"
    path.write_text("".join(" ".join(f"w{word}" for word in row) + "\n" for row in words))
    return path


def test_ours_writes_a_model_of_order_5(text, tmp_path):
    kneser_ney.estimate(text, tmp_path / "model.arpa")
    written = (tmp_path / "model.arpa").read_text()
    assert "ngram 5=" in written
    assert written.endswith("\\end\\\n")


def test_both_sides_are_timed(text, tmp_path, monkeypatch, capsys):
    """With a stand-in for lmplz that checks its arguments."""
    program = tmp_path / "lmplz"
    program.write_text(LMPLZ)
    program.chmod(0o755)
    options = [f"--text={text}", f"--lmplz={program}", "--rounds=1"]
    monkeypatch.setattr(sys, "argv", ["kneser_ney.py", *options])
    kneser_ney.main()
    sides = [line.split(" |")[0] for line in capsys.readouterr().out.splitlines()[2:4]]
    assert sides == ["| ours", "| lmplz"]


def test_a_side_that_fails_ends_the_race(tmp_path):
    with pytest.raises(SystemExit, match="error: ls failed"):
        kneser_ney.timed(["ls", str(tmp_path / "missing")])
    with pytest.raises(SystemExit, match="missing cannot be started: No such file"):
        kneser_ney.timed([str(tmp_path / "missing")])


def test_the_table_has_median_and_spread():
    found = {"ours": [Took(1.0, 0.9), Took(3.0, 2.9), Took(2.0, 1.9)]}
    assert "| ours | 2.00 (1.00 to 3.00) | 1.90 |" in kneser_ney.table(found)
