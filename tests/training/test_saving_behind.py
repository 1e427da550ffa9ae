"""Checkpoints are written while training goes on: as they were, at most one at a time."""

import threading

import pytest
from tiny_regression import regression_workload
from tiny_run import saved_bits

from zoo.errors import UserError
from zoo.training import checkpoints

SETTINGS = {
    "training__num_steps": 12,
    "training__steps_per_call": 1,
    "training__checkpoint_every_steps": 3,
    "evaluation__every_steps": 12,
    "optimizer__name": "momentum",
    "optimizer__momentum": 0.5,
}


@pytest.fixture
def slow_saves(train, monkeypatch):
    """Each save waits until a given number of train steps were taken; the list has each save's."""
    original, taken = checkpoints.save, []

    def save(workdir, *, step, **content):
        if step < 12:
            for _ in range(3000):
                if len(train.calls) >= step + 2:
                    break
                threading.Event().wait(0.01)
            taken.append((step, len(train.calls)))
        return original(workdir, step=step, **content)

    monkeypatch.setattr(checkpoints, "save", save)
    return taken


def noisy():
    return regression_workload(noise=0.1)


def test_training_goes_on_while_a_step_is_written_and_the_step_is_as_it_was(
    train, slow_saves, tmp_path
):
    train(tmp_path / "slow", workload=noisy(), **SETTINGS)
    assert [step for step, _ in slow_saves] == [3, 6, 9]
    for step, steps_taken in slow_saves:
        assert step + 2 <= steps_taken <= step + 3  # at most one is behind
    for step in checkpoints.steps(tmp_path / "slow"):
        short = SETTINGS | {"training__num_steps": step}
        train(tmp_path / str(step), workload=noisy(), **short)
        found, expected = (saved_bits(tmp_path / name, step) for name in ("slow", str(step)))
        assert found.keys() == expected.keys()
        assert all(found[name] == expected[name] for name in found if name != "progress")


def test_a_step_that_cannot_be_written_ends_the_run_before_the_next_one(
    train, tmp_path, monkeypatch
):
    original = checkpoints.save

    def save(workdir, *, step, **content):
        if step == 6:
            raise UserError(f"step {step} cannot be written")
        return original(workdir, step=step, **content)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", save)
        with pytest.raises(UserError, match="step 6 cannot be written"):
            train(tmp_path / "run", workload=noisy(), **SETTINGS)
    assert train.saves[-1] in (6, 9)
    assert checkpoints.steps(tmp_path / "run") == [3]
    train(tmp_path / "run", workload=noisy(), **SETTINGS)
    train(tmp_path / "whole", workload=noisy(), **SETTINGS)
    assert saved_bits(tmp_path / "run", 12) == saved_bits(tmp_path / "whole", 12)
