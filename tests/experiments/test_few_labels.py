"""The experiment on few labels: tables of the right sizes, and a report of what was measured."""

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from experiments.few_labels import (
    BY_LAYER,
    NOTHING,
    PLANS,
    PRETRAINED,
    STARTS,
    Score,
    classifier,
    language_model,
    read_table,
    write_report,
    write_texts,
)
from zoo.training import config as configs

ROOT = Path(__file__).parents[2]


def test_tables_share_their_first_rows_and_the_language_model_reads_all(tmp_path):
    arguments = Namespace(smoke=True, workdir=tmp_path, data_directory="")
    write_texts(arguments, (20, 50))
    small, large = (read_table(tmp_path / f"table_{size}" / "train.csv") for size in (20, 50))
    assert len(small[0]) == len(small[1]) == 20
    assert (small[0], small[1]) == (large[0][:20], large[1][:20])
    assert len(set(small[1])) > 1
    lines = (tmp_path / "texts" / "train.txt").read_text().splitlines()
    assert len(lines) > 1000
    assert {" ".join(text.split()) for text in large[0]} <= set(lines)


def test_classifiers_differ_only_in_their_start(tmp_path):
    arguments = Namespace(smoke=False, workdir=tmp_path)
    nothing, pretrained, by_layer = (
        classifier(arguments, 1000, PLANS[1000], start) for start in (NOTHING, PRETRAINED, BY_LAYER)
    )
    for config in (nothing, pretrained, by_layer, language_model(arguments)):
        config.data.directory = str(tmp_path)
        configs.check(config)
    assert nothing.model == pretrained.model == by_layer.model
    assert nothing.training.init_from == ""
    assert pretrained.training == by_layer.training
    assert pretrained.optimizer == nothing.optimizer
    assert by_layer.optimizer.unfreeze_every_steps == 1000 // PLANS[1000].batch_size
    own = language_model(arguments).model
    assert (own.cell, own.embedding_size, own.hidden_sizes) == (
        nothing.model.cell,
        nothing.model.embedding_size,
        nothing.model.hidden_sizes,
    )


def test_the_report_has_both_parts_of_every_size(tmp_path):
    scores = [Score(0.5, 0.4, 1.0), Score(0.52, 0.44, 2.0)]
    table = write_report(tmp_path, {start: {"1000": scores} for start in STARTS}, 3.0)
    assert "| start | 1,000 texts: validation | test |" in table
    assert f"| {NOTHING} | 51.0 +- 1.4 | 42.0 +- 2.8 |" in table
    assert "took 3 minutes, all classifiers 12." in table
    assert (tmp_path / "few_labels.md").read_text() == table
    assert json.loads((tmp_path / "few_labels.json").read_text())[BY_LAYER]["1000"][0][0] == 0.5


@pytest.mark.slow
def test_smoke_runs_whole_and_again_without_training(tmp_path):
    command = [sys.executable, "experiments/few_labels.py", f"--workdir={tmp_path}", "--smoke"]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert first.returncode == 0, first.stderr
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert again.returncode == 0, again.stderr
    assert "==" not in again.stdout
    assert again.stdout.splitlines()[-6:] == first.stdout.splitlines()[-6:]
