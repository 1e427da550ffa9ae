"""Masks for the real steps of a padded batch, and reversed sequences."""

import jax
import jax.numpy as jnp

from zoo.layers.fast.lookup import Lookup
from zoo.types import PyTree

Array = jax.Array


def real_steps(states: Array, lengths: Array) -> Array:
    """Returns bool[B, T], True at real steps and False at padding.

    Args:
        states: [B, T, ...].
        lengths: int32[B], the number of real steps of each row.

    Example:
        >>> real_steps(jnp.zeros((2, 3, 1)), jnp.array([1, 3])).tolist()
        [[True, False, False], [True, True, True]]
    """
    lengths = jnp.asarray(lengths)  # NumPy's int64 becomes int32 here
    return jnp.arange(states.shape[1], dtype=lengths.dtype)[None, :] < lengths[:, None]


def widen_resets(resets: Array, steps: int) -> Array:
    """Pads resets bool[B, R] to bool[B, T]; there are no resets after step R.

    Example:
        >>> widen_resets(jnp.array([[True]]), 3).tolist()
        [[True, False, False]]
    """
    return jnp.pad(resets, ((0, 0), (0, steps - resets.shape[1])))


def select(mask: Array, where_true: PyTree, where_false: PyTree) -> PyTree:
    """Chooses between two pytrees of arrays [*mask.shape, ...], row by row.

    Example:
        >>> mask, ones = jnp.array([True, False]), jnp.ones((2, 2))
        >>> select(mask, {"state": ones}, {"state": 0 * ones})["state"].tolist()
        [[1.0, 1.0], [0.0, 0.0]]
    """

    def choose(one: Array, other: Array) -> Array:
        return jnp.where(mask.reshape(mask.shape + (1,) * (one.ndim - mask.ndim)), one, other)

    return jax.tree.map(choose, where_true, where_false)


def reverse_sequences(x: PyTree, lengths: Array | None) -> PyTree:
    """Reverses the first lengths[b] steps of each row b; padding stays in its place.

    Args:
        x: [B, T, ...], or a `Lookup`, whose rows are reversed.
        lengths: int32[B], the number of real steps of each row; None means all T steps.

    Returns:
        [B, T, ...].

    Example:
        >>> reverse_sequences(jnp.array([[1, 2, 3, 0], [4, 5, 6, 7]]), jnp.array([3, 4])).tolist()
        [[3, 2, 1, 0], [7, 6, 5, 4]]
    """
    if isinstance(x, Lookup):
        return x.replace(rows=reverse_sequences(x.rows, lengths))
    if lengths is None:
        return x[:, ::-1]
    steps = jnp.arange(x.shape[1])[None, :]
    index = jnp.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return take_steps(x, index)


def take_steps(x: Array, index: Array) -> Array:
    """Returns some steps of each row of a batch.

    Each row is read on the device that holds it. With the rows' own numbers as a second index, a
    batch that is split over devices would be sent to all of them.

    Args:
        x: [B, T, ...].
        index: int32[B, K], the steps to take of each row.

    Returns:
        [B, K, ...].

    Example:
        >>> take_steps(jnp.array([[1, 2, 3], [4, 5, 6]]), jnp.array([[2, 0], [1, 1]])).tolist()
        [[3, 1], [5, 5]]
    """
    return jnp.take_along_axis(x, index.reshape(index.shape + (1,) * (x.ndim - 2)), axis=1)


def take_step(x: Array, index: Array) -> Array:
    """Returns one step of each row; `take_steps` returns several steps.

    Args:
        x: [B, T, ...].
        index: int32[B], the step to take of each row.

    Returns:
        [B, ...].

    Example:
        >>> take_step(jnp.array([[1, 2, 3], [4, 5, 6]]), jnp.array([2, 0])).tolist()
        [3, 4]
    """
    return take_steps(x, index[:, None])[:, 0]
