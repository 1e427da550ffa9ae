"""One train step is SGD as it is written by hand, and many in a call are the same steps."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny_regression import START, Regression, points
from tiny_run import array_bits

from zoo.data.batching import Batch
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.tasks.language_modeling import LanguageModelLoss
from zoo.training import state as training_state
from zoo.training.state import create_state, train_steps

pytestmark = pytest.mark.usefixtures("optax_dtypes")
train_step = jax.jit(training_state.train_step)  # eager, a step takes seconds


def regression(optimizer=None, noise=0.0, key=0):
    return create_state(
        Regression(noise),
        optimizer or optax.sgd(0.1),
        {"weight": jnp.asarray(START)},
        jnp.zeros(()),
        jax.random.key(key),
    )


VOCABULARY_SIZE, ROWS, STEPS = 7, 3, 4
MODEL = RecurrentLM(RecurrentLMConfig("elman", 8, hidden_sizes=(16,)), VOCABULARY_SIZE)
OPTIMIZER = optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1, momentum=0.9))


def language_model():
    params = jax.jit(MODEL.init)(jax.random.key(1), jnp.zeros((1, 1), jnp.int32))["params"]
    task, carry = LanguageModelLoss(MODEL), MODEL.zero_carry(ROWS)
    return create_state(task, OPTIMIZER, params, carry, jax.random.key(2))


def tokens(seed, fresh=False):
    rng = np.random.default_rng(seed)
    inputs, targets = rng.integers(VOCABULARY_SIZE, size=(2, ROWS, STEPS)).astype(np.int32)
    return Batch(inputs, targets, np.full(ROWS, STEPS, np.int32), np.full(ROWS, fresh))


def stack(batches):
    return jax.tree.map(lambda *arrays: np.stack(arrays), *batches)


def copy(tree):
    """Buffers of its own, since train_steps reuses those that it is given."""
    return jax.tree.map(lambda array: array.copy(), tree)


def test_a_step_is_gradient_descent_as_written_by_hand():
    state, weight = regression(), np.asarray(regression().params["weight"], np.float64)
    for step in range(3):
        batch = points(step)
        state, metrics = train_step(state, batch)
        residual = batch.x @ weight - batch.y
        gradient = 2 * batch.x.T @ residual / len(residual)
        weight = weight - 0.1 * gradient
        np.testing.assert_allclose(state.params["weight"], weight, rtol=1e-5, atol=2e-7)
        np.testing.assert_allclose(metrics["loss_nats"], residual @ residual, rtol=1e-5)
        np.testing.assert_allclose(metrics["gradient_norm"], np.linalg.norm(gradient), rtol=1e-5)
        assert metrics["num_tokens"] == len(residual)
        assert (int(state.step), float(state.carry)) == (step + 1, step + 1)


def test_gradient_norm_is_that_before_clipping():
    state = regression(optax.chain(optax.clip_by_global_norm(1e-3), optax.sgd(1.0)))
    after, metrics = train_step(state, points(0))
    _, plain = train_step(regression(), points(0))
    assert metrics["gradient_norm"] == plain["gradient_norm"] > 0.1
    moved = np.linalg.norm(np.asarray(after.params["weight"] - state.params["weight"]))
    assert moved == pytest.approx(1e-3, rel=1e-3)


def test_learning_rate_scale_multiplies_every_update():
    state = regression()
    full, _ = train_step(state, points(0))
    quarter, _ = train_step(state.replace(learning_rate_scale=jnp.float32(0.25)), points(0))
    move = [np.asarray(s.params["weight"] - state.params["weight"]) for s in (full, quarter)]
    np.testing.assert_allclose(4 * move[1], move[0], rtol=1e-5)
    assert quarter.learning_rate_scale == 0.25


def test_the_same_state_and_batch_give_the_same_bits_and_the_state_stays():
    state = language_model()
    before = array_bits(state)
    first, second = (train_step(state, tokens(0)) for _ in range(2))
    assert array_bits(first) == array_bits(second)
    assert array_bits(state) == before
    assert array_bits(first[0].params) != array_bits(state.params)


def test_the_step_and_the_key_of_the_run_choose_the_random_numbers():
    def loss(step, key):
        state = regression(noise=1.0, key=key).replace(step=jnp.int32(step))
        return float(train_step(state, points(0))[1]["loss_nats"])

    assert loss(0, 0) == loss(0, 0)
    assert len({loss(0, 0), loss(1, 0), loss(2, 0), loss(0, 1)}) == 4


def test_the_carry_goes_from_batch_to_batch_and_fresh_rows_drop_it():
    state = language_model()
    carry = train_step(state, tokens(0))[0].carry
    params = {"params": state.params}
    apply = jax.jit(MODEL.apply)
    expected = apply(params, tokens(0).inputs, None)
    np.testing.assert_allclose(carry[0][0], expected.carry[0][0], rtol=1e-5)

    goes_on = state.replace(carry=carry)
    fresh = np.array([False, True, False])
    after = train_step(goes_on, tokens(1)._replace(fresh=fresh))[0].carry[0][0]
    carried = apply(params, tokens(1).inputs, carry).carry[0][0]
    dropped = apply(params, tokens(1).inputs, None).carry[0][0]
    np.testing.assert_allclose(after, np.where(fresh[:, None], dropped, carried), rtol=1e-5)
    assert np.abs(np.asarray(carried - dropped)).min(axis=1).max() > 1e-4


def run_in_calls(state, batches, cuts, capacity):
    history = []
    for start, stop in zip([0, *cuts], [*cuts, len(batches)], strict=True):
        part = batches[start:stop]
        padded = stack(part + [tokens(1000)] * (capacity - len(part)))
        state, metrics = train_steps(state, padded, len(part))
        for name, values in metrics.items():
            assert not np.asarray(values)[len(part) :].any(), f"{name} beyond count"
        history += [{k: float(v[i]) for k, v in metrics.items()} for i in range(len(part))]
    return state, history


def test_how_steps_are_cut_into_calls_changes_no_bit():
    batches = [tokens(seed, fresh=seed == 5) for seed in range(10)]
    cuts = {"at once": ([], 10), "3 and 7": ([3], 8), "one by one": (list(range(1, 10)), 8)}
    results = {name: run_in_calls(language_model(), batches, *cut) for name, cut in cuts.items()}
    state, history = results["at once"]
    assert len({tuple(record.items()) for record in history}) == 10
    for other_state, other_history in results.values():
        assert array_bits(other_state) == array_bits(state)
        assert other_history == history


def test_many_steps_in_a_call_are_the_single_steps():
    batches = [tokens(seed) for seed in range(10)]
    state, history = run_in_calls(language_model(), batches, [], 10)
    single = language_model()
    for batch, expected in zip(batches, history, strict=True):
        single, metrics = train_step(single, batch)
        assert {name: float(value) for name, value in metrics.items()} == expected
    assert array_bits(state) == array_bits(single)


def test_another_count_compiles_nothing():
    state, batches = regression(), stack([points(seed) for seed in range(4)])
    state, _ = train_steps(state, batches, 4)
    compiled = train_steps._cache_size()
    for count in (1, 3, 0):
        before = array_bits(copy(state).params)
        state, _ = train_steps(state, batches, count)
        assert (array_bits(state.params) != before) == (count > 0)
    assert train_steps._cache_size() == compiled
    assert int(state.step) == 8


def test_one_batch_is_overfitted():
    batch = tokens(0, fresh=True)
    batch.inputs[:, 0] = range(ROWS)  # so that no two rows begin alike and end differently
    state, batches = language_model(), stack([batch] * 10)
    losses = []
    for _ in range(25):
        state, metrics = train_steps(state, batches, 10)
        losses += (metrics["loss_nats"] / metrics["num_tokens"]).tolist()
    assert losses[0] > 0.8 * np.log(VOCABULARY_SIZE)
    assert losses[-1] < 0.02


def test_parts_of_a_batch_weigh_as_many_targets_as_they_have_and_draw_for_themselves():
    config = RecurrentLMConfig("elman", 8, hidden_sizes=(16,), output_dropout_rate=0.5)
    model = RecurrentLM(config, VOCABULARY_SIZE)
    task, carry = LanguageModelLoss(model, has_padding=True), model.zero_carry(4)
    params = jax.jit(model.init)(jax.random.key(1), jnp.zeros((1, 1), jnp.int32))["params"]
    inputs = np.random.default_rng(0).integers(VOCABULARY_SIZE, size=(4, STEPS)).astype(np.int32)
    batch = Batch(inputs, inputs[::-1], np.array([1, 4, 1, 3], np.int32), np.ones(4, bool))
    key = jax.random.key(2)
    state = create_state(task, optax.sgd(1.0), params, carry, key, num_microbatches=2)
    after, metrics = train_step(state, batch)
    gradient, sums, nats = jax.jit(jax.grad(task.loss, has_aux=True)), None, 0.0
    for part, count in enumerate((2, 7)):
        rows = jax.tree.map(lambda array, at=part: array[at::2], (carry, batch))
        own = jax.random.fold_in(jax.random.fold_in(key, 0), part)
        grads, (_, found) = gradient(params, *rows, own)
        assert found["num_targets"] == count
        nats += float(found["loss_nats"])
        grads = jax.tree.map(lambda grad, share=count / 9: share * grad, grads)
        sums = grads if sums is None else jax.tree.map(jnp.add, sums, grads)
    assert float(metrics["loss_nats"]) == pytest.approx(nats, rel=1e-5)
    expected = jax.tree.map(jnp.subtract, params, sums)
    for one, other in zip(*map(jax.tree.leaves, (after.params, expected)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
