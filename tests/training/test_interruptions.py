"""A run that is stopped, damaged or diverges loses nothing that was sound."""

import signal
from dataclasses import replace

import numpy as np
import pytest
from tiny_regression import Log, PointBatches, regression_workload
from tiny_run import read_metrics, saved_bits

from zoo.errors import UserError
from zoo.training import checkpoints

# A rate so high that validation gets worse now and then.
RESTLESS = {
    "optimizer__schedule": "plateau",
    "evaluation__every_steps": 4,
    "optimizer__learning_rate": 0.3,
    "optimizer__name": "momentum",
    "optimizer__momentum": 0.5,
    "optimizer__decay_factor": 0.5,
    "training__num_steps": 40,
}


def test_a_run_stopped_again_and_again_ends_as_one_that_was_not(train, tmp_path):
    log = train(tmp_path / "whole", workload=regression_workload(noise=0.1), **RESTLESS)
    assert len(log.having("validation stalled")) >= 2
    stops = {4: signal.SIGTERM, 16: signal.SIGINT, 28: signal.SIGTERM}
    for stop, number in stops.items():
        train.saves.clear()
        log = train(
            tmp_path / "cut",
            workload=regression_workload(noise=0.1),
            log=Log(f"step {stop}/", number),
            **RESTLESS,
        )
        assert log[-1] == f"stopped at step {stop}; the same command continues from here"
        assert train.saves[-1] == stop
        assert train.saves.count(stop) == 1
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    train(tmp_path / "cut", workload=regression_workload(noise=0.1), **RESTLESS)
    assert read_metrics(tmp_path / "cut") == read_metrics(tmp_path / "whole")
    assert saved_bits(tmp_path / "cut", 40) == saved_bits(tmp_path / "whole", 40)
    assert checkpoints.steps(tmp_path / "cut") == checkpoints.steps(tmp_path / "whole")


def test_a_signal_between_two_lines_stops_after_the_call_with_sums_kept(train, tmp_path):
    settings = {"training__log_every_steps": 12, "training__steps_per_call": 5}
    train(tmp_path / "whole", **settings)
    workload = regression_workload()
    batches = PointBatches()

    def batch(epoch, index):
        if (epoch, index) == (1, 3):
            signal.raise_signal(signal.SIGTERM)
        return PointBatches().batch(epoch, index)

    batches.batch = batch
    log = train(tmp_path / "cut", workload=replace(workload, batches=batches), **settings)
    assert log[-1] == "stopped at step 11; the same command continues from here"
    train(tmp_path / "cut", **settings)
    assert read_metrics(tmp_path / "cut") == read_metrics(tmp_path / "whole")


def test_a_signal_in_the_last_call_changes_nothing(train, tmp_path):
    log = train(tmp_path, log=Log("step 12/"))
    assert not log.having("stopped")
    assert log.having("best step 12")


def test_a_damaged_latest_checkpoint_is_named_and_the_one_before_it_used(train, tmp_path):
    workloads = [regression_workload([1.0, 2.0, 3.0, 9.0]) for _ in range(2)]
    settings = {"training__num_steps": 16, "evaluation__every_steps": 6}
    train(tmp_path / "whole", workload=workloads[0], **settings)
    log = Log(stop_at="step 12: validation")
    train(tmp_path / "cut", workload=workloads[1], log=log, **settings)
    assert checkpoints.steps(tmp_path / "cut") == [6, 12]
    victim = tmp_path / "cut" / "checkpoints" / "12"
    file = max(
        (path for path in victim.rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    file.write_bytes(file.read_bytes()[:-1])
    log = train(tmp_path / "cut", workload=regression_workload([2.0, 3.0, 9.0]), **settings)
    assert log[1].startswith(f"{victim} is damaged: ")
    assert log[2] == "3 parameters; step 6 of 16"
    assert read_metrics(tmp_path / "cut") == read_metrics(tmp_path / "whole")
    assert saved_bits(tmp_path / "cut", 16) == saved_bits(tmp_path / "whole", 16)


def files_of(directory):
    return {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def test_a_loss_that_is_no_number_stops_the_run_and_overwrites_nothing(train, tmp_path):
    settings = {
        "optimizer__learning_rate": 1e4,
        "training__num_steps": 100,
        "training__checkpoint_every_steps": 2,
        "evaluation__every_steps": 100,
    }
    with pytest.raises(UserError) as caught:
        train(tmp_path, **settings)
    step = train.calls[-1][0] + 1
    last = train.saves[-1]
    assert 2 <= last <= step
    where = f"; the last good checkpoint is step {last} of {tmp_path}; "
    assert where in str(caught.value)
    assert str(caught.value).startswith(("gradient_norm became", "loss_nats became"))
    assert "try a lower optimizer.learning_rate" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert checkpoints.steps(tmp_path) == train.saves[-2:]
    finite = checkpoints.restore(tmp_path / "checkpoints" / str(last)).params["weight"]
    assert np.isfinite(finite).all()

    before = files_of(tmp_path / "checkpoints")
    with pytest.raises(UserError, match="the last good checkpoint"):
        train(tmp_path, **settings)
    assert files_of(tmp_path / "checkpoints") == before


def test_the_step_that_became_no_number_is_named(train, tmp_path):
    class Poisoned(PointBatches):
        def batch(self, epoch, index):
            batch = super().batch(epoch, index)
            if (epoch, index) == (1, 2):
                batch.y[0] = np.nan
            return batch

    workload = replace(regression_workload(), batches=Poisoned())
    with pytest.raises(UserError, match=r"^gradient_norm became nan at step 7; no checkpoint yet"):
        train(tmp_path, workload=workload, evaluation__every_steps=100)
    assert [line["step"] for line in read_metrics(tmp_path)] == [4]


def test_parameters_that_are_no_numbers_are_not_saved(train, tmp_path):
    """The loss and the gradient of the last step were fine; its update was not."""
    settings = {"optimizer__learning_rate": 3e38, "evaluation__every_steps": 100}
    message = "^a parameter became (nan|-?inf) at step 1; no checkpoint yet "
    with pytest.raises(UserError, match=message):
        train(tmp_path, **settings, training__checkpoint_every_steps=1)
    assert checkpoints.steps(tmp_path) == []


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_validation_score_that_is_no_number_is_not_saved(train, tmp_path, score):
    message = "^validation nats_per_token became (nan|inf) at step 12; the last good .* step 6 "
    with pytest.raises(UserError, match=message):
        train(tmp_path, workload=regression_workload([1.0, score]))
    assert checkpoints.steps(tmp_path) == [6]
