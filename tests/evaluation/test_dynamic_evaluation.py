"""Dynamic evaluation: the update and R agree with loops written from Krause et al. 2018."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.evaluation.dynamic_evaluation import DynamicEvaluation, Rates, follow, gradient_sizes
from zoo.models.feedforward_lm import FeedForwardLM, FeedForwardLMConfig
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.special_tokens import END_ID, START_ID

SHAPES = {"bias": (7,), "layer": {"kernel": (4, 5), "gates": (2, 1, 3)}, "scale": ()}
WORDS = 9


def random_tree(seed, draw):
    """A tree of arrays of different sizes, so that a mean of means is not the mean."""
    generator = np.random.default_rng(seed)
    return jax.tree.map(
        lambda shape: jnp.asarray(draw(generator, shape), jnp.float32),
        SHAPES,
        is_leaf=lambda node: isinstance(node, tuple),
    )


def normal(generator, shape):
    return generator.normal(size=shape)


def positive(generator, shape):
    return generator.lognormal(sigma=1.5, size=shape)


def flat(tree):
    """All the numbers of a tree, float64."""
    return np.concatenate(
        [np.ravel(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(tree)]
    )


@pytest.mark.parametrize("decay", [0.0, 0.02, 0.4, 1.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_an_rms_update_is_that_of_the_paper(seed, decay):
    theta, gradient, trained = (random_tree(10 * seed + k, normal) for k in range(3))
    sizes = random_tree(10 * seed + 3, positive)
    rate, epsilon = 0.07, 0.3
    moved = follow(Rates(rate, decay, epsilon), theta, gradient, trained, sizes)

    every_r = flat(sizes)
    mean = every_r.sum() / every_r.size
    expected, num_clipped = [], 0
    for now, g, start, r in zip(flat(theta), flat(gradient), flat(trained), every_r, strict=True):
        relative = r / mean
        if decay > 0 and relative > 1 / decay:
            relative = 1 / decay
            num_clipped += 1
        expected.append(now - rate * g / (r + epsilon) + decay * relative * (start - now))
    np.testing.assert_allclose(flat(moved), expected, rtol=1e-5, atol=1e-6)
    if decay >= 0.4:
        assert 0 < num_clipped < every_r.size, "the case tests neither or only clipped elements"
    assert jax.tree.structure(moved) == jax.tree.structure(theta)


@pytest.mark.parametrize("decay", [0.0, 0.3, 1.0])
def test_an_sgd_update_is_a_gradient_step_and_a_pull_back(decay):
    theta, gradient, trained = (random_tree(k, normal) for k in range(3))
    moved = follow(Rates(0.07, decay, 5.0), theta, gradient, trained, None)
    expected = flat(theta) - 0.07 * flat(gradient) + decay * (flat(trained) - flat(theta))
    np.testing.assert_allclose(flat(moved), expected, rtol=1e-5, atol=1e-6)
    if decay == 0:
        plain = flat(theta) - 0.07 * flat(gradient)
        np.testing.assert_allclose(flat(moved), plain, rtol=1e-5, atol=1e-6)


def test_at_the_largest_pull_a_parameter_returns_to_where_it_was_trained():
    theta, trained = random_tree(0, normal), random_tree(1, normal)
    still = jax.tree.map(jnp.zeros_like, theta)
    back = follow(Rates(0.1, 1.0, 0.0), theta, still, trained, None)
    np.testing.assert_allclose(flat(back), flat(trained), rtol=1e-5, atol=1e-6)


def recurrent():
    config = RecurrentLMConfig(
        cell="gru", embedding_size=3, hidden_sizes=(4,), learn_initial_state=True
    )
    return RecurrentLM(config, WORDS)


def feed_forward():
    return FeedForwardLM(FeedForwardLMConfig(window=2, embedding_size=3, hidden_size=4), WORDS)


def random_params(model):
    generator = np.random.default_rng(3)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 1), jnp.int32))["params"]
    return jax.tree.map(
        lambda leaf: jnp.asarray(generator.normal(size=leaf.shape), jnp.float32), shapes
    )


def random_text(num_tokens):
    """Words and sentence ends."""
    return np.random.default_rng(5).choice([END_ID, *range(3, WORDS)], num_tokens).astype(np.int32)


def sizes_by_a_loop(model, params, tokens, window, num_windows):
    """R from the first windows of 20 equal pieces, each read on from where it was left."""

    @jax.jit
    def gradient(inputs, targets, carry):
        def loss(params):
            output = model.apply({"params": params}, inputs, carry)
            logits = output.logits
            probabilities = jnp.exp(logits) / jnp.exp(logits).sum(axis=-1, keepdims=True)
            picked = jnp.take_along_axis(probabilities, targets[..., None], axis=-1)
            return -jnp.log(picked).sum() / (20 * window), output.carry

        return jax.grad(loss, has_aux=True)(params)

    piece, total, carry = len(tokens) // 20, 0, None
    for position in range(0, num_windows * window, window):
        inputs, targets = [], []
        for row in range(20):
            start = row * piece + position
            before = tokens[start - 1 : start].tolist() if start else [END_ID]
            text = tokens[start : start + window].tolist()
            read = before + text[:-1]
            inputs.append([START_ID if word == END_ID else word for word in read])
            targets.append(text)
        grads, carry = gradient(jnp.array(inputs), jnp.array(targets), carry)
        total = total + flat(grads) ** 2
    return np.sqrt(total / num_windows)


@pytest.mark.parametrize("build", [recurrent, feed_forward])
@pytest.mark.parametrize(
    ("num_tokens", "window", "num_windows"),
    [
        (20 * 5, 5, 1),
        (20 * 23 + 7, 5, 4),  # four windows fit into 23 tokens
        (20 * 399, 1, 200),  # 399 would fit
    ],
)
def test_gradient_sizes_are_those_of_a_loop(build, num_tokens, window, num_windows):
    model = build()
    params, tokens = random_params(model), random_text(num_tokens)
    found = gradient_sizes(model, params, tokens, window)
    assert jax.tree.structure(found) == jax.tree.structure(params)
    expected = sizes_by_a_loop(model, params, tokens, window, num_windows)
    np.testing.assert_allclose(flat(found), expected, rtol=1e-4, atol=1e-7)


def test_a_training_text_of_less_than_20_windows_is_told():
    model = recurrent()
    with pytest.raises(UserError, match=r"has 99 tokens, too few .*20 windows of 5.*=sgd") as told:
        gradient_sizes(model, random_params(model), random_text(99), 5)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"rule": "adam"}, "'adam'; use rms or sgd"),
        ({"rate": 0.0}, "dynamic_rate is 0.0; use more than 0"),
        ({"rate": float("nan")}, "dynamic_rate is nan"),
        ({"rate": float("inf")}, "dynamic_rate is inf"),
        ({"decay": -0.1}, "dynamic_decay is -0.1; use 0 to 1"),
        ({"decay": 1.1}, "dynamic_decay is 1.1; use 0 to 1"),
        ({"window": 0}, "dynamic_window is 0; use 1 to 1000000"),
    ],
)
def test_settings_that_cannot_be_are_told(setting, message):
    with pytest.raises(UserError, match=message) as told:
        dataclasses.replace(DynamicEvaluation(), **setting)
    assert "\n" not in str(told.value)
