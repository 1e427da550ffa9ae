"""Recurrences without a loop over time: the next state is linear in the last one.

    h_t = a_t * h_{t-1} + b_t           element by element; a_t and b_t depend on the input alone

Two steps in a row are one of the same kind, (a', b') after (a, b) is (a a', a' b + b'), and that is
associative. So all states come from a parallel prefix sum over pairs (Blelloch 1990), in log T
rounds of work on all steps at once, rather than in T steps one after the other.

    min_gru     z = logistic(.)       a = 1 - z          b = z * n
    min_lstm    f, i = logistic(.)    a = f / (f + i)    b = i / (f + i) * n
    rg_lru      r, i = logistic(.)    a = exp(-8 softplus(s) r)    b = sqrt(1 - a^2) * i * n

(Feng et al. 2024, sections 3.1 and 3.2; De et al. 2024, eq. 1-4, the real-gated linear recurrent
unit, whose s is trained.) z, f, i, r and n stand for blocks of W x_t + b, a block a letter. No gate
sees the state, so nothing here multiplies by a recurrent matrix.

Axes: B rows, T time, D input features, H units, G blocks.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from zoo.errors import UserError
from zoo.layers.pooling import real_steps
from zoo.layers.recurrence import widen_resets

Array = jax.Array

_SMALLEST = 1e-12
_SHARPNESS = 8.0  # c in De et al.: how far a gate can pull the decay


class LinearCell(NamedTuple):
    """What makes a_t and b_t of the projected input.

    Attributes:
        num_gates: G, blocks of width H of the projected input.
        coefficients: (blocks, each [..., H], s [H] or None) -> (a, b).
        has_decay: whether there is a trained s.
    """

    num_gates: int
    coefficients: Callable[[list[Array], Array | None], tuple[Array, Array]]
    has_decay: bool = False


def _min_gru(blocks: list[Array], decay: Array | None) -> tuple[Array, Array]:
    del decay
    z, n = jax.nn.sigmoid(blocks[0]), blocks[1]
    return 1 - z, z * n


def _min_lstm(blocks: list[Array], decay: Array | None) -> tuple[Array, Array]:
    """f / (f + i) = logistic(log f - log i), which has no division by what may be 0."""
    del decay
    keep = jax.nn.sigmoid(jax.nn.log_sigmoid(blocks[0]) - jax.nn.log_sigmoid(blocks[1]))
    return keep, (1 - keep) * blocks[2]


def _rg_lru(blocks: list[Array], decay: Array | None) -> tuple[Array, Array]:
    r, i, n = jax.nn.sigmoid(blocks[0]), jax.nn.sigmoid(blocks[1]), blocks[2]
    assert decay is not None
    rate = _SHARPNESS * jax.nn.softplus(decay)
    log_a = -r * rate[(None,) * (r.ndim - 1)]
    left = jnp.maximum(-jnp.expm1(2 * log_a), _SMALLEST)  # where r is 0 the root has no slope
    return jnp.exp(log_a), jnp.sqrt(left) * i * n


LINEAR_CELLS = {
    "min_gru": LinearCell(2, _min_gru),
    "min_lstm": LinearCell(3, _min_lstm),
    "rg_lru": LinearCell(3, _rg_lru, has_decay=True),
}


def get_linear_cell(name: str) -> LinearCell:
    """The cell of that name.

    Raises:
        UserError: if there is no such cell; the message lists those there are.

    Example:
        >>> get_linear_cell("min_gru").num_gates
        2
    """
    if name not in LINEAR_CELLS:
        raise UserError(
            f"no linear cell is called {name!r}; choose one of {', '.join(LINEAR_CELLS)}"
        )
    return LINEAR_CELLS[name]


def linear_recurrence(
    a: Array,
    b: Array,
    carry: Array,
    *,
    initial: Array | None = None,
    lengths: Array | None = None,
    resets: Array | None = None,
) -> tuple[Array, Array]:
    """All states of h_t = a_t * h_{t-1} + b_t, by a parallel prefix sum.

    Args:
        a: [B, T, H].
        b: [B, T, H].
        carry: [B, H], the state before the first step.
        initial: [B, H], the state that a reset returns to; None for zeros.
        lengths: int32[B], real steps of each row, at least 1; None for all T.
        resets: bool[B, R], R <= T; True at [b, t] puts row b back to `initial` before step t.

    Returns:
        [B, T, H], h_t, zero at padding; and [B, H], the state after the last real step.

    Example:
        >>> a, b = jnp.full((1, 3, 1), 0.5), jnp.ones((1, 3, 1))
        >>> states, last = linear_recurrence(a, b, jnp.zeros((1, 1)))
        >>> states.ravel().tolist(), last.item()
        ([1.0, 1.5, 1.75], 1.75)
    """
    steps = a.shape[1]
    if resets is not None:
        start = jnp.zeros_like(carry) if initial is None else initial
        reset = widen_resets(resets, steps)[..., None]
        b = jnp.where(reset, a * start[:, None] + b, b)
        a = jnp.where(reset, 0, a)
    real = None if lengths is None else real_steps(b, lengths)[..., None]
    if real is not None:  # padding hands the state on
        a, b = jnp.where(real, a, 1), jnp.where(real, b, 0)
    b = b.at[:, 0].add(a[:, 0] * carry)
    _, states = lax.associative_scan(_after, (a, b), axis=1)
    outputs = states if real is None else jnp.where(real, states, 0)
    return outputs, states[:, -1]


def _after(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """The two steps as one."""
    return first[0] * second[0], second[0] * first[1] + second[1]
