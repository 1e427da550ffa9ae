"""The experiment on the bottleneck: classes of length, the report, and a smoke run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.bottleneck import bleu_by_length, write_report
from zoo.data.loading import ParallelTexts

ROOT = Path(__file__).parents[2]


def test_each_source_is_in_the_class_of_its_length():
    sources = ["a", "a b c d e", "a b c d e f", "a b c d e f g h i j k"]
    targets = ["one two three four five", "six seven eight nine", "p q r s t", "u v w x y"]
    wrong = ("one two three four five", "six seven eight nine", "no no no no no", "u v w x y")
    found = bleu_by_length(wrong, ParallelTexts(sources, targets, [()] * 4))
    assert list(found) == [5, 10, 15]
    assert found[5] == pytest.approx(100)
    assert found[10] < 20
    assert found[15] == pytest.approx(100)


def test_the_report_is_written_three_times(tmp_path):
    row = {"encoder": "gru", "decoder": "gru", "num_parameters": 12345, "minutes": 1.25}
    rows = [
        row | {"context": "vector", "bleu": 20.0, "alignment_error_rate": None,
               "bleu_by_length": {5: 90.0, 10: 40.0}},
        row | {"context": "attention", "bleu": 99.0, "alignment_error_rate": 0.05,
               "bleu_by_length": {5: 99.0, 10: 98.0}},
    ]  # fmt: skip
    table = write_report(tmp_path, rows)
    assert "| gru | gru | vector | 20.0 | - | 12,345 | 1.2 |" in table
    assert "| gru | gru | attention | 99.0 | 0.050 | 12,345 | 1.2 |" in table
    assert (tmp_path / "bottleneck.md").read_text() == table
    assert json.loads((tmp_path / "bottleneck.json").read_text())[1]["bleu"] == 99.0
    assert (tmp_path / "bottleneck.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_smoke_runs_whole_and_again_without_training(tmp_path):
    command = [sys.executable, "experiments/bottleneck.py", f"--workdir={tmp_path}", "--smoke"]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert first.returncode == 0, first.stderr
    rows = json.loads((tmp_path / "bottleneck.json").read_text())
    assert [row["context"] for row in rows] == ["vector", "attention"]
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert json.loads((tmp_path / "bottleneck.json").read_text()) == rows
    assert again.returncode == 0
