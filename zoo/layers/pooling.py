"""Pooling: from the states of a sequence to one vector.

    last        z = h_n                                  or h_1 if the layer runs backwards
    mean        z = (1/n) sum_t h_t
    max         z_i = max_t h_{t,i}
    attention   z = sum_t a_t h_t,   a = softmax(s),   s_t = v' tanh(W h_t + b)

Here t runs from 1 to n, the real steps of the row; padding is ignored. Max: Collobert and Weston
2008. Attention: Yang et al. 2016, eqs. 5 to 7.

Each pooling also returns the weight of each step in the vector: weights [B, T] that are zero at
padding and sum to one. For max, the weight of a step is the fraction of the elements of z that come
from the step.

Axes: B rows, T time, H width of a state.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from zoo.layers.masks import real_steps, take_step

Array = jax.Array

POOLINGS = ("last", "mean", "max", "attention")


class Pooled(NamedTuple):
    """A vector for each row, and the weights of the steps.

    Attributes:
        vector: [B, H], z.
        weights: [B, T], the weight of each step, see above.
    """

    vector: Array
    weights: Array


def pool_last(states: Array, lengths: Array, *, bidirectional: bool = False) -> Pooled:
    """Returns the last real state; for a bidirectional stack, the last state of each direction.

    Args:
        states: [B, T, H].
        lengths: int32[B], the number of real steps of each row, at least 1.
        bidirectional: whether the second half of H comes from a layer that runs backwards.

    Example:
        >>> states = jnp.arange(6.0).reshape(1, 3, 2)
        >>> pool_last(states, jnp.array([2])).vector.tolist()
        [[2.0, 3.0]]
        >>> pool_last(states, jnp.array([2]), bidirectional=True).vector.tolist()
        [[2.0, 1.0]]
    """
    vector = take_step(states, lengths - 1)
    weights = jax.nn.one_hot(lengths - 1, states.shape[1], dtype=states.dtype)
    if bidirectional:
        half = states.shape[2] // 2
        vector = jnp.concatenate([vector[:, :half], states[:, 0, half:]], axis=1)
        weights = weights / 2 + jax.nn.one_hot(0, states.shape[1], dtype=states.dtype)[None] / 2
    return Pooled(vector, weights)


def pool_mean(states: Array, lengths: Array) -> Pooled:
    """Returns the mean of the real states.

    Example:
        >>> pool_mean(jnp.array([[[1.0], [3.0], [9.0]]]), jnp.array([2])).vector.tolist()
        [[2.0]]
    """
    real = real_steps(states, lengths).astype(states.dtype)
    weights = real / lengths[:, None].astype(states.dtype)
    return Pooled((states * weights[..., None]).sum(axis=1), weights)


def pool_max(states: Array, lengths: Array) -> Pooled:
    """Returns the largest value of each element over the real states.

    Example:
        >>> pooled = pool_max(jnp.array([[[1.0, 5.0], [3.0, 4.0], [9.0, 9.0]]]), jnp.array([2]))
        >>> pooled.vector.tolist(), pooled.weights.tolist()
        ([[3.0, 5.0]], [[0.5, 0.5, 0.0]])
    """
    lowest = jnp.finfo(states.dtype).min
    masked = jnp.where(real_steps(states, lengths)[..., None], states, lowest)
    source = jax.nn.one_hot(masked.argmax(axis=1), states.shape[1], dtype=states.dtype)
    return Pooled(masked.max(axis=1), source.mean(axis=1))


def pool_attention(states: Array, lengths: Array, scores: Array) -> Pooled:
    """Returns the sum of the real states, weighted by the softmax of their scores.

    Args:
        states: [B, T, H].
        lengths: int32[B], the number of real steps of each row.
        scores: [B, T], s_t.

    Example:
        >>> states = jnp.array([[[1.0], [3.0], [9.0]]])
        >>> pool_attention(states, jnp.array([2]), jnp.zeros((1, 3))).vector.tolist()
        [[2.0]]
    """
    weights = jax.nn.softmax(scores, axis=1, where=real_steps(states, lengths))
    return Pooled((states * weights[..., None]).sum(axis=1), weights)
