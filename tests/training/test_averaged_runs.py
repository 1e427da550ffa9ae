"""Runs that are scored by the average of their parameters, and train, stop and go on with both."""

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from tiny_regression import Log, RegressionWorkload, descend, points, regression_workload
from tiny_run import metrics_of, read_metrics, saved_bits, tiny_config

from zoo.errors import UserError
from zoo.training import checkpoints, loop

FIRST = {"training__averaging": "first_step"}
STALL = {
    "training__averaging": "stall",
    "training__averaging_patience": 1,
    "evaluation__every_steps": 3,
    "training__num_steps": 21,
}
# Worse than the best of all but the last one before: first at the fourth evaluation, step 12.
SCORES = [5.0, 4.0, 4.5, 4.2, 3.0, 3.5, 2.0]


def params_of(workdir, step):
    """The parameters that a checkpoint is used with."""
    return checkpoints.restore(checkpoints.step_directory(workdir, step)).params


def state_of(workdir, step):
    """Every other array of a checkpoint, by its path."""
    with ocp.PyTreeCheckpointer() as checkpointer:
        return checkpointer.restore(checkpoints.step_directory(workdir, step) / "state")


def average_of(workdir, step):
    return params_of(workdir, step)["weight"]


def raw_of(workdir, step):
    """The parameters that training goes on with."""
    return np.asarray(state_of(workdir, step)["['params']['weight']"])


def count_of(workdir, step):
    return int(state_of(workdir, step)["['average_count']"])


def weights(num_steps):
    """What SGD of the NumPy loop has after each step."""
    return [weight for _, _, weight in descend(num_steps)]


def test_a_run_saves_and_scores_the_average_and_trains_as_without(train, tmp_path):
    train(tmp_path / "plain")
    train(tmp_path / "averaged", **FIRST)
    averaged, plain = tmp_path / "averaged", tmp_path / "plain"
    mean = np.mean(weights(12), axis=0)
    np.testing.assert_allclose(average_of(averaged, 12), mean, rtol=1e-5)
    assert raw_of(averaged, 12).tobytes() == average_of(plain, 12).tobytes()
    assert np.abs(raw_of(averaged, 12) - mean).max() > 1e-2
    assert count_of(averaged, 12) == 12
    assert not any("params" in name for name in state_of(plain, 12))
    assert metrics_of(averaged, "train") == metrics_of(plain, "train")
    batch = points(1000, rows=50)
    for step, line in zip((6, 12), metrics_of(averaged, "validation"), strict=True):
        loss = np.square(batch.x @ np.mean(weights(step), axis=0) - batch.y).mean()
        assert line["nats_per_token"] == pytest.approx(loss, rel=1e-5)


def test_the_sample_and_the_report_are_of_the_average(train, tmp_path):
    seen = []

    class Watching(RegressionWorkload):
        def sample(self, params, seed):
            seen.append(np.asarray(params["weight"]))
            return ""

    train(tmp_path, workload=regression_workload([3.0, 4.0], kind=Watching), **FIRST)
    assert len(seen) == 3  # at steps 6 and 12, and of the best step at the end
    for weight, step in zip(seen, (6, 12, 6), strict=True):
        np.testing.assert_allclose(weight, np.mean(weights(step), axis=0), rtol=1e-5)


@pytest.mark.parametrize("decay", [0.5, 0.75])
def test_the_decay_is_that_of_the_config(train, tmp_path, decay):
    train(tmp_path, **FIRST, training__averaging_decay=decay)
    expected = weights(1)[0]
    for count, weight in enumerate(weights(12), start=1):
        expected = expected + max(1 - decay, 1 / count) * (weight - expected)
    np.testing.assert_allclose(average_of(tmp_path, 12), expected, rtol=1e-5)


def stalling_run(train, workdir, *, done=0, log=None, **more):
    """A run of 21 steps whose averaging begins at step 12; `done` evaluations lie behind it."""
    workload = regression_workload(SCORES[done:], noise=0.3)
    settings = {**STALL, "training__checkpoint_every_steps": 5, **more}
    return train(workdir, workload=workload, log=log, **settings)


