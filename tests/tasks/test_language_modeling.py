"""The loss of a language model is a plain mean over real tokens, whatever stands around them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.data.batching import Batch, shift_targets
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.special_tokens import END_ID, START_ID
from zoo.tasks.language_modeling import LanguageModelLoss

VOCABULARY_SIZE = 9
MODEL = RecurrentLM(
    RecurrentLMConfig("elman", embedding_size=4, hidden_sizes=(5,), learn_initial_state=True),
    VOCABULARY_SIZE,
)
KEY = jax.random.key(0)
apply = jax.jit(MODEL.apply)
gradients = jax.jit(
    jax.value_and_grad(
        lambda params, task, carry, batch: task.loss(params, carry, batch, KEY), has_aux=True
    ),
    static_argnums=1,
)


@pytest.fixture(scope="module")
def params():
    start = jax.jit(MODEL.init)(KEY, jnp.zeros((1, 1), jnp.int32))["params"]
    rng = np.random.default_rng(1)  # the initial state, too, is to be something
    return jax.tree.map(
        lambda array: jnp.asarray(0.5 * rng.normal(size=array.shape), jnp.float32), start
    )


def random_carry(rows, seed=5):
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda array: jnp.asarray(rng.normal(size=array.shape), jnp.float32),
        MODEL.zero_carry(rows),
    )


def random_batch(rows=3, steps=6, lengths=None, fresh=None, seed=0):
    """Ordinary tokens, padded with `</s>` from each length on."""
    rng = np.random.default_rng(seed)
    inputs, targets = rng.integers(3, VOCABULARY_SIZE, size=(2, rows, steps)).astype(np.int32)
    lengths = np.full(rows, steps) if lengths is None else np.asarray(lengths)
    padding = np.arange(steps) >= lengths[:, None]
    inputs[padding] = targets[padding] = END_ID
    fresh = np.zeros(rows, bool) if fresh is None else np.asarray(fresh)
    return Batch(inputs, targets, lengths.astype(np.int32), fresh)


def stream(*sentences):
    """The stream of some sentences in one row."""
    targets = np.array([[token for line in sentences for token in (*line, END_ID)]], np.int32)
    lengths = np.array([targets.shape[1]], np.int32)
    return Batch(shift_targets(targets), targets, lengths, np.array([False]))


SENTENCES = ((3, 4, 5), (6,), (), (7, 8, 3, 3))


def numpy_loss(logits, batch):
    """The sum over real tokens, one by one."""
    total = 0.0
    for row in range(len(batch.lengths)):
        for step in range(batch.lengths[row]):
            scores = logits[row, step].astype(np.float64)
            probabilities = np.exp(scores - scores.max())
            probabilities /= probabilities.sum()
            total -= math.log(probabilities[batch.targets[row, step]])
    return total


def test_the_loss_is_the_mean_over_real_tokens_and_the_metrics_are_its_sums(params):
    batch, carry = random_batch(lengths=[6, 2, 4]), random_carry(3)
    (loss, (_, metrics)), _ = gradients(params, LanguageModelLoss(MODEL), carry, batch)
    output = apply({"params": params}, batch.inputs, carry)
    expected = numpy_loss(np.asarray(output.logits), batch)
    assert float(metrics["loss_nats"]) == pytest.approx(expected, rel=1e-5)
    assert metrics["num_tokens"] == 6 + 2 + 4
    assert float(loss) == pytest.approx(expected / 12, rel=1e-5)


@pytest.mark.parametrize("reset", [False, True])
def test_padding_and_what_stands_in_it_change_nothing(params, reset):
    task, carry = LanguageModelLoss(MODEL, reset), random_carry(3)
    short = random_batch(steps=4, lengths=[4, 1, 3])
    padded = [np.pad(array, ((0, 0), (0, 3)), constant_values=8) for array in short[:2]]
    padded[0][:, -2] = START_ID
    for array in padded:
        array[1, 1:] = 7
    (loss, (_, metrics)), grads = gradients(params, task, carry, short)
    long = Batch(*padded, short.lengths, short.fresh)
    (long_loss, (_, long_metrics)), long_grads = gradients(params, task, carry, long)
    assert float(long_loss) == pytest.approx(float(loss), rel=1e-6)
    assert long_metrics["num_tokens"] == metrics["num_tokens"] == 8
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), long_grads, grads
    )


def test_the_state_is_carried_over_sentences(params):
    task, batch, carry = LanguageModelLoss(MODEL), stream(*SENTENCES), random_carry(1)
    (loss, (after, _)), _ = gradients(params, task, carry, batch)
    half = [
        jax.tree.map(lambda a: a[:, :5], batch[:2]),
        jax.tree.map(lambda a: a[:, 5:], batch[:2]),
    ]
    total, state = 0.0, carry
    for inputs, targets in half:
        part = Batch(inputs, targets, np.array([inputs.shape[1]], np.int32), np.array([False]))
        (_, (state, metrics)), _ = gradients(params, task, state, part)
        total += float(metrics["loss_nats"])
    assert float(loss) == pytest.approx(total / batch.lengths[0], rel=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), state, after)


def test_reset_at_sentences_scores_every_sentence_as_if_it_came_alone(params):
    task, batch, carry = LanguageModelLoss(MODEL, True), stream(*SENTENCES), random_carry(1)
    (loss, _), _ = gradients(params, task, carry, batch)
    total = 0.0
    for sentence in SENTENCES:
        alone = stream(sentence)
        output = apply({"params": params}, alone.inputs)  # from the trained initial state
        total += numpy_loss(np.asarray(output.logits), alone)
    assert float(loss) == pytest.approx(total / batch.lengths[0], rel=1e-5)
    (carried, _), _ = gradients(params, LanguageModelLoss(MODEL), carry, batch)
    assert abs(float(carried - loss)) > 1e-3


@pytest.mark.parametrize("reset", [False, True])
def test_fresh_rows_start_at_the_initial_state_and_the_others_where_they_were(params, reset):
    task, carry = LanguageModelLoss(MODEL, reset), random_carry(2)
    batch = random_batch(rows=2, fresh=[True, False])
    (_, (after, metrics)), _ = gradients(params, task, carry, batch)
    variables = {"params": params}
    from_start = apply(variables, batch.inputs[:1])
    from_carry = apply(variables, batch.inputs[1:], jax.tree.map(lambda a: a[1:], carry))
    logits = np.concatenate([from_start.logits, from_carry.logits])
    assert float(metrics["loss_nats"]) == pytest.approx(numpy_loss(logits, batch), rel=1e-5)
    for layer, first, second in zip(after, from_start.carry, from_carry.carry, strict=True):
        for found, *expected in zip(layer, first, second, strict=True):
            np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-4)


def test_no_gradient_goes_into_the_batch_before(params):
    def total(carry, batch):
        return LanguageModelLoss(MODEL).loss(params, carry, batch, KEY)[0]

    gradient = jax.jit(jax.grad(total))
    carry, fresh = random_carry(3), random_batch(fresh=[True] * 3)
    assert any(np.asarray(g).any() for g in jax.tree.leaves(gradient(carry, random_batch())))
    assert not any(np.asarray(g).any() for g in jax.tree.leaves(gradient(carry, fresh)))


def test_dropout_follows_the_key_alone(params):
    config = RecurrentLMConfig("elman", 4, (5,), learn_initial_state=True, output_dropout_rate=0.5)
    task = LanguageModelLoss(RecurrentLM(config, VOCABULARY_SIZE))
    loss = jax.jit(lambda key: task.loss(params, random_carry(3), random_batch(), key)[0])
    losses = [float(loss(jax.random.key(seed))) for seed in (0, 0, 1, 2)]
    assert losses[0] == losses[1]
    assert len(set(losses)) == 3


def test_equal_tasks_are_one_part_of_one_compiled_program():
    assert hash(LanguageModelLoss(MODEL)) == hash(LanguageModelLoss(MODEL))
    assert LanguageModelLoss(MODEL) != LanguageModelLoss(MODEL, True)
