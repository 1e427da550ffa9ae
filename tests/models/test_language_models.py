"""What every language model of the zoo promises, whatever is inside it."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.models import kneser_ney
from zoo.models.mixture import MixtureLM
from zoo.models.ngram_lm import NGramConfig
from zoo.models.registry import build
from zoo.special_tokens import END_ID, START_ID

V = 9
RNG = np.random.default_rng(5)
TOKENS = RNG.integers(3, V, size=(3, 8)).astype(np.int32)
TOKENS[:, 0] = TOKENS[1, 4] = START_ID
TEXT = RNG.integers(2, V, size=400).astype(np.int32)
TEXT[-1] = END_ID


def recurrent(**settings: Any) -> tuple[Any, Any]:
    config = {"architecture": "recurrent_lm", "embedding_size": 4, "hidden_sizes": [5]}
    return with_random_params(build(config | settings, V))


def feedforward(**settings: Any) -> tuple[Any, Any]:
    config = {"architecture": "feedforward_lm", "embedding_size": 4, "hidden_size": 5}
    return with_random_params(build(config | settings, V))


def with_random_params(model: Any) -> tuple[Any, Any]:
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.asarray(TOKENS))["params"]
    draw = np.random.default_rng(6).normal
    return model, jax.tree.map(lambda leaf: jnp.float32(0.5 * draw(size=leaf.shape)), shapes)


def ngram(order: int = 3) -> tuple[Any, Any]:
    config = NGramConfig(order=order)
    params = kneser_ney.estimate(TEXT, config, V).params
    return build({"architecture": "ngram_lm", "order": order}, V), params


def mixture() -> tuple[Any, Any]:
    (first, first_params), (second, second_params) = recurrent(), ngram()
    params = {"weights": jnp.array([0.3, 0.7]), "parts": [first_params, second_params]}
    return MixtureLM((first, second)), params


MODELS = {
    "recurrent": recurrent,
    "feedforward": feedforward,
    "feedforward, direct": partial(feedforward, window=3, direct_connections=True),
    "feedforward, a window of one": partial(feedforward, window=1, activation="relu"),
    "ngram": ngram,
    "unigram": partial(ngram, 1),
    "5-gram": partial(ngram, 5),
    "mixture": mixture,
}


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.slow if name == "5-gram" else ()) for name in MODELS
    ],
    scope="module",
)
def trained(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return MODELS[request.param]()


@partial(jax.jit, static_argnames="model")
def apply(model: Any, params: Any, tokens: Any, carry: Any = None, **options: Any) -> Any:
    return model.apply({"params": params}, tokens, carry, **options)


def log_probs(output: Any) -> np.ndarray:
    return np.asarray(jax.nn.log_softmax(output.logits, axis=-1))


def assert_equal(found: Any, expected: Any) -> None:
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5), found, expected)


def test_probabilities_sum_to_one(trained: Any) -> None:
    output = apply(*trained, TOKENS)
    assert output.logits.shape == (3, 8, V)
    np.testing.assert_allclose(np.exp(log_probs(output)).sum(axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize("cut", [1, 3, 7])
def test_cut_in_two_with_the_carry_passed_on(trained: Any, cut: int) -> None:
    whole = apply(*trained, TOKENS)
    first = apply(*trained, TOKENS[:, :cut])
    second = apply(*trained, TOKENS[:, cut:], first.carry)
    pieces = np.concatenate([log_probs(first), log_probs(second)], axis=1)
    assert_equal(pieces, log_probs(whole))
    assert_equal(second.carry, whole.carry)


def test_no_carry_is_a_reset_at_the_first_step(trained: Any) -> None:
    model, params = trained
    elsewhere = apply(model, params, TOKENS[::-1]).carry
    reset = apply(model, params, TOKENS, elsewhere, resets=np.ones((3, 1), bool))
    assert_equal(log_probs(reset), log_probs(apply(model, params, TOKENS)))


def test_a_reset_in_the_middle_forgets_that_row_only(trained: Any) -> None:
    model, params = trained
    resets = np.zeros((3, 8), bool)
    resets[1, 4] = True
    found = log_probs(apply(model, params, TOKENS, resets=resets))
    whole = log_probs(apply(model, params, TOKENS))
    fresh = log_probs(apply(model, params, TOKENS[:, 4:]))
    assert_equal(found[[0, 2]], whole[[0, 2]])
    assert_equal(found[1, :4], whole[1, :4])
    assert_equal(found[1, 4:], fresh[1])


def test_padding_and_batch_mates_change_nothing(trained: Any) -> None:
    model, params = trained
    lengths = np.array([8, 1, 5])
    padded = TOKENS.copy()
    for row, length in enumerate(lengths):
        padded[row, length:] = END_ID
    together = apply(model, params, padded, lengths=lengths)
    for row, length in enumerate(lengths):
        alone = apply(model, params, TOKENS[row : row + 1, :length])
        assert_equal(log_probs(together)[row, :length], log_probs(alone)[0])
        assert_equal(
            jax.tree.map(lambda leaf, row=row: leaf[row], together.carry),
            jax.tree.map(lambda leaf: leaf[0], alone.carry),
        )


def test_zero_carry_has_the_shape_of_a_carry(trained: Any) -> None:
    model, params = trained
    found = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), apply(model, params, TOKENS).carry)
    assert found == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), model.zero_carry(3))