STALLED = "validation stalled: from here on the average of the parameters is evaluated"


def test_averaging_begins_with_the_step_after_the_stall(train, tmp_path):
    log = train(tmp_path, workload=regression_workload(SCORES), **STALL)
    assert log.having("validation stalled") == [STALLED]
    assert log.index(STALLED) > log.index("step 12: validation score 4.2000")
    np.testing.assert_allclose(
        average_of(tmp_path, 21), np.mean(weights(21)[12:], axis=0), rtol=1e-5
    )
    np.testing.assert_allclose(raw_of(tmp_path, 21), weights(21)[-1], rtol=1e-5)
    assert count_of(tmp_path, 21) == 9


@pytest.mark.parametrize(("patience", "begins"), [(1, [12]), (2, []), (5, [])])
def test_the_patience_is_that_of_the_config(train, tmp_path, patience, begins):
    settings = {**STALL, "training__averaging_patience": patience}
    log = train(tmp_path, workload=regression_workload(SCORES), **settings)
    assert len(log.having(STALLED)) == len(begins)
    if not begins:
        assert average_of(tmp_path, 21).tobytes() == raw_of(tmp_path, 21).tobytes()


def assert_same_run(cut, whole):
    assert read_metrics(cut) == read_metrics(whole)
    last = checkpoints.steps(whole)[-1]
    assert saved_bits(cut, last) == saved_bits(whole, last)


