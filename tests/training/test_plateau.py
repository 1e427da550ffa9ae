"""A run whose validation stalls goes on slower, from the best that it had."""

import numpy as np
import pytest
from tiny_regression import descend, points, regression_workload
from tiny_run import metrics_of, saved_bits

from zoo.training import checkpoints

PLATEAU = {
    "optimizer__schedule": "plateau",
    "optimizer__decay_factor": 0.25,
    "training__num_steps": 24,
    "evaluation__every_steps": 4,
}


def test_a_stalled_run_goes_on_slower_from_its_best_parameters(train, tmp_path):
    scores = [3.0, 2.0, 2.5, 2.4, 1.0, 1.5, 0.0]
    log = train(tmp_path, workload=regression_workload(scores), **PLATEAU)
    rates = [line["learning_rate"] for line in metrics_of(tmp_path, "train")]
    expected = 0.05 * np.array([1, 1, 1, 1 / 4, 1 / 16, 1 / 16])
    assert rates == pytest.approx(expected)
    assert log.having("validation stalled") == [
        "validation stalled: learning rate times 0.25, "
        f"continuing from the parameters of step {best}"
        for best in (8, 8, 20)
    ]
    # Steps 8-12 and 12-16 are undone; 16-20 start again where step 8 ended.
    weight = descend(8)[-1][2]
    for step in range(16, 20):
        batch = points(*divmod(step, 4))
        residual = batch.x @ weight - batch.y
        weight = weight - 0.05 / 16 * 2 * batch.x.T @ residual / len(residual)
    best = checkpoints.restore(tmp_path / "checkpoints" / "20").params["weight"]
    np.testing.assert_allclose(best, weight, rtol=1e-5)
    latest = checkpoints.restore(tmp_path / "checkpoints" / "24").params["weight"]
    assert latest.tobytes() == best.tobytes()


def test_the_logged_rate_is_the_rate_used_where_a_stall_repeats_a_part_of_the_warm_up(
    train, tmp_path
):
    scores = [3.0, 2.0, 2.5, 2.4, 1.0, 1.5, 0.0]
    train(tmp_path, workload=regression_workload(scores), **PLATEAU, optimizer__warmup_steps=16)
    rates = [line["learning_rate"] for line in metrics_of(tmp_path, "train")]
    updates = np.array([3, 7, 11, 11, 11, 15])  # steps 8-12 are repeated twice, then 12-16 follow
    expected = 0.05 * updates / 16 * np.array([1, 1, 1, 1 / 4, 1 / 16, 1 / 16])
    assert rates == pytest.approx(expected)


def test_the_optimizer_goes_back_with_the_parameters(train, tmp_path):
    settings = PLATEAU | {"training__num_steps": 8, "optimizer__name": "adam"}
    train(tmp_path, workload=regression_workload([1.0, 2.0, 0.0]), **settings)
    best, latest = saved_bits(tmp_path, 4), saved_bits(tmp_path, 8)
    moments = [name for name in best["state"] if "optimizer_state" in name]
    assert moments
    for name in moments:
        assert latest["state"][name] == best["state"][name]
    (step,) = (name for name in best["state"] if "step" in name)
    assert latest["state"][step] != best["state"][step]


FALLING_BACK = [3.0, 2.0, 2.5, 2.4, 2.3, 2.2, 0.0]
UP_AND_DOWN = [3.0, 3.5, 2.0, 2.5, 1.0, 1.5]


@pytest.mark.parametrize(
    ("scores", "patience", "stalls"),
    [(FALLING_BACK, 1, 4), (FALLING_BACK, 2, 2), (FALLING_BACK, 3, 1), (UP_AND_DOWN, 2, 0)],
)
def test_decay_patience_counts_evaluations_since_the_best_or_the_last_decay(
    train, tmp_path, scores, patience, stalls
):
    workload = regression_workload(scores)
    log = train(tmp_path, workload=workload, **PLATEAU, optimizer__decay_patience=patience)
    assert len(log.having("validation stalled")) == stalls


def test_other_schedules_do_not_look_at_validation(train, tmp_path):
    workload = regression_workload([1.0, 2.0, 0.0])
    log = train(tmp_path, workload=workload, optimizer__schedule="constant")
    assert not log.having("stalled")
    np.testing.assert_allclose(
        checkpoints.restore(tmp_path / "checkpoints" / "12").params["weight"],
        descend(12)[-1][2],
        rtol=1e-5,
    )
