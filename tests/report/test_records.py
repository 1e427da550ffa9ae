"""A run's records: read whole, read while it goes on, and told where they are damaged."""

import contextlib
import itertools
import os

import pytest
from run_records import METRICS, write_run

from zoo.errors import UserError
from zoo.report.page import write_report
from zoo.report.records import differing_fields, read_sealed, write_sealed
from zoo.report.runs import read_record


@pytest.mark.parametrize("tail", ["", '{"step": 3, "sp'])
def test_scores_become_curves(tmp_path, tail):
    record = read_record(write_run(tmp_path / "run", metrics=METRICS, tail=tail))
    assert record.name == "run"
    assert record.curves == {
        ("train", "loss_nats"): ([1, 2], [3.0, 2.5]),
        ("train", "learning_rate"): ([2], [0.1]),
        ("validation", "perplexity"): ([2], [9.0]),
    }
    assert (record.samples, record.summary) == ([], {})


def test_a_run_that_just_began_has_a_record(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert read_record(tmp_path).curves == {}


def test_what_is_no_run_or_damaged_is_told(tmp_path):
    with pytest.raises(UserError, match=r"is no run: it has no config\.json"):
        read_record(tmp_path)
    (tmp_path / "step" / "params").mkdir(parents=True)
    (tmp_path / "step" / "config.json").write_text("{}")
    with pytest.raises(UserError, match="step is a checkpoint, no run"):
        read_record(tmp_path / "step")
    run = write_run(tmp_path / "run", tail='garbage\n{"step": 1, "split": "train"}\n')
    with pytest.warns(UserWarning, match=r"metrics\.jsonl: line 1 is damaged and left out"):
        read_record(run)
    run = write_run(tmp_path / "run", summary_json="{")
    with pytest.raises(UserError, match=r"summary\.json is damaged"):
        read_record(run)


def test_every_flipped_bit_of_a_sealed_record_is_told_or_changes_nothing(tmp_path):
    path = tmp_path / "summary.json"
    record = {"best_step": 20, "scores": {"é": 1.5, "b": float("inf")}, "figures": [[1, 2.25]]}
    write_sealed(path, record)
    assert read_sealed(path) == record
    sound = path.read_bytes()
    unsealed = []
    for position, bit in itertools.product(range(len(sound)), range(8)):
        damaged = bytearray(sound)
        damaged[position] ^= 1 << bit
        path.write_bytes(damaged)
        with contextlib.suppress(UserError):
            found = read_sealed(path)
            assert record.items() <= found.items()
            unsealed += [] if found == record else [(position, bit)]
    assert len(unsealed) <= 8 * len("sha256")  # the name of the sum is all that it does not cover


@pytest.mark.parametrize("change", [("20", "21"), ("1.5", "1.6"), ("best", "rest"), ("}", "")])
def test_a_damaged_sealed_record_is_named_in_a_line(tmp_path, change):
    path = tmp_path / "summary.json"
    write_sealed(path, {"best_step": 20, "scores": {"a": 1.5}})
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(UserError, match=rf"^{path} is damaged: .*; start the training's") as told:
        read_sealed(path)
    assert "\n" not in str(told.value)


def test_a_record_without_a_sum_is_read(tmp_path):
    (tmp_path / "config.json").write_text('{"model": {"cell": "gru"}}')
    assert read_sealed(tmp_path / "config.json") == {"model": {"cell": "gru"}}


def test_keys_that_json_makes_texts_have_one_sum(tmp_path):
    write_sealed(tmp_path / "summary.json", {"scores": {10: 1.0, 9: 2.0}, "figures": (1,)})
    found = read_sealed(tmp_path / "summary.json")
    assert found == {"scores": {"10": 1.0, "9": 2.0}, "figures": [1]}


def test_differing_fields_are_those_that_some_config_has_otherwise():
    first = {"model": {"cell": "gru", "sizes": [8]}, "training": {"seed": 0}}
    assert differing_fields([first, first]) == {}
    second = {"model": {"cell": "lstm", "sizes": [8]}, "training": {"seed": 0, "steps": 5}}
    assert differing_fields([first, second, first]) == {
        "model.cell": ["gru", "lstm", "gru"],
        "training.steps": [None, 5, None],
    }


@pytest.mark.parametrize("content", ["[]", "null", "[" * 100_000, '{"best_step": [], "scores": 3}'])
def test_records_of_another_form_are_told_in_a_line(tmp_path, content):
    run = write_run(tmp_path / "run", summary_json=content)
    with pytest.raises(UserError, match=r"summary\.json is damaged|have another form"):
        write_report([run])


@pytest.mark.parametrize("step", ["true", '"1"', "-1", "1.5", "null", "1" * 400])
def test_a_line_whose_step_is_none_is_left_out(tmp_path, step):
    run = write_run(tmp_path / "run", metrics=[], tail=f'{{"step": {step}, "split": "train"}}\n')
    with pytest.warns(UserWarning, match=r"metrics\.jsonl: line 1 is damaged and left out"):
        assert read_record(run).curves == {}


def test_a_pipe_among_the_records_is_not_waited_for(tmp_path):
    run = write_run(tmp_path / "run")
    (run / "metrics.jsonl").unlink()
    os.mkfifo(run / "metrics.jsonl")
    with pytest.raises(UserError, match="it is not a regular file"):
        read_record(run)


def test_half_a_character_in_a_sample_does_not_end_the_page(tmp_path):
    line = '{"step": 1, "sample": "\\ud800"}\n'
    run = write_run(tmp_path / "run")
    (run / "samples.jsonl").write_text(line)
    assert "\\ud800" in write_report([run]).read_text("utf-8")


@pytest.mark.parametrize("name", ["sessions", "evaluations"])
@pytest.mark.parametrize("line", ['{"step": 3}', '{"step": 3, "seconds": "x", "scores": 3}', "{"])
def test_damaged_notes_of_a_run_are_told_and_left_out(tmp_path, name, line):
    run = write_run(tmp_path / "run", metrics=METRICS)
    (run / f"{name}.jsonl").write_text(line + "\n")
    with pytest.warns(UserWarning, match=rf"{name}\.jsonl: .* is damaged and left out"):
        assert "The training took" not in write_report([run]).read_text("utf-8")