@pytest.mark.parametrize("decay", [1.0, 0.75])
@pytest.mark.parametrize("stop_at", ["step 4/", "step 6: validation", "step 8/"])
def test_a_run_stopped_and_started_again_ends_as_one_that_was_not(train, tmp_path, stop_at, decay):
    settings = {**FIRST, "training__averaging_decay": decay}
    train(tmp_path / "whole", workload=regression_workload(noise=0.3), **settings)
    for log in (Log(stop_at=stop_at), Log()):
        workload = regression_workload(noise=0.3)
        train(tmp_path / "cut", workload=workload, log=log, **settings)
        assert log.having("stopped at") or log.stop_at == ""
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize(
    ("stop_at", "stop"),
    [("step 4/", 4), ("step 9: validation", 9), (STALLED, 12), ("step 16/", 16)],
)
def test_a_run_stopped_before_at_or_after_the_stall_ends_as_one_that_was_not(
    train, tmp_path, stop_at, stop
):
    stalling_run(train, tmp_path / "whole")
    log = stalling_run(train, tmp_path / "cut", log=Log(stop_at=stop_at))
    assert log.having(f"stopped at step {stop};")
    again = stalling_run(train, tmp_path / "cut", done=stop // 3)
    assert len(log.having(STALLED)) + len(again.having(STALLED)) == 1
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


class Killed(Exception):
    """The end of a process, without a checkpoint."""


@pytest.mark.parametrize(
    ("killed_at", "saved"), [("step 12/", 10), (STALLED, 10), ("step 20/", 15)]
)
def test_a_run_killed_after_the_stall_stalls_again_where_it_did(train, tmp_path, killed_at, saved):
    """From a checkpoint before the stall, or from one after it."""

    def kill(line):
        if line.startswith(killed_at):
            raise Killed

    stalling_run(train, tmp_path / "whole")
    with pytest.raises(Killed):
        stalling_run(train, tmp_path / "cut", log=kill)
    assert checkpoints.steps(tmp_path / "cut")[-1] == saved
    stalling_run(train, tmp_path / "cut", done=saved // 3)
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


PLATEAU = {
    "optimizer__schedule": "plateau",
    "optimizer__decay_factor": 0.25,
    "evaluation__every_steps": 4,
}


def go_on(weight, steps, rate):
    """The weights after each of these steps of SGD, from a weight on."""
    after = []
    for step in steps:
        batch = points(*divmod(step, 4))
        residual = batch.x @ weight - batch.y
        weight = weight - rate * 2 * batch.x.T @ residual / len(residual)
        after.append(weight)
    return after


def test_a_plateau_puts_both_back_the_parameters_and_their_average(train, tmp_path):
    """Steps 8-12 are undone; 12-16 go on from the parameters of step 8, and so does the mean."""
    workload = regression_workload([3.0, 2.0, 2.5, 1.0])
    train(tmp_path, workload=workload, **PLATEAU, **FIRST, training__num_steps=16)
    before = weights(8)
    after = go_on(before[-1], range(12, 16), 0.05 / 4)
    np.testing.assert_allclose(raw_of(tmp_path, 16), after[-1], rtol=1e-5)
    np.testing.assert_allclose(
        average_of(tmp_path, 16), np.mean([*before, *after], axis=0), rtol=1e-5
    )
    assert count_of(tmp_path, 16) == 12


def test_a_plateau_and_a_stall_at_once(train, tmp_path):
    """Steps 12-16 are undone too, and there averaging begins."""
    scores = [3.0, 2.0, 2.5, 2.4, 1.0]
    settings = {**STALL, **PLATEAU, "training__num_steps": 20}
    log = train(tmp_path, workload=regression_workload(scores), **settings)
    assert (
        len(log.having("learning rate times 0.25, continuing from the parameters of step 8")) == 2
    )
    assert len(log.having(STALLED)) == 1
    after = go_on(weights(8)[-1], range(16, 20), 0.05 / 16)
    np.testing.assert_allclose(raw_of(tmp_path, 20), after[-1], rtol=1e-5)
    np.testing.assert_allclose(average_of(tmp_path, 20), np.mean(after, axis=0), rtol=1e-5)


def test_averaging_goes_on_when_a_plateau_goes_back_to_before_it_began(train, tmp_path):
    """It begins anew, with the parameters that the run goes on from."""
    scores = [5.0, 2.0, 2.5, 2.4, 2.3, 2.2, 1.0]
    settings = {**STALL, **PLATEAU, "training__num_steps": 28, "optimizer__decay_patience": 4}
    log = train(tmp_path, workload=regression_workload(scores), **settings)
    assert log.having("learning rate times") == [
        "validation stalled: learning rate times 0.25, continuing from the parameters of step 8"
    ]
    after = go_on(weights(8)[-1], range(24, 28), 0.05 / 4)
    np.testing.assert_allclose(raw_of(tmp_path, 28), after[-1], rtol=1e-5)
    np.testing.assert_allclose(average_of(tmp_path, 28), np.mean(after, axis=0), rtol=1e-5)


MEMBERS = {
    "data__random_offset": True,
    "data__random_length": True,
    "model__output_dropout_rate": 0.3,
    "optimizer__learning_rate": 0.01,
    "optimizer__clip_norm": 0.5,
    "training__averaging": "first_step",
    "training__averaging_decay": 0.75,
}


def assert_close(found, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, expected)


def test_the_averages_of_members_are_those_of_runs_alone(corpus, optax_dtypes, tmp_path):
    def run(name, **more):
        config = tiny_config(corpus, **MEMBERS, **more)
        loop.train(config, str(tmp_path / name), log=lambda line: None)

    run("together", training__num_seeds=2, training__seed=3)
    run("alone", training__seed=4)
    member, alone = tmp_path / "together" / "seed_4", tmp_path / "alone"
    found, expected = (params_of(place, 12) for place in (member, alone))
    assert_close(found, expected)
    raw, expected_raw = (
        {name: array for name, array in state_of(place, 12).items() if "['params']" in name}
        for place in (member, alone)
    )
    assert_close(raw, expected_raw)
    moved = np.asarray(expected_raw["['params']['embedding']"]) - expected["embedding"]
    assert np.abs(moved).max() > 1e-3
    assert len(raw) == len(jax.tree.leaves(found))
    score, expected_score = (
        checkpoints.restore(checkpoints.step_directory(place, 12)).progress["best_score"]
        for place in (member, alone)
    )
    assert score == pytest.approx(expected_score, rel=1e-5)


def test_averaging_can_not_be_turned_on_in_a_run_and_a_line_says_so(train, tmp_path):
    train(tmp_path)
    more = {**FIRST, "training__num_steps": 18, "allow_config_change": True}
    with pytest.raises(UserError) as error:
        train(tmp_path, **more)
    assert "\n" not in str(error.value)
