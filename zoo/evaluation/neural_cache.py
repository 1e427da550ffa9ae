"""The continuous cache: recent words whose states were like the present state are likely again.

    p(w | h_1..h_t) = (1 - lambda) p_model(w | h_t) + lambda p_cache(w | h_1..h_t)

    p_cache(w | h_1..h_t)  proportional to  sum_i [x_{i+1} = w] exp(theta h_t . h_i)

over the last n steps i < t (Grave et al. 2017, eq. 2 to 4). Nothing is trained. h_t is the state
that the model's softmax reads. Before the first step the cache is empty, and p is the model's p.

Axes: W steps of a window, n steps of the cache, H width of a state, F values of theta.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zoo.errors import UserError
from zoo.given import check_kinds

Array = jax.Array
EMPTY = -1  # the token of a place in the cache that is not filled yet
MAX_SIZE = 1_000_000  # tokens, each with a state of the model


@dataclass(frozen=True)
class NeuralCache:
    """The settings of the cache.

    Attributes:
        size: n, the number of steps that it remembers.
        weight: lambda.
        flatness: theta. With 0 the cache ignores the states and is the frequency of a word among
            the last n words. A larger value prefers steps with similar states.
    """

    size: int = 500
    weight: float = 0.1
    flatness: float = 0.3

    def __post_init__(self) -> None:
        check_kinds(self)
        if not 1 <= self.size <= MAX_SIZE:
            raise UserError(
                f"the size of the cache is {self.size}; use 1 to {MAX_SIZE}, such as --cache=500"
            )
        if not 0 <= self.weight < 1:
            raise UserError(f"cache_weight is {self.weight}; use 0 to below 1, such as 0.1")
        if not 0 <= self.flatness < math.inf:
            raise UserError(f"cache_flatness is {self.flatness}; use 0 or more, such as 0.3")


class Memory(NamedTuple):
    """The content of a cache, oldest first.

    Attributes:
        states: [n, H], h_i.
        tokens: int32[n], x_{i+1}; `EMPTY` in a place that is not filled.
    """

    states: Array
    tokens: Array


def empty_memory(size: int, width: int) -> Memory:
    """Returns an empty cache of n = `size` steps, for states of the given width."""
    return Memory(jnp.zeros((size, width)), jnp.full(size, EMPTY, jnp.int32))


def look_up(memory: Memory, states: Array, targets: Array, flatness: Array) -> tuple[Array, Memory]:
    """Returns log p_cache of each target, and the memory after the window.

    Args:
        memory: the content of the cache before the window.
        states: [W, H], h_t of the window.
        targets: int32[W], x_{t+1}; `EMPTY` for steps that are padding.
        flatness: [F], values of theta to try.

    Returns:
        [F, W], minus infinity if the cache gives a target no probability, NaN if the cache is
        empty; and the memory.

    Example:
        >>> memory = Memory(jnp.ones((2, 1)), jnp.array([7, 5]))
        >>> found, _ = look_up(memory, jnp.ones((1, 1)), jnp.array([5]), jnp.array([1.0]))
        >>> round(float(jnp.exp(found[0, 0])), 3)
        0.5
    """
    size, steps = len(memory.tokens), len(targets)
    remembered = jnp.concatenate([memory.states, states])
    tokens = jnp.concatenate([memory.tokens, targets])
    place, now = jnp.arange(size + steps)[None, :], jnp.arange(steps)[:, None]
    is_past = (place >= now) & (place < now + size) & (tokens != EMPTY)[None, :]
    likeness = flatness[:, None, None] * (states @ remembered.T)[None]
    all_past = jnp.where(is_past, likeness, -jnp.inf)
    same = jnp.where(tokens[None, :] == targets[:, None], all_past, -jnp.inf)
    found = jax.nn.logsumexp(same, axis=-1) - jax.nn.logsumexp(all_past, axis=-1)
    return found, Memory(remembered[steps:], tokens[steps:])


def mix_in(model: np.ndarray, cache: np.ndarray, weight: float | np.ndarray) -> np.ndarray:
    """Returns log p from log p_model [N] and log p_cache [N], see `look_up`, with lambda = weight.

    Example:
        >>> mixed = mix_in(np.log([0.5, 0.5, 0.5]), np.array([np.nan, -np.inf, 0.0]), 0.1)
        >>> np.exp(mixed).round(3).tolist()
        [0.5, 0.45, 0.55]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        mixed = np.logaddexp(np.log1p(-weight) + model, np.log(weight) + cache)
    return np.where(np.isnan(cache), model, mixed)
