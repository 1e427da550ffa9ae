"""The experiment on pooling: the trap is the one it says, the report holds what was measured."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.pooling import TRAP, PaddedBatches, blind, write_report
from experiments.scores import per_cent
from zoo.data.labeled_batching import LabeledBatches
from zoo.special_tokens import END_ID

ROOT = Path(__file__).parents[2]
RESULTS = {
    "none": {"last": [0.5], "mean": [0.6], "max": [0.7], "attention": [0.8]},
    "lstm": {"last": [0.9], "mean": [0.9], "max": [0.9], "attention": [0.9], TRAP: [0.4]},
}


def test_in_the_trap_padding_is_text_and_all_are_as_long():
    rows = [np.array([5, 6, END_ID]), np.array([END_ID]), np.array([7, END_ID])]
    batches = LabeledBatches(rows, np.eye(3), batch_size=3, bucket_lengths=(4,), seed=0)
    before = batches.batch(0, 0)
    for num_steps in (3, 9):
        trap = PaddedBatches(batches, num_steps)
        after = trap.batch(0, 0)
        assert trap.batches_per_epoch == batches.batches_per_epoch
        assert after.tokens.shape == (3, num_steps)
        assert (after.lengths == num_steps).all()
        for row, length in enumerate(before.lengths):
            assert after.tokens[row, :length].tolist() == before.tokens[row, :length].tolist()
            assert (after.tokens[row, length:] == END_ID).all()
        assert (after.targets == before.targets).all()
    assert (blind(before, 9).tokens == PaddedBatches(batches, 9).batch(0, 0).tokens).all()


def test_the_report_is_written_three_times(tmp_path):
    arguments = SimpleNamespace(workdir=tmp_path, num_seeds=1, config=Path("configs/x.py"))
    table = write_report(arguments, RESULTS, 3.2)
    assert "| none | 50.0 | 60.0 | 70.0 | 80.0 | - |" in table
    assert table.splitlines()[3].endswith("| 40.0 |")
    assert "x, one direction; 3 minutes" in table
    assert (tmp_path / "pooling.md").read_text() == table
    assert json.loads((tmp_path / "pooling.json").read_text()) == RESULTS
    assert (tmp_path / "pooling.png").read_bytes().startswith(b"\x89PNG")
    assert per_cent([0.5, 0.52, 0.54]) == "52.0 +- 2.0"


@pytest.mark.slow
def test_smoke_runs_whole_and_again_without_training(tmp_path):
    command = [sys.executable, "experiments/pooling.py", f"--workdir={tmp_path}", "--smoke"]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert first.returncode == 0, first.stderr
    results = json.loads((tmp_path / "pooling.json").read_text())
    assert set(results) == {"none", "elman", "gru", "lstm"}
    assert all(0 <= score <= 1 for row in results.values() for (score,) in row.values())
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert json.loads((tmp_path / "pooling.json").read_text()) == results
    assert again.returncode == 0
