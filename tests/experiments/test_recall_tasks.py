"""The tasks of experiments/recall.py, beside what defines them."""

import jax
import numpy as np
import pytest

from experiments.recall import (
    BLANK,
    FILLER,
    GRID,
    NEAR,
    NUM_KEYS,
    QUESTION,
    TASKS,
    Adding,
    Batch,
    adding,
    copying,
    learn,
    recall,
)
from experiments.sequence_learning import SequenceModel, Settings

pytestmark = pytest.mark.usefixtures("optax_dtypes")


def draw() -> np.random.Generator:
    return np.random.default_rng(7)


def test_every_key_is_asked_once_and_its_value_is_the_answer() -> None:
    batch = recall(5, 40, 30, draw())
    places = set()
    for inputs, targets in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        values = dict(zip(inputs[:10:2], inputs[1:10:2], strict=True))
        assert len(values) == 5
        assert targets[:10] == [-1] * 10
        asked = [step for step in range(40) if targets[step] >= 0]
        assert sorted(inputs[step] for step in asked) == sorted(values)
        for step in range(10, 40):
            if step in asked:
                assert targets[step] + NUM_KEYS == values[inputs[step]]
            else:
                assert inputs[step] == FILLER
        places.update(asked)
    assert {10, 39} <= places


def test_copying_asks_for_the_symbols_in_order_after_the_gap() -> None:
    batch = copying(12, 20, draw())
    assert (batch.targets[:, :22] == -1).all()
    assert (batch.targets[:, 22:] == batch.inputs[:, :10]).all()
    assert (batch.inputs[:, 10:22] == BLANK).all()
    assert (batch.inputs[:, 22:] == QUESTION).all()
    assert set(batch.inputs[:, :10].ravel().tolist()) == set(range(8))


def test_adding_marks_one_number_of_each_half() -> None:
    batch = adding(11, 200, draw())
    numbers, marks = batch.inputs[..., 0], batch.inputs[..., 1]
    assert (marks[:, :5].sum(axis=1) == 1).all()
    assert (marks[:, 5:].sum(axis=1) == 1).all()
    assert marks.any(axis=0).all()
    np.testing.assert_allclose(batch.targets, (numbers * marks).sum(axis=1), rtol=1e-5)
    near_mean = np.abs(adding(10, 200_000, draw()).targets - 1) < NEAR
    assert GRID.guessing["adding_100"] == pytest.approx(100 * near_mean.mean(), abs=0.3)


def test_a_sum_is_right_if_it_is_near() -> None:
    task = Adding(SequenceModel("elman", 0, 1, width=8, num_layers=1))
    inputs = adding(6, 3, draw()).inputs
    params = jax.jit(task.model.init)(jax.random.key(0), inputs)["params"]
    found = np.asarray(jax.jit(task.model.apply)({"params": params}, inputs))[:, -1, 0]
    off = np.array([0.0, 0.9 * NEAR, 1.1 * NEAR], np.float32)
    loss, (_, metrics) = task.loss(params, (), Batch(inputs, found + off), jax.random.key(0))
    assert (metrics["score"], metrics["num_targets"]) == (2, 3)
    np.testing.assert_allclose(loss, np.square(off).mean(), rtol=1e-3)


@pytest.mark.parametrize("name", ["recall_4", "copying_100", "adding_100"])
def test_a_run_is_a_function_of_its_seed(name: str) -> None:
    settings = Settings(num_steps=2, batch_size=64, width=8, num_layers=1)
    first, again = (learn("elman", name, 0, settings) for _ in range(2))
    assert first == again
    assert first["steps"] == 2
    assert 0 <= first["score"] <= 100


def test_every_task_makes_batches() -> None:
    for name, make in TASKS.items():
        batch = make(2, draw())
        assert batch.inputs.shape[:2][0] == 2, name
