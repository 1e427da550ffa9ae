"""Fields that a config leaves open follow from the size of the corpus; what is given is kept."""

import json
import subprocess
import sys

import pytest
from tiny_run import ROOT, environment_with, read_config, write_corpus

from zoo.errors import UserError
from zoo.models.registry import ARCHITECTURES
from zoo.tasks.by_size import describe, lengths, open_in, settings_of_pairs, settings_of_texts
from zoo.tasks.registry import build_workload, find_task, settle
from zoo.training import config as configs
from zoo.training.config import base_config, leave_open
from zoo.training.loop import train

OWN = ("csv_classifier", "parallel_text_attention", "text_file_lstm")


def own_config(name, tmp_path, rows=200):
    """One of the configs for own data, on a corpus of so many rows."""
    config = read_config(ROOT / "configs" / f"{name}.py")
    if name == "csv_classifier":
        place = tmp_path / "table.csv"
        lines = ["text,label", *(f"word{n % 7} word{n % 3},{n % 3}" for n in range(rows))]
    elif name == "parallel_text_attention":
        place = tmp_path / "mine.de-en.tsv"
        lines = [f"ein Netz {n} liest\ta net {n} reads" for n in range(rows)]
        config.data.source_language, config.data.target_language = "de", "en"
    else:
        place = write_corpus(tmp_path, rows)
        lines = place.read_text("utf-8").splitlines()
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    config.data.directory = str(place)
    config.data.cache_directory = str(tmp_path / "cache")
    return config


@pytest.mark.parametrize("name", OWN)
def test_a_config_for_own_data_is_settled_by_its_corpus(tmp_path, name):
    config = own_config(name, tmp_path)
    configs.check(config)
    task = find_task(config.model.architecture)
    assert set(open_in(config)) == task.open_fields
    settled = settle(config)
    assert not open_in(settled)
    configs.check(settled)
    assert config.evaluation.patience > 0
    assert settled.training.num_epochs > 1
    assert settled.evaluation.every_epochs < settled.training.num_epochs
    assert settle(settled) == settled


@pytest.mark.parametrize("name", OWN)
def test_what_is_given_is_kept(tmp_path, name):
    """Steps are given instead of epochs; evaluations and checkpoints follow them."""
    config = own_config(name, tmp_path)
    config.optimizer.learning_rate = 0.123
    config.training.num_steps = 77
    settled = settle(config)
    assert settled.optimizer.learning_rate == 0.123
    assert (settled.training.num_steps, settled.training.num_epochs) == (77, 0.0)
    by_epochs = own_config(name, tmp_path)
    by_epochs.training.num_epochs = 2.0
    assert settle(by_epochs).training.num_epochs == 2.0
    config.training.num_epochs = 2.0
    with pytest.raises(UserError, match=r"num_steps is 77 and training.num_epochs is 2.0"):
        configs.check(config)


@pytest.mark.parametrize(
    ("steps_per_epoch", "given", "wanted"),
    [
        (200, {}, {"num_epochs": 15.0, "every_epochs": 0.75}),
        (10, {}, {"num_epochs": 20.0, "every_epochs": 2.5}),  # 25 steps
        (1e6, {}, {"num_epochs": 1.0, "every_epochs": 0.05}),
        (10, {"num_epochs": 1.0}, {"num_epochs": 1.0, "every_epochs": 1.0}),
        (100, {"num_steps": 1000}, {"num_epochs": 0.0, "every_epochs": 0.5}),
        (100, {"every_steps": 7}, {"num_epochs": 20.0, "every_epochs": 0.0}),
    ],
)
def test_lengths(steps_per_epoch, given, wanted):
    config = base_config("classifier")
    leave_open(config)
    for field, value in given.items():
        config["training" if field.startswith("num") else "evaluation"][field] = value
    found = lengths(config, steps_per_epoch, aim=3000, most=20)
    assert {field.split(".")[1]: value for field, value in found.items()} == wanted | {
        "checkpoint_every_epochs": found["training.checkpoint_every_epochs"]
    }


@pytest.mark.parametrize(
    ("num_texts", "num_labels", "cell", "init_scale", "batch_size"),
    [
        (2999, 9, "none", 0.1, 32),
        (3000, 9, "gru", 0.1, 32),
        (2999, 10, "gru", 1.0, 32),
        (20_000, 2, "gru", 0.1, 64),
        (18, 3, "none", 0.1, 4),
        (1, 2, "none", 0.1, 1),
    ],
)
def test_the_rule_for_texts(num_texts, num_labels, cell, init_scale, batch_size):
    values = settings_of_texts(num_texts, num_labels)
    names = ("model.cell", "model.init_scale", "data.batch_size")
    assert [values[name] for name in names] == [cell, init_scale, batch_size]


@pytest.mark.parametrize(
    ("num_pairs", "batch_size", "subwords", "rate"),
    [
        (3, 1, 200, 3e-3),
        (1000, 32, 400, 3e-3),
        (10_000, 32, 4000, 3e-3),
        (19_999, 32, 4000, 3e-3),
        (20_000, 64, 4000, 3e-3),
        (99_999, 64, 4000, 3e-3),
        (100_000, 64, 6000, 1e-3),
    ],
)
def test_the_rule_for_pairs(num_pairs, batch_size, subwords, rate):
    values = settings_of_pairs(num_pairs, 90)
    names = ("data.batch_size", "data.vocabulary_size", "optimizer.learning_rate")
    assert [values[name] for name in names] == [batch_size, subwords, rate]


