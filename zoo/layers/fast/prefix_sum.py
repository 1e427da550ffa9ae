"""Linear recurrences without a loop over time.

    h_t = a_t * h_{t-1} + b_t           element by element; a_t and b_t depend only on the input

Two successive steps combine to a step of the same form: (a', b') after (a, b) is (a a', a' b + b').
This operation is associative. So a parallel prefix sum over pairs (Blelloch 1990) computes all
states in log T rounds over all steps, rather than in T successive steps.

Axes: B rows, T time, H units.
"""

import jax
import jax.numpy as jnp
from jax import lax

from zoo.layers.masks import real_steps, widen_resets

Array = jax.Array


def linear_recurrence(
    a: Array,
    b: Array,
    carry: Array,
    *,
    initial: Array | None = None,
    lengths: Array | None = None,
    resets: Array | None = None,
) -> tuple[Array, Array]:
    """Returns all states of h_t = a_t * h_{t-1} + b_t, by a parallel prefix sum.

    Args:
        a: [B, T, ...], the factors.
        b: [B, T, ...], the terms, with the same shape.
        carry: [B, ...], the state before the first step.
        initial: [B, ...], the state after a reset; None means zeros.
        lengths: int32[B], the number of real steps of each row, at least 1; None means all T steps.
        resets: bool[B, R], R <= T; True at [b, t] resets row b to `initial` before step t.

    Returns:
        [B, T, ...], h_t, zero at padding; and [B, ...], the state after the last real step.

    Example:
        >>> a, b = jnp.full((1, 3, 1), 0.5), jnp.ones((1, 3, 1))
        >>> states, last = linear_recurrence(a, b, jnp.zeros((1, 1)))
        >>> states.ravel().tolist(), last.item()
        ([1.0, 1.5, 1.75], 1.75)
    """
    steps = a.shape[1]
    if resets is not None:
        start = jnp.zeros_like(carry) if initial is None else initial
        reset = _wide(widen_resets(resets, steps), b)
        b = jnp.where(reset, a * start[:, None] + b, b)
        a = jnp.where(reset, 0, a)
    real = None if lengths is None else _wide(real_steps(b, lengths), b)
    if real is not None:  # padding does not change the state
        a, b = jnp.where(real, a, 1), jnp.where(real, b, 0)
    b = b.at[:, 0].add(a[:, 0] * carry)
    _, states = lax.associative_scan(_after, (a, b), axis=1)
    outputs = states if real is None else jnp.where(real, states, 0)
    return outputs, states[:, -1]


def _wide(mask: Array, array: Array) -> Array:
    """Returns a mask [B, T] with the number of axes of an array."""
    return mask.reshape((*mask.shape, *(1,) * (array.ndim - 2)))


def _after(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Combines two steps."""
    return first[0] * second[0], second[0] * first[1] + second[1]
