"""Pooling against plain loops over the real steps; padding takes no part."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.layers.pooling import pool_attention, pool_last, pool_max, pool_mean

LENGTHS = np.array([5, 3, 1])
DRAW = np.random.default_rng(0)
STATES = DRAW.normal(size=(3, 5, 4)).astype(np.float32)
SCORES = DRAW.normal(size=(3, 5)).astype(np.float32)


def plain_last(states, scores):
    return states[-1], np.eye(len(states))[-1]


def plain_mean(states, scores):
    return sum(states) / len(states), np.full(len(states), 1 / len(states))


def plain_max(states, scores):
    vector, weights = [], np.zeros(len(states))
    for column in states.T:
        best = max(range(len(column)), key=lambda step: column[step])
        vector.append(column[best])
        weights[best] += 1 / states.shape[1]
    return np.array(vector), weights


def plain_attention(states, scores):
    powers = np.exp(scores)
    weights = powers / powers.sum()
    return sum(w * h for w, h in zip(weights, states, strict=True)), weights


POOLINGS = {
    "last": (lambda h, n, s: pool_last(h, n), plain_last),
    "mean": (lambda h, n, s: pool_mean(h, n), plain_mean),
    "max": (lambda h, n, s: pool_max(h, n), plain_max),
    "attention": (pool_attention, plain_attention),
}


@pytest.mark.parametrize("name", POOLINGS)
def test_equals_the_plain_loop_and_ignores_padding(name):
    pool, plain = POOLINGS[name]
    pooled = pool(jnp.asarray(STATES), jnp.asarray(LENGTHS), jnp.asarray(SCORES))
    for row, length in enumerate(LENGTHS):
        vector, weights = plain(STATES[row, :length], SCORES[row, :length])
        np.testing.assert_allclose(pooled.vector[row], vector, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(pooled.weights[row, :length], weights, rtol=1e-5)
        assert (pooled.weights[row, length:] == 0).all()
    other = STATES.copy()
    for row, length in enumerate(LENGTHS):
        other[row, length:] = 1e6
    again = pool(jnp.asarray(other), jnp.asarray(LENGTHS), jnp.asarray(SCORES))
    np.testing.assert_array_equal(pooled.vector, again.vector)


def test_both_ways_take_each_direction_s_own_last_state():
    pooled = pool_last(jnp.asarray(STATES), jnp.asarray(LENGTHS), bidirectional=True)
    for row, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(pooled.vector[row, :2], STATES[row, length - 1, :2])
        np.testing.assert_array_equal(pooled.vector[row, 2:], STATES[row, 0, 2:])
        wanted = np.zeros(5)
        wanted[length - 1] += 0.5
        wanted[0] += 0.5
        np.testing.assert_array_equal(pooled.weights[row], wanted)


@pytest.mark.parametrize("name", POOLINGS)
def test_no_gradient_flows_into_padding(name):
    pool = POOLINGS[name][0]
    direction = jnp.asarray(DRAW.normal(size=(3, 4)), jnp.float32)

    def projected(states):
        return (pool(states, jnp.asarray(LENGTHS), jnp.asarray(SCORES)).vector * direction).sum()

    gradient = jax.grad(projected)(jnp.asarray(STATES))
    for row, length in enumerate(LENGTHS):
        assert np.isfinite(gradient[row]).all()
        assert (gradient[row, length:] == 0).all()
        assert (gradient[row, :length] != 0).any()
