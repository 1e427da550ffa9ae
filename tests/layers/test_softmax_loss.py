"""The softmax's loss and gradient in one pass, beside autodiff of the plain formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.layers.fast import softmax_loss
from zoo.layers.fast.softmax_loss import SoftmaxInputs, softmax_losses

B, T, H, V = 3, 7, 4, 11


def example(seed=0):
    rng = np.random.default_rng(seed)
    hidden, kernel, bias = rng.normal(size=(B, T, H)), rng.normal(size=(H, V)), rng.normal(size=V)
    targets = rng.integers(V, size=(B, T)).astype(np.int32)
    weights = rng.uniform(size=(B, T)) * (rng.uniform(size=(B, T)) < 0.8)
    return [jnp.asarray(array) for array in (hidden, kernel, bias, targets, weights)]


def plain(hidden, kernel, bias, targets, weights, smoothing):
    log_probs = jax.nn.log_softmax(hidden @ kernel + bias[None, None])
    nats = -jnp.take_along_axis(log_probs, targets[..., None], axis=2)[..., 0]
    smooth = -log_probs.mean(axis=-1)
    return (weights * ((1 - smoothing) * nats + smoothing * smooth)).sum(), nats


def ours(hidden, kernel, bias, targets, weights, smoothing, dtype=None):
    inputs = SoftmaxInputs(hidden, kernel, bias, dtype)
    return softmax_losses(inputs, targets, weights, smoothing)


@pytest.fixture(params=[1, 2, 3, 7])
def num_parts(request, monkeypatch):
    """Parts that divide the steps, and parts that don't."""
    monkeypatch.setattr(softmax_loss, "count_parts", lambda inputs: request.param)
    return request.param


@pytest.mark.usefixtures("float64", "num_parts")
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_and_gradients_are_those_of_the_plain_formula(smoothing):
    hidden, kernel, bias, targets, weights = example()
    for function in (plain, ours):
        total, nats = function(hidden, kernel, bias, targets, weights, smoothing)
        gradient = jax.grad(
            lambda *params, f=function: 3 * f(*params, targets, weights, smoothing)[0],
            argnums=(0, 1, 2),
        )
        grads = jax.jit(gradient)(hidden, kernel, bias)
        if function is plain:
            expected = (total, nats, *grads)
            continue
        for found, wanted in zip((total, nats, *grads), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_huge_logits_overflow_nothing():
    hidden, kernel, bias, targets, weights = (a.astype(jnp.float32) for a in example())
    targets = targets.astype(jnp.int32)
    total, nats = ours(hidden, kernel, bias + 1e4, targets, weights, 0.0)
    np.testing.assert_allclose(nats, plain(hidden, kernel, bias, targets, weights, 0)[1], atol=5e-3)
    assert np.isfinite(total)


def test_the_single_losses_have_no_gradient():
    hidden, kernel, bias, targets, weights = example()
    grad = jax.grad(lambda hidden: ours(hidden, kernel, bias, targets, weights, 0.0)[1].sum())
    assert not np.asarray(grad(hidden)).any()


def test_products_may_be_rounded():
    hidden, kernel, bias, targets, weights = (a.astype(jnp.float32) for a in example())
    targets = targets.astype(jnp.int32)
    exact, rounded = (
        ours(hidden, kernel, bias, targets, weights, 0.0, dtype)[0] for dtype in (None, "bfloat16")
    )
    assert exact != rounded
    assert float(exact) == pytest.approx(float(rounded), rel=0.02)


@pytest.mark.parametrize(
    ("batch", "steps", "vocabulary", "expected"),
    [(20, 35, 10_000, 1), (64, 512, 1_000_000, 512), (8, 1024, 65_536, 16), (1, 3, 100_000_000, 3)],
)
def test_the_number_of_parts(batch, steps, vocabulary, expected):
    shapes = SoftmaxInputs(
        jax.ShapeDtypeStruct((batch, steps, 8), "float32"), None, np.empty(vocabulary, bool)
    )
    assert softmax_loss.count_parts(shapes) == expected
