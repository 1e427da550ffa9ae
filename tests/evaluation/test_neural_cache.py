"""The neural cache agrees with a double loop over steps, written from Grave et al. 2017."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.evaluation.neural_cache import EMPTY, Memory, NeuralCache, empty_memory, look_up, mix_in

WINDOW = 4
WIDTH = 6
WORDS = 5
look_up_window = jax.jit(look_up)
FLATNESS = (0.0, 0.3, 1.0, 8.0)  # of the last, float32 could not hold the exponentials


def random_text(num_steps, seed=0):
    """h_t, x_{t+1}, and log p_model of each x_{t+1}."""
    generator = np.random.default_rng(seed)
    states = generator.normal(size=(num_steps, WIDTH)).astype(np.float32)
    targets = generator.integers(0, WORDS, num_steps).astype(np.int32)
    return states, targets, np.log(generator.uniform(0.01, 1, num_steps))


def cache_by_a_loop(states, targets, size, theta):
    """p_cache of each target; None before there is a cache."""
    result = []
    for t in range(len(targets)):
        same = every = 0.0
        for i in range(t):
            if i < t - size:
                continue
            likeness = math.exp(theta * float(states[t].astype(float) @ states[i].astype(float)))
            every += likeness
            if targets[i] == targets[t]:
                same += likeness
        result.append(same / every if t else None)
    return result


def mixed_by_a_loop(model, cache, weight):
    """p of each target."""
    return [
        math.exp(nats) if p is None else (1 - weight) * math.exp(nats) + weight * p
        for nats, p in zip(model, cache, strict=True)
    ]


def look_up_all(states, targets, size, flatness, window=WINDOW):
    """log p_cache [F, N], window by window."""
    memory = empty_memory(size, states.shape[1])
    parts = []
    for start in range(0, len(targets), window):
        part = slice(start, start + window)
        found, memory = look_up_window(
            memory, jnp.asarray(states[part]), jnp.asarray(targets[part]), jnp.array(flatness)
        )
        parts.append(np.asarray(found, np.float64))
    return np.concatenate(parts, axis=1), memory


@pytest.mark.parametrize("size", [1, 3, WINDOW, 6, 9, 100])
def test_the_mixture_is_that_of_a_double_loop(size):
    states, targets, model = random_text(5 * WINDOW)
    found, _ = look_up_all(states, targets, size, FLATNESS)
    assert found.shape == (len(FLATNESS), len(targets))
    for row, theta in enumerate(FLATNESS):
        cache = cache_by_a_loop(states, targets, size, theta)
        assert np.isnan(found[row]).tolist() == [p is None for p in cache]
        np.testing.assert_allclose(np.exp(found[row][1:]), cache[1:], rtol=1e-4, atol=1e-7)
        for weight in (0.1, 0.6):
            np.testing.assert_allclose(
                np.exp(mix_in(model, found[row], weight)),
                mixed_by_a_loop(model, cache, weight),
                rtol=1e-4,
            )


def test_how_a_text_is_cut_into_windows_changes_nothing():
    states, targets, _ = random_text(12)
    whole, last = look_up_all(states, targets, 5, FLATNESS, window=12)
    for window in (2, 6):
        found, memory = look_up_all(states, targets, 5, FLATNESS, window=window)
        np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(memory.states, last.states)
        np.testing.assert_array_equal(memory.tokens, last.tokens)


def test_the_memory_holds_the_last_steps_oldest_first():
    states, targets, _ = random_text(2 * WINDOW)
    _, memory = look_up_all(states, targets, 3, (0.3,))
    np.testing.assert_array_equal(memory.states, states[-3:])
    np.testing.assert_array_equal(memory.tokens, targets[-3:])
    _, memory = look_up_all(states[:WINDOW], targets[:WINDOW], 6, (0.3,))
    assert memory.tokens.tolist() == [EMPTY, EMPTY, *targets[:WINDOW].tolist()]
    np.testing.assert_array_equal(memory.states[2:], states[:WINDOW])


def test_theta_zero_is_the_frequency_of_a_word_among_the_last():
    states, _, _ = random_text(6)
    found, _ = look_up_all(states, np.array([3, 3, 1, 3, 1, 4], np.int32), 4, (0.0,))
    expected = [np.nan, 1, 0, 2 / 3, 1 / 4, 0]
    np.testing.assert_allclose(np.exp(found[0]), expected, rtol=1e-5)


def test_p_cache_of_all_words_sums_to_one():
    states, targets, _ = random_text(WINDOW + 1)
    _, memory = look_up_all(states[:WINDOW], targets[:WINDOW], 3, FLATNESS)
    total = 0
    for word in range(WORDS):
        found, _ = look_up_window(
            memory, jnp.asarray(states[WINDOW:]), jnp.array([word]), jnp.array(FLATNESS)
        )
        total = total + np.exp(np.asarray(found, np.float64))
    np.testing.assert_allclose(total, 1, rtol=1e-4)


def test_before_anything_is_read_the_model_stands_alone():
    states, targets, model = random_text(1)
    found, memory = look_up_all(states, targets, 4, FLATNESS)
    assert np.isnan(found).all()
    for row in found:
        np.testing.assert_array_equal(mix_in(model, row, 0.4), model)
    assert memory.tokens.tolist() == [EMPTY] * 3 + targets.tolist()


def test_padding_is_neither_remembered_nor_counted():
    """Steps that are padding, whatever their states, give what a text without them gives."""
    states, targets, _ = random_text(7, seed=1)
    expected, _ = look_up_all(states, targets, 20, FLATNESS, window=7)
    padded = np.concatenate([states[:3], 5 * np.ones((2, WIDTH), np.float32), states[3:]])
    known = np.concatenate([targets[:3], [EMPTY] * 2, targets[3:]]).astype(np.int32)
    for window in (3, 9):
        found, _ = look_up_all(padded, known, 20, FLATNESS, window=window)
        real = np.delete(found, [3, 4], axis=1)
        np.testing.assert_allclose(real, expected, rtol=1e-4, atol=1e-6)
        assert not np.isfinite(found[:, 3:5]).any()


def test_a_memory_of_padding_alone_is_empty():
    states, targets, model = random_text(1)
    memory = Memory(jnp.ones((3, WIDTH)), jnp.full(3, EMPTY, jnp.int32))
    found, _ = look_up(memory, jnp.asarray(states), jnp.asarray(targets), jnp.array([0.5]))
    np.testing.assert_array_equal(mix_in(model, np.asarray(found[0]), 0.5), model)


def test_weight_zero_gives_the_model():
    states, targets, model = random_text(3 * WINDOW)
    found, _ = look_up_all(states, targets, 5, (0.3,))
    assert np.isneginf(found).any(), "the case has no target that the cache does not know"
    np.testing.assert_allclose(mix_in(model, found[0], 0.0), model, rtol=1e-12)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"size": 0}, "size of the cache is 0; use 1 to 1000000, such as --cache=500"),
        ({"weight": -0.1}, "cache_weight is -0.1; use 0 to below 1"),
        ({"weight": 1.0}, "cache_weight is 1.0; use 0 to below 1"),
        ({"weight": float("nan")}, "cache_weight is nan"),
        ({"flatness": -1.0}, "cache_flatness is -1.0; use 0 or more"),
        ({"flatness": float("inf")}, "cache_flatness is inf"),
    ],
)
def test_settings_that_cannot_be_are_told(setting, message):
    with pytest.raises(UserError, match=message) as told:
        dataclasses.replace(NeuralCache(), **setting)
    assert "\n" not in str(told.value)
