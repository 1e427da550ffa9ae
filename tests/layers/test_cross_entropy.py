"""Cross-entropy: values by hand, and the written gradient beside autodiff's."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.layers.cross_entropy import token_losses


def test_token_losses_are_negative_log_probabilities_also_of_huge_logits():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 5)).astype(np.float32)
    targets = rng.integers(5, size=(2, 3)).astype(np.int32)
    losses = np.asarray(token_losses(jnp.asarray(logits), jnp.asarray(targets)))
    for row in range(2):
        for step in range(3):
            scores = np.exp(logits[row, step].astype(np.float64))
            expected = -math.log(scores[targets[row, step]] / scores.sum())
            assert losses[row, step] == pytest.approx(expected, rel=1e-5)
    shifted = token_losses(jnp.asarray(logits + 1e4), jnp.asarray(targets))
    np.testing.assert_allclose(shifted, losses, atol=2e-3)


@pytest.mark.usefixtures("float64")
def test_the_gradient_is_that_of_the_plain_formula_for_any_weight_of_the_losses():
    rng = np.random.default_rng(1)
    logits, weights = rng.normal(size=(2, 3, 5)) * 3, rng.normal(size=(2, 3))
    targets = rng.integers(5, size=(2, 3)).astype(np.int32)

    def plain(logits):
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[:, :, None], axis=2)
        return -(picked[:, :, 0] * weights).sum()

    def ours(logits):
        return (token_losses(logits, targets) * weights).sum()

    wanted, got = jax.grad(plain)(logits), jax.grad(ours)(logits)
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-14)
    assert abs(np.asarray(got)).max() > 0.1
