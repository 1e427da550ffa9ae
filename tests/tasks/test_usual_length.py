"""A chunk of random length moves the parameters by as much as its length is of the usual one."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny_run import read_metrics, saved_bits, tiny_config

from zoo.data.batching import Batch
from zoo.errors import UserError
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.special_tokens import END_ID
from zoo.tasks.language_modeling import LanguageModelLoss
from zoo.tasks.registry import build_workload
from zoo.training import state as training_state
from zoo.training.loop import train
from zoo.training.members import SumOfLosses, optimize_each
from zoo.training.state import create_state

pytestmark = pytest.mark.usefixtures("optax_dtypes")
train_step = jax.jit(training_state.train_step)

VOCABULARY_SIZE, ROWS, USUAL, RATE = 7, 3, 12, 0.1
MODEL = RecurrentLM(RecurrentLMConfig("gru", 4, hidden_sizes=(5,)), VOCABULARY_SIZE)


def start_params(seed=1):
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0), jnp.zeros((1, 1), int))["params"]
    draw = np.random.default_rng(seed).normal
    return jax.tree.map(lambda leaf: jnp.asarray(draw(size=leaf.shape), jnp.float32), shapes)


def start_carry(seed=2):
    draw = np.random.default_rng(seed).normal
    return jax.tree.map(
        lambda leaf: jnp.asarray(draw(size=leaf.shape), jnp.float32), MODEL.zero_carry(ROWS)
    )


def chunk(length, padding=0, seed=0, filler=END_ID):
    """A chunk of some length, with so many steps of padding behind it."""
    draw = np.random.default_rng(seed)
    arrays = draw.integers(3, VOCABULARY_SIZE, size=(2, ROWS, length)).astype(np.int32)
    inputs, targets = np.pad(arrays, ((0, 0), (0, 0), (0, padding)), constant_values=filler)
    return Batch(inputs, targets, np.full(ROWS, length, np.int32), np.zeros(ROWS, bool))


def step_on(batch, usual_length=USUAL, optimizer=None):
    task = LanguageModelLoss(MODEL, has_padding=True, usual_length=usual_length)
    optimizer = optimizer or optax.sgd(RATE)
    state = create_state(task, optimizer, start_params(), start_carry(), jax.random.key(3))
    return train_step(state, batch)


@jax.jit
def gradient_by_hand(params, batch):
    def loss(params):
        logits = MODEL.apply({"params": params}, batch.inputs, start_carry()).logits
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.targets)
        return losses.sum() / losses.size

    return jax.grad(loss)(params)


def assert_close(found, expected, rtol=2e-5):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6), found, expected
    )


@pytest.mark.parametrize("length", [1, 5, 12, 17])
@pytest.mark.parametrize("usual_length", [0, 12])
def test_the_rate_factor_is_the_length_over_the_usual_one(length, usual_length):
    task = LanguageModelLoss(MODEL, usual_length=usual_length)
    expected = length / 12 if usual_length else 1.0
    assert float(task.rate_factor(chunk(length, padding=3))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("length", "factor"), [(6, 0.5), (12, 1.0), (18, 1.5)])
def test_a_step_is_that_part_of_a_step_of_sgd(length, factor):
    params, batch = start_params(), chunk(length)
    optimizer = optax.sgd(RATE)
    updates, _ = optimizer.update(gradient_by_hand(params, batch), optimizer.init(params))
    expected = jax.tree.map(lambda old, update: old + factor * update, params, updates)
    state, metrics = step_on(batch)
    assert_close(state.params, expected)
    moved = [np.abs(np.asarray(leaf)).max() for leaf in jax.tree.leaves(updates)]
    assert min(moved) > 1e-4
    assert metrics["num_tokens"] == ROWS * length


def test_half_the_usual_length_is_half_the_step_to_the_bit():
    """The parameters start at zero, so that no addition rounds what is added."""

    def moved(usual_length):
        task = LanguageModelLoss(MODEL, has_padding=True, usual_length=usual_length)
        zeros = jax.tree.map(jnp.zeros_like, start_params())
        state = create_state(task, optax.sgd(RATE), zeros, start_carry(), jax.random.key(3))
        return jax.tree.map(np.asarray, train_step(state, chunk(6))[0].params)

    half, full = moved(12), moved(6)
    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(lambda a: 2 * a, half), full)
    assert any(leaf.any() for leaf in jax.tree.leaves(full))


def test_the_optimizer_s_moments_do_not_see_the_length():
    """The learning rate follows the length; the gradient does not."""
    usual = step_on(chunk(6), 6, optax.adam(RATE))[0]
    half = step_on(chunk(6), 12, optax.adam(RATE))[0]
    jax.tree.map(np.testing.assert_array_equal, half.optimizer_state, usual.optimizer_state)
    start = start_params()
    moves = [jax.tree.map(lambda a, b: a - b, s.params, start) for s in (half, usual)]
    assert_close(jax.tree.map(lambda a: 2 * a, moves[0]), moves[1], rtol=1e-3)


@pytest.mark.parametrize("filler", [END_ID, 5])
def test_padding_changes_neither_the_step_nor_the_carry(filler):
    state, metrics = step_on(chunk(6))
    padded, padded_metrics = step_on(chunk(6, padding=4, filler=filler))
    assert_close(padded.params, state.params)
    assert_close(padded.carry, state.carry)
    assert_close(padded_metrics, metrics)
    whole = jax.jit(MODEL.apply)({"params": start_params()}, chunk(6).inputs, start_carry())
    assert_close(padded.carry, whole.carry)


@pytest.mark.parametrize("has_padding", [False, True])
def test_the_model_is_told_the_lengths_where_there_is_padding(has_padding):
    """Whoever says that there is none has the model read every step to the last."""
    task, padded = LanguageModelLoss(MODEL, has_padding=has_padding), chunk(6, padding=4, filler=5)
    loss = jax.jit(task.loss)
    mean, (carry, metrics) = loss(start_params(), start_carry(), padded, jax.random.key(0))
    read = padded.inputs[:, :6] if has_padding else padded.inputs
    assert_close(carry, jax.jit(MODEL.apply)({"params": start_params()}, read, start_carry()).carry)
    expected, (short_carry, _) = loss(start_params(), start_carry(), chunk(6), jax.random.key(0))
    assert float(mean) == pytest.approx(float(expected), rel=1e-5)  # padding is never scored
    assert metrics["num_tokens"] == ROWS * 6
    moved = [
        np.abs(a - b).max()
        for a, b in zip(jax.tree.leaves(carry), jax.tree.leaves(short_carry), strict=True)
    ]
    assert (max(moved) < 1e-5) == has_padding


def test_members_move_by_the_lengths_of_their_own_chunks():
    task = LanguageModelLoss(MODEL, has_padding=True, usual_length=USUAL)
    chunks = [chunk(6, padding=9, seed=4), chunk(15, seed=5)]
    keys = jax.random.split(jax.random.key(3), 2)
    alone = [
        train_step(
            create_state(task, optax.sgd(rate), start_params(n), start_carry(n), keys[n]), batch
        )[0]
        for n, (rate, batch) in enumerate(zip((RATE, 2 * RATE), chunks, strict=True))
    ]

    def stack(*trees):
        return jax.tree.map(lambda *arrays: jnp.stack(arrays), *trees)

    together = create_state(
        SumOfLosses(task),
        optimize_each(optax.sgd(RATE), (1.0, 2.0)),
        stack(start_params(0), start_params(1)),
        stack(start_carry(0), start_carry(1)),
        keys,
        num_members=2,
    )
    factors = together.objective.rate_factor(stack(*chunks))
    np.testing.assert_allclose(factors, [0.5, 1.25], rtol=1e-6)
    after, _ = train_step(together, stack(*chunks))
    assert_close(after.params, stack(*(state.params for state in alone)))
    assert_close(after.carry, stack(*(state.carry for state in alone)))


@pytest.mark.parametrize(
    ("settings", "has_padding"),
    [
        ({}, False),
        ({"data__random_offset": True}, False),
        ({"data__random_length": True}, True),
        ({"data__batching": "sentence"}, True),
    ],
)
def test_sentences_and_chunks_of_random_length_have_padding(corpus, settings, has_padding):
    workload = build_workload(tiny_config(corpus, **settings))
    assert workload.objective.has_padding == has_padding
    batches = [workload.batches.batch(0, index) for index in range(5)]
    assert any((b.lengths < b.inputs.shape[1]).any() for b in batches) == has_padding


def test_the_config_says_whether_and_what_is_usual(corpus):
    for random_length, usual in ((True, 8), (False, 0)):
        workload = build_workload(tiny_config(corpus, data__random_length=random_length))
        assert workload.objective.usual_length == usual
        steps = {workload.batches.batch(0, i).inputs.shape[1] for i in range(20)}
        assert steps <= ({18, 14} if random_length else {8})
    with pytest.raises(
        UserError, match=r"streams; use data\.batching=stream, or data\.random_length=False$"
    ):
        build_workload(tiny_config(corpus, data__random_length=True, data__batching="sentence"))


def test_a_stopped_run_goes_on_with_the_same_chunks(corpus, tmp_path):
    settings = {"data__random_offset": True, "optimizer__name": "sgd", "training__seed": 2}
    config = tiny_config(corpus, data__random_length=True, **settings)

    def stop(line):
        if line.startswith("step 8/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, str(tmp_path / "cut"), log=stop)
    train(config, str(tmp_path / "cut"), log=lambda line: None)
    train(config, str(tmp_path / "whole"), log=lambda line: None)
    cut, whole = (tmp_path / name for name in ("cut", "whole"))
    assert read_metrics(cut) == read_metrics(whole)
    assert saved_bits(cut, 12) == saved_bits(whole, 12)
