"""A run's length in epochs is that in steps: its schedule, evaluations and checkpoints with it."""

import pytest
from tiny_regression import Log, make_config, regression_workload
from tiny_run import metrics_of, read_metrics, saved_bits

from zoo.errors import UserError
from zoo.training import checkpoints
from zoo.training.length import in_steps

# Of an epoch of four steps: 14 steps, a checkpoint every 6, an evaluation every 2.
EPOCHS = {
    "training__num_steps": 0,
    "training__num_epochs": 3.5,
    "training__checkpoint_every_steps": 0,
    "training__checkpoint_every_epochs": 1.5,
    "evaluation__every_steps": 0,
    "evaluation__every_epochs": 0.5,
    "optimizer__schedule": "cosine",
}
STEPS = {
    "training__num_steps": 14,
    "training__checkpoint_every_steps": 6,
    "evaluation__every_steps": 2,
    "optimizer__schedule": "cosine",
}


def test_epochs_give_bit_for_bit_what_their_steps_give(train, tmp_path):
    for name, settings in (("epochs", EPOCHS), ("steps", STEPS)):
        train.saves.clear()
        train(tmp_path / name, workload=regression_workload([2.0, 1.0, 3.0]), **settings)
        assert train.saves == [2, 4, 6, 12, 14]
    assert saved_bits(tmp_path / "epochs", 14) == saved_bits(tmp_path / "steps", 14)
    records = [read_metrics(tmp_path / name) for name in ("epochs", "steps")]
    assert records[0] == records[1]
    steps = [line["step"] for line in metrics_of(tmp_path / "epochs", "validation")]
    assert steps == [2, 4, 6, 8, 10, 12, 14]


def test_a_run_in_epochs_that_was_stopped_goes_on_to_the_same_bits(train, tmp_path):
    train(tmp_path / "whole", **EPOCHS)
    train(tmp_path / "stopped", log=Log(stop_at="step 4/14"), **EPOCHS)
    assert checkpoints.steps(tmp_path / "stopped")[-1] < 14
    train(tmp_path / "stopped", **EPOCHS)
    assert saved_bits(tmp_path / "stopped", 14) == saved_bits(tmp_path / "whole", 14)
    assert read_metrics(tmp_path / "stopped") == read_metrics(tmp_path / "whole")


def test_more_steps_than_a_device_counts_are_refused():
    config = make_config(**{**EPOCHS, "training__num_epochs": 1e30})
    with pytest.raises(UserError, match=r"^training.num_epochs is 1e\+30, which is \d+ steps; use"):
        in_steps(config, batches_per_epoch=30)


def test_another_number_of_epochs_is_another_config(train, tmp_path):
    train(tmp_path, **EPOCHS)
    with pytest.raises(UserError, match=r"training.num_steps: 14 -> 8"):
        train(tmp_path, **{**EPOCHS, "training__num_epochs": 2.0})


@pytest.mark.parametrize(
    ("section", "steps", "epochs"),
    [
        ("training", "num_steps", "num_epochs"),
        ("training", "checkpoint_every_steps", "checkpoint_every_epochs"),
        ("evaluation", "every_steps", "every_epochs"),
    ],
)
def test_both_lengths_are_refused_and_neither_is_a_thousand_steps(
    train, tmp_path, section, steps, epochs
):
    both = {f"{section}__{steps}": 7, f"{section}__{epochs}": 0.5}
    with pytest.raises(UserError, match=rf"{section}.{steps} is 7 and .*{epochs} is 0.5; give one"):
        train(tmp_path, **both)
    for length, wanted in ((0.5, 15), (0.001, 1), (0.0, 1000)):
        config = make_config(**{f"{section}__{steps}": 0, f"{section}__{epochs}": length})
        found = in_steps(config, 30)
        assert (found[section][steps], found[section][epochs]) == (wanted, 0.0)
        assert config[section][epochs] == length  # the user's own config stays


def test_a_run_whose_last_evaluation_is_its_best_is_told_to_be_longer(train, tmp_path):
    advice = "train longer"
    log = train(
        tmp_path / "epochs",
        workload=regression_workload([2.0, 1.0]),
        **{**EPOCHS, "evaluation__every_epochs": 2.0},
    )
    assert log.having(advice)[0].endswith(" --config.training.num_epochs=7")
    log = train(tmp_path / "best before", workload=regression_workload([1.0, 2.0]))
    assert not log.having(advice)
    settings = {"evaluation__patience": 1, "evaluation__every_steps": 3}
    log = train(tmp_path / "early", workload=regression_workload([1.0, 2.0]), **settings)
    assert not log.having(advice)


def test_the_plan_is_told_once_when_steps_were_timed(train, tmp_path):
    log = train(tmp_path)
    (plan,) = log.having("plan: about ")
    assert log.index(plan) == log.index(log.having("tokens/s")[0]) + 1


def test_a_length_in_epochs_is_the_nearest_number_of_steps():
    config = make_config(**{**EPOCHS, "training__num_epochs": 0.29})
    assert 0.29 * 100 < 29
    assert in_steps(config, batches_per_epoch=100).training.num_steps == 29
