"""Killed at any moment and started again, train.py ends bit for bit as if it had run through.

Real processes and real text, with all that a run remembers: dropout, random offsets, momentum, a
recurrent state, sums between two lines of metrics, and the best parameters of a plateau schedule.
"""

import random
import signal
import time

import pytest
from tiny_run import metrics_of, read_metrics, saved_bits, tiny_config, tiny_flags
from train_process import TrainProcess

from zoo.training import checkpoints
from zoo.training.loop import train

pytestmark = pytest.mark.usefixtures("optax_dtypes")

NUM_STEPS = 300
SETTINGS = {
    "data.random_offset": True,
    "model.embedding_dropout_rate": 0.1,
    "model.output_dropout_rate": 0.2,
    "optimizer.name": "momentum",
    "optimizer.learning_rate": 3.0,  # restless enough to stall
    "optimizer.clip_norm": 1.0,
    "optimizer.schedule": "plateau",
    "training.num_steps": NUM_STEPS,
    "training.steps_per_call": 4,
    "training.log_every_steps": 15,
    "training.checkpoint_every_steps": 20,
    "evaluation.every_steps": 30,
}


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """The workdir of the run that nothing stopped."""
    workdir, log = tmp_path_factory.mktemp("whole"), []
    train(tiny_config(corpus, **SETTINGS), str(workdir), log=log.append)
    assert len([line for line in log if "validation stalled" in line]) >= 2
    return workdir


def assert_same_run(cut, whole):
    assert read_metrics(cut) == read_metrics(whole)
    assert checkpoints.steps(cut) == checkpoints.steps(whole)
    for step in checkpoints.steps(whole):
        found, expected = saved_bits(cut, step), saved_bits(whole, step)
        for item in expected:
            assert found[item] == expected[item], f"{item} of step {step}"


def start(corpus, workdir):
    return TrainProcess(*tiny_flags(corpus, **SETTINGS), f"--workdir={workdir}")


def test_killed_then_terminated_a_run_ends_as_one_that_was_not(corpus, whole, tmp_path):
    with start(corpus, tmp_path) as process:
        assert process.wait_for("step 75/"), process.finish()
        process.stop(signal.SIGKILL)
        assert process.finish()[0] == -signal.SIGKILL
    with start(corpus, tmp_path) as process:
        first = process.wait_for(r".* parameters; step ")
        assert 40 <= int(first.split()[-3]) < NUM_STEPS, first  # 60 may have been in writing
        assert process.wait_for("step 1..: validation"), process.finish()
        process.stop(signal.SIGTERM)
        assert process.finish() == (0, "")
    step = checkpoints.steps(tmp_path)[-1]
    assert process.lines[-1] == f"stopped at step {step}; the same command continues from here"
    with start(corpus, tmp_path) as process:
        assert process.finish() == (0, "")
    assert process.lines[2].endswith(f"; step {step} of {NUM_STEPS}")
    assert_same_run(tmp_path, whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_stopped_at_many_random_moments_a_run_ends_as_one_that_was_not(
    corpus, whole, tmp_path, seed
):
    draw, kinds = random.Random(seed), [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
    for stop in range(12):
        number = kinds[stop % 3]
        with start(corpus, tmp_path) as process:
            if draw.random() < 0.3:  # somewhere in importing and compiling
                time.sleep(draw.uniform(0.5, 8.0))
            else:
                process.wait_for(r".* parameters; step ")
                process.wait_for("step ")
                time.sleep(draw.uniform(0.0, 0.4))
            process.stop(number)
            code, _ = process.finish()
            if number == signal.SIGTERM:
                assert code in (0, -signal.SIGTERM)
    with start(corpus, tmp_path) as process:
        assert process.finish() == (0, "")
    assert metrics_of(tmp_path, "train")[-1]["step"] == NUM_STEPS
    assert_same_run(tmp_path, whole)
