"""Dropout keeps the expectation, shares masks where asked to, and follows its key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.layers.dropout import dropout


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.8])
def test_expectation_is_kept_and_the_rate_is_met(rate: float) -> None:
    """Over 4000 masks every element of x keeps its mean to within five standard errors."""
    x = jnp.float32(np.random.default_rng(0).normal(size=(5, 3)))
    keys = jax.random.split(jax.random.key(1), 4000)
    dropped = np.asarray(jax.vmap(lambda key: dropout(key, x, rate))(keys))
    is_kept, x = dropped != 0, np.asarray(x)
    np.testing.assert_allclose(dropped, np.where(is_kept, x / (1 - rate), 0), rtol=1e-6)
    error = 5 * np.sqrt(rate / (1 - rate) / 4000)
    np.testing.assert_array_less(
        np.abs(dropped.mean(axis=0) / x - 1), error + 1e-4
    )  # float32 means
    assert 1 - is_kept.mean() == pytest.approx(rate, abs=0.01)


def test_masks_are_shared_along_the_named_axes_only() -> None:
    x = jnp.ones((4, 30, 50))
    shared = np.asarray(dropout(jax.random.key(2), x, 0.5, shared_axes=(1,)))
    np.testing.assert_array_equal(shared, np.broadcast_to(shared[:, :1], x.shape))
    assert (shared[0] != shared[1]).any()
    own = np.asarray(dropout(jax.random.key(2), x, 0.5))
    assert (own[:, 0] != own[:, 1]).mean() == pytest.approx(0.5, abs=0.2)


def test_the_key_decides() -> None:
    x = jnp.float32(np.random.default_rng(0).normal(size=(20, 20)))
    first, again, other = (dropout(jax.random.key(seed), x, 0.5) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_nothing_flows_back_through_what_is_dropped() -> None:
    x = jnp.float32(np.random.default_rng(0).normal(size=(6, 6)))
    out, pull = jax.vjp(lambda x: dropout(jax.random.key(0), x, 0.25), x)
    np.testing.assert_allclose(pull(jnp.ones_like(out))[0], np.where(out == 0, 0, 1 / 0.75))
