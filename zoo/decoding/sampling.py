"""Sampling the next token from a model's logits: temperature, top-k, top-p, greedy.

Every setting may be a traced value, so that changing it compiles nothing again. Axes: V vocabulary,
`...` any leading axes.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from zoo.special_tokens import END_ID, START_ID, UNKNOWN_ID


@jax.jit
def sample(
    key: Array,
    logits: Array,
    *,
    temperature: ArrayLike = 1.0,
    top_k: ArrayLike = 0,
    top_p: ArrayLike = 1.0,
    allow_unknown: ArrayLike = False,
) -> Array:
    """Draws one token from each distribution, after temperature, top-k and top-p in this order.

    `<s>` is never drawn. `<unk>` is drawn only if it is allowed: it stands for words that the
    vocabulary lacks, so it tells a reader nothing. If no other token has a probability, `</s>` is
    drawn, and the text ends.

    Each setting is one number, or an array [...] with a number for each distribution.

    Args:
        key: one random key for all leading axes, or keys [B] for a leading axis B.
        logits: float32[..., V], scores whose softmax is the model's distribution.
        temperature: divides the logits; 0 always takes the most probable token (greedy decoding).
        top_k: only the k most probable tokens may be drawn; 0 means no limit.
        top_p: only the nucleus may be drawn (see `keep_top_p`); 1 means no limit.
        allow_unknown: whether `<unk>` may be drawn.

    Returns:
        int32[...], token ids.

    Example:
        >>> logits = jnp.log(jnp.array([0.1, 0.1, 0.1, 0.5, 0.2]))
        >>> int(sample(jax.random.key(0), logits, temperature=0.0))
        3
    """
    logits = forbid_special(logits, allow_unknown=allow_unknown)
    most_probable = jnp.argmax(logits, axis=-1)
    # Below the smallest normal number, a division would overflow; this counts as greedy as well.
    greedy = jnp.asarray(temperature) < jnp.finfo(logits.dtype).tiny
    scaled = scale_by_temperature(logits, jnp.where(greedy, 1.0, temperature))
    restricted = keep_top_p(keep_top_k(scaled, top_k), top_p)
    return jnp.where(greedy, most_probable, _draw(key, restricted)).astype(jnp.int32)


def _draw(key: Array, logits: Array) -> Array:
    """Returns the first token whose cumulative probability exceeds a uniform number in [0, 1).

    Keys [B] give each row the numbers that its key alone would give it.

    One random number per distribution is enough. `jax.random.categorical` draws a number for each
    token, which takes five times as long as this whole function for 10,000 tokens.
    """
    weights = jnp.exp(logits - jnp.max(logits, axis=-1, keepdims=True))
    cumulative = jnp.cumsum(weights, axis=-1)

    shape = logits.shape[key.ndim : -1]  # the distributions that one key serves

    def uniform(one_key: Array) -> Array:
        return jax.random.uniform(one_key, shape, logits.dtype)

    number = (jax.vmap(uniform) if key.ndim else uniform)(key) * cumulative[..., -1]
    return (cumulative <= number[..., None]).sum(axis=-1)


def forbid_special(logits: Array, *, allow_unknown: ArrayLike = False) -> Array:
    """Sets the probability of `<s>` to 0, and of `<unk>` unless it is allowed.

    `</s>` gets all the probability if no other token has any, as happens with n-grams of a text
    without known words.

    Args:
        logits: float32[..., V].
        allow_unknown: whether `<unk>` keeps its logit.

    Returns:
        float32[..., V], minus infinity for forbidden tokens.

    Example:
        >>> forbid_special(jnp.zeros(4)).tolist()
        [-inf, -inf, 0.0, 0.0]
        >>> forbid_special(jnp.log(jnp.array([1.0, 0.0, 0.0, 0.0]))).tolist()  # all is <unk>
        [-inf, -inf, 0.0, -inf]
    """
    unknown = jnp.where(allow_unknown, logits[..., UNKNOWN_ID], -jnp.inf)
    logits = logits.at[..., START_ID].set(-jnp.inf).at[..., UNKNOWN_ID].set(unknown)
    nothing_left = jnp.max(logits, axis=-1) == -jnp.inf
    return logits.at[..., END_ID].set(jnp.where(nothing_left, 0.0, logits[..., END_ID]))


def scale_by_temperature(logits: Array, temperature: ArrayLike) -> Array:
    """Sharpens (below 1) or flattens (above 1) a distribution: p_i^(1/temperature), normalised.

    The largest logit becomes 0, so that a small temperature cannot overflow.

    Args:
        logits: float32[..., V].
        temperature: a number above 0, or an array [...] of numbers above 0.

    Returns:
        float32[..., V].

    Example:
        >>> scale_by_temperature(jnp.array([1.0, 3.0]), 0.5).tolist()
        [-4.0, 0.0]
    """
    return (logits - jnp.max(logits, axis=-1, keepdims=True)) / _of_each(temperature, logits)


@jax.jit
def keep_top_k(logits: Array, top_k: ArrayLike) -> Array:
    """Sets the probability of all but the k most probable tokens to 0; ties favour low ids.

    Args:
        logits: float32[..., V].
        top_k: the number of tokens to keep; 0 keeps all.

    Returns:
        float32[..., V], minus infinity for the other tokens.

    Example:
        >>> keep_top_k(jnp.array([1.0, 3.0, 2.0]), 2).tolist()
        [-inf, 3.0, 2.0]
    """

    def count(sorted_logits: Array) -> Array:
        return jnp.minimum(_of_each(top_k, sorted_logits)[..., 0], sorted_logits.shape[-1])

    return _keep_largest(logits, jnp.asarray(top_k) > 0, count)


@jax.jit
def keep_top_p(logits: Array, top_p: ArrayLike) -> Array:
    """Keeps the nucleus: the fewest most probable tokens that together have probability >= p.

    Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", equation 2. At least
    one token is kept.

    Args:
        logits: float32[..., V].
        top_p: the probability p, above 0; 1 keeps all tokens.

    Returns:
        float32[..., V], minus infinity outside the nucleus.

    Example:
        >>> jnp.isfinite(keep_top_p(jnp.log(jnp.array([0.3, 0.5, 0.2])), 0.7)).tolist()
        [True, True, False]
    """

    def count(sorted_logits: Array) -> Array:
        probabilities = jax.nn.softmax(sorted_logits, axis=-1)
        before = jnp.cumsum(probabilities, axis=-1) - probabilities
        return jnp.maximum((before < _of_each(top_p, sorted_logits)).sum(axis=-1), 1)

    return _keep_largest(logits, jnp.asarray(top_p) < 1, count)


def _keep_largest(logits: Array, wanted: Array, count: Callable[[Array], Array]) -> Array:
    """Keeps the largest logits and sets the others to minus infinity, if wanted.

    `count` gets the logits sorted from large to small, and returns the number of logits to keep.
    Sorting is skipped when nothing is filtered.
    """

    def restrict(logits: Array) -> Array:
        largest_first = jnp.sort(logits, axis=-1, descending=True)
        num_kept = count(largest_first)[..., None]
        smallest_kept = jnp.take_along_axis(largest_first, num_kept - 1, axis=-1)
        above = logits > smallest_kept
        tied = logits == smallest_kept
        num_tied = num_kept - above.sum(axis=-1, keepdims=True)
        kept = above | (tied & (jnp.cumsum(tied, axis=-1) <= num_tied))
        return jnp.where(kept | ~_of_each(wanted, logits), logits, -jnp.inf)

    return jax.lax.cond(wanted.any(), restrict, lambda logits: logits, logits)


def _of_each(setting: ArrayLike, logits: Array) -> Array:
    """Returns a setting for each distribution, [..., 1]."""
    return jnp.broadcast_to(jnp.asarray(setting), logits.shape[:-1])[..., None]