def test_a_language_of_many_characters_has_more_subwords_than_characters(tmp_path):
    assert settings_of_pairs(100, 852)["data.vocabulary_size"] == 1065
    config = own_config("parallel_text_attention", tmp_path)
    signs = [chr(0x4E00 + number) for number in range(400)]
    pairs = [f"a net {n} reads\t{''.join(signs[n::200])}" for n in range(200)]
    place = tmp_path / "mine.en-zh.tsv"
    place.write_text("\n".join(pairs) + "\n", encoding="utf-8")
    config.data.directory = str(place)
    config.data.source_language, config.data.target_language = "en", "zh"
    assert settle(config).data.vocabulary_size > 400


def test_the_rule_depends_on_the_number_of_rows(tmp_path):
    found = []
    for rows in (200, 5000, 30_000):
        place = tmp_path / str(rows)
        place.mkdir()
        config = own_config("csv_classifier", place, rows)
        settled = settle(config)
        found.append([settled.data.batch_size, settled.training.num_epochs])
    assert [batch_size for batch_size, _ in found] == [32, 32, 64]
    epochs = [num_epochs for _, num_epochs in found]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[0] > epochs[2] >= 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_field_that_no_rule_fills_must_not_be_open(architecture):
    task, config = find_task(architecture), base_config(architecture)
    assert task.open_fields <= set(config.to_json()) | {
        f"{section}.{name}" for section, fields in config.items() for name in fields
    }
    if task.takes_steps:
        leave_open(config)
        configs.check(config)
        assert set(open_in(config)) == task.open_fields
    closed = base_config(architecture)
    with closed.ignore_type():
        closed.data.corpus = None
    with pytest.raises(UserError, match=r"data.corpus is None"):
        configs.check(closed)


def test_an_open_config_trains_and_goes_on_with_its_corpus(tmp_path):
    config = own_config("csv_classifier", tmp_path, rows=300)
    config.model.embedding_size, config.model.hidden_sizes = 4, (3,)
    config.data.bucket_lengths = (8,)
    config.training.num_epochs, config.evaluation.report = 1.0, False
    workdir, log = tmp_path / "run", []
    train(config, str(workdir), log=log.append)
    assert log[0].startswith("by the size of the corpus: ")
    assert "optimizer.learning_rate=" in log[0]
    assert "model.embedding_size" not in log[0]
    assert log[1:3] == ["texts: train 240, validation 30, test 30", log[2]]
    assert log[2].startswith("labels: 3: ")
    stored = json.loads((workdir / "config.json").read_text("utf-8"))
    assert None not in [
        value for fields in stored.values() if isinstance(fields, dict) for value in fields.values()
    ]
    again: list[str] = []
    train(config, str(workdir), log=again.append)
    assert any(line.endswith("step 7 of 7") for line in again)


@pytest.mark.slow
def test_only_what_follows_from_the_corpus_is_told(tmp_path):
    config = own_config("csv_classifier", tmp_path)
    config.training.num_steps = config.evaluation.every_steps = 7
    line = describe(settle(config), open_in(config))
    assert "training.checkpoint_every_epochs=" in line
    for field in ("training.num_epochs", "evaluation.every_epochs", "model.hidden_sizes"):
        assert field not in line
    assert describe(settle(config), ["training.num_epochs"]) == ""


def test_a_given_cell_has_the_settings_of_a_network(tmp_path):
    config = own_config("csv_classifier", tmp_path)
    assert settle(config).optimizer.name == "adamw"
    config.model.cell = "lstm"
    settled = settle(config)
    assert (settled.model.cell, settled.model.pooling) == ("lstm", "attention")
    assert (settled.optimizer.name, settled.optimizer.learning_rate) == ("adam", 2e-3)


def test_rows_that_are_skipped_are_told_once(tmp_path, capsys):
    config = own_config("csv_classifier", tmp_path)
    with (tmp_path / "table.csv").open("a") as table:
        table.write("no label,\n")
    config.data.skip_unlabeled = True
    build_workload(config)
    assert capsys.readouterr().err.count("have no label and are skipped") == 1


def test_a_flag_sets_an_open_field(tmp_path):
    config = own_config("csv_classifier", tmp_path)
    flags = {
        "data.directory": config.data.directory,
        "data.cache_directory": config.data.cache_directory,
        "data.bucket_lengths": "(8,)",
        "model.embedding_size": "4",
        "model.hidden_sizes": "(3,)",
        "training.num_steps": "3",
        "optimizer.learning_rate": "0.5",
        "evaluation.report": "False",
    }
    command = [
        sys.executable,
        "train.py",
        "--config=configs/csv_classifier.py",
        f"--workdir={tmp_path / 'run'}",
        *(f"--config.{name}={value}" for name, value in flags.items()),
    ]
    subprocess.run(command, cwd=ROOT, env=environment_with(1), check=True, capture_output=True)
    stored = json.loads((tmp_path / "run" / "config.json").read_text("utf-8"))
    assert stored["optimizer"]["learning_rate"] == 0.5
    assert stored["training"]["num_steps"] == 3
    assert stored["model"]["hidden_sizes"] == [3]
