"""A small recurrent language model with random parameters, for the tests of models."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig

V = 7
RNG = np.random.default_rng(21)
TOKENS = np.stack([RNG.permutation(V)[:6] for _ in range(3)]).astype(np.int32)


def small(name: str = "lstm", **settings: Any) -> RecurrentLM:
    """Two layers of different sizes, wide enough for ties."""
    settings = {"embedding_size": 4, "hidden_sizes": (3, 4), **settings}
    return RecurrentLM(RecurrentLMConfig(cell=name, **settings), V)


def random_params(model: RecurrentLM, dtype: Any = np.float32) -> Any:
    """Random values for every parameter, biases and initial states included."""
    draw = np.random.default_rng(22).normal
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.asarray(TOKENS))["params"]
    return jax.tree.map(lambda leaf: jnp.asarray(0.5 * draw(size=leaf.shape), dtype), shapes)


@functools.partial(jax.jit, static_argnames="model")
def apply(model: RecurrentLM, params: Any, tokens: Any, carry: Any = None, **options: Any) -> Any:
    key = options.pop("key", None)
    if key is not None:
        options |= {"deterministic": False, "rngs": {"dropout": key}}
    return model.apply({"params": params}, tokens, carry, **options)
