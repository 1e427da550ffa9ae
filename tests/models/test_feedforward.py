"""The two-layer network and the feed-forward language model against loops and by-hand gradients."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.models.feedforward import FeedForward, backpropagate, regularised_loss
from zoo.models.feedforward_lm import FeedForwardLM, FeedForwardLMConfig
from zoo.special_tokens import START_ID

N, D, H, C = 6, 2, 5, 3
RNG = np.random.default_rng(2)
INPUTS = RNG.normal(size=(N, D))
CLASSES = np.array([0, 1, 2, 1, 1, 0], np.int32)
PARAMS = {
    "hidden_kernel": RNG.normal(size=(D, H)),
    "hidden_bias": RNG.normal(size=H),
    "output_kernel": RNG.normal(size=(H, C)),
    "output_bias": RNG.normal(size=C),
}
ACTIVATIONS = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)


def plain_outputs(activation: str, x: np.ndarray) -> np.ndarray:
    """y = softmax(U g(W x + b) + d), written from the docstring."""
    hidden = ACTIVATIONS[activation](PARAMS["hidden_kernel"].T @ x + PARAMS["hidden_bias"])
    scores = np.exp(PARAMS["output_kernel"].T @ hidden + PARAMS["output_bias"])
    return scores / scores.sum()


def plain_loss(activation: str, l2: float) -> float:
    losses = [
        -np.log(plain_outputs(activation, x)[c]) for x, c in zip(INPUTS, CLASSES, strict=True)
    ]
    squares = sum((PARAMS[f"{name}_kernel"] ** 2).sum() for name in ("hidden", "output"))
    return float(np.mean(losses) + l2 / 2 * squares)


@partial(jax.jit, static_argnums=1)
def loss(params: Any, activation: str, l2: float) -> jax.Array:
    network = FeedForward(hidden_size=H, num_outputs=C, activation=activation)
    logits = network.apply({"params": params}, jnp.asarray(INPUTS))
    return regularised_loss(logits, jnp.asarray(CLASSES), params, l2)


@every_activation
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_the_loss_is_that_of_the_docstring(float64: None, activation: str, l2: float) -> None:
    params = jax.tree.map(jnp.asarray, PARAMS)
    assert float(loss(params, activation, l2)) == pytest.approx(plain_loss(activation, l2))


@every_activation
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_two_path_backpropagation_is_autodiff(float64: None, activation: str, l2: float) -> None:
    params = jax.tree.map(jnp.asarray, PARAMS)
    found = backpropagate(
        params, jnp.asarray(INPUTS), jnp.asarray(CLASSES), activation=activation, l2=l2
    )
    expected = jax.grad(loss)(params, activation, l2)
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-12)


@every_activation
def test_backpropagation_agrees_with_finite_differences(activation: str) -> None:
    with jax.enable_x64(True):
        found = backpropagate(
            jax.tree.map(jnp.asarray, PARAMS),
            jnp.asarray(INPUTS),
            jnp.asarray(CLASSES),
            activation=activation,
            l2=0.3,
        )
    for name, array in PARAMS.items():
        for index in [(0,) * array.ndim, (-1,) * array.ndim]:
            kept, differences = array[index], []
            for step in (1e-6, -1e-6):
                array[index] = kept + step
                differences.append(plain_loss(activation, 0.3))
            array[index] = kept
            slope = (differences[0] - differences[1]) / 2e-6
            assert float(found[name][index]) == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_dropout_needs_a_key_and_changes_the_hidden_layer() -> None:
    network = FeedForward(hidden_size=50, num_outputs=2, dropout_rate=0.5)
    x = jnp.ones((4, 3))
    params = jax.jit(network.init)(jax.random.key(0), x)
    run = partial(network.apply, params, x)
    dropped = run(deterministic=False, rngs={"dropout": jax.random.key(1)})
    assert not np.allclose(dropped, run())
    assert np.allclose(run(), network.clone(dropout_rate=0.0).apply(params, x))


TOKENS = np.array([[4, 2, 5, 6], [3, 3, 7, 4]], np.int32)


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("window", [1, 3, 6])
def test_the_language_model_equals_a_loop_over_windows(window: int, direct: bool) -> None:
    config = FeedForwardLMConfig(
        window=window, embedding_size=4, hidden_size=5, direct_connections=direct
    )
    model = FeedForwardLM(config, 8)
    shapes = jax.eval_shape(model.init, jax.random.key(0), TOKENS)["params"]
    params = jax.tree.map(lambda leaf: np.float32(RNG.normal(size=leaf.shape)), shapes)
    logits = jax.jit(model.apply)({"params": params}, TOKENS).logits
    network = params["network"]
    for row in range(2):
        history = [START_ID] * window + TOKENS[row].tolist()
        for step in range(4):
            words = history[step + 1 : step + 1 + window]
            x = np.concatenate([params["embedding"][word] for word in words])
            hidden = np.tanh(network["hidden_kernel"].T @ x + network["hidden_bias"])
            expected = network["output_kernel"].T @ hidden + network["output_bias"]
            if direct:
                expected = expected + params["direct_kernel"].T @ x
            np.testing.assert_allclose(logits[row, step], expected, rtol=2e-4, atol=2e-4)


def test_dropout_of_embeddings_and_of_hidden_units_changes_the_logits() -> None:
    for name in ("embedding_dropout_rate", "hidden_dropout_rate"):
        model = FeedForwardLM(FeedForwardLMConfig(**{name: 0.5}), 8)
        params = jax.jit(model.init)(jax.random.key(0), TOKENS)
        run = partial(model.apply, params, TOKENS)
        dropped = run(deterministic=False, rngs={"dropout": jax.random.key(1)}).logits
        assert not np.allclose(dropped, run().logits)


def test_init_scale_bounds_every_weight() -> None:
    model = FeedForwardLM(FeedForwardLMConfig(init_scale=0.01), 8)
    params = jax.jit(model.init)(jax.random.key(0), TOKENS)["params"]
    for leaf in (params["embedding"], params["network"]["hidden_kernel"]):
        assert 0.009 < np.abs(leaf).max() <= 0.01


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 0}, r"model\.window is 0"),
        ({"embedding_size": -3}, r"model\.embedding_size is -3"),
        ({"hidden_size": 0}, r"model\.hidden_size is 0"),
        ({"activation": "logistic"}, r"model\.activation is 'logistic'; choose one of tanh, relu"),
        ({"embedding_dropout_rate": 1.0}, r"model\.embedding_dropout_rate is 1\.0"),
        ({"init_scale": -0.1}, r"model\.init_scale is -0\.1; use at least 0"),
        ({"hidden_dropout_rate": -0.1}, r"model\.hidden_dropout_rate is -0\.1"),
    ],
)
def test_a_setting_that_cannot_be_is_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        FeedForwardLMConfig(**settings)
