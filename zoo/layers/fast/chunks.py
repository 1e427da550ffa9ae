"""Recurrences whose state is a matrix, computed a chunk of C steps at a time.

    S_t = diag(a_t) S_{t-1} + k_t v_t'          y_t = S_t' q_t
    S_t = a_t S_{t-1} + k_t u_t'                u_t = b_t (v_t - a_t S_{t-1}' k_t): the delta rule
    S_t = diag(a_t) S_{t-1} + k_t v_t' + p_t u_t'       u_t = -S_{t-1}' e_t: the rule of RWKV-7

Let c_t = log a_1 + ... + log a_t within a chunk, and S_0 the state before the chunk. Then

    y_t = S_0' (exp(c_t) * q_t) + sum_{s <= t} P_ts v_s         P_ts = q_t' (exp(c_t - c_s) * k_s)
    S_C = diag(exp(c_C)) S_0 + sum_s (exp(c_C - c_s) * k_s) v_s'

So states are needed only at the borders of chunks, and the rest is products of matrices (Sun et al.
2023, section 2.4; Yang et al. 2024, section 4). In the delta rule U replaces V. U solves a
triangular system (Yang et al. 2024b, section 3.2):

    (I + L) U = b * (V - (exp(c) * K) S_0)      L_ts = b_t exp(c_t - c_s) k_t' k_s for s < t

In the rule of RWKV-7, p_s and u_s stand beside k_s and v_s in both sums, and

    (I + A) U = -(B V + (exp(c_{t-1}) * E) S_0)         A_ts = e_t' (exp(c_{t-1} - c_s) * p_s)
                                                        B_ts = e_t' (exp(c_{t-1} - c_s) * k_s)

for s < t. No exponent is ever positive, so nothing overflows, however strong the decay is.

The forward pass is not faster than step by step on a CPU. But the backward pass stores and reads C
times fewer matrices.

Axes: B rows, T time, N heads, M chunks, C steps of a chunk, K units of a key, V of a value.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array

CHUNK = 32  # C, a power of two


class MatrixSteps(NamedTuple):
    """The inputs of the steps of a recurrence.

    Attributes:
        q, k: [B, T, N, K], the queries and the keys.
        v: [B, T, N, V], the values.
        log_decay: [B, T, N, K] or [B, T, N, 1], log a_t, at most 0.
        beta: [B, T, N, 1], b_t of the delta rule, which needs a log_decay [B, T, N, 1]. None means
            one of the other recurrences.
        rewriting: e_t and p_t of the rule of RWKV-7, [B, T, N, K] each, or None.
    """

    q: Array
    k: Array
    v: Array
    log_decay: Array
    beta: Array | None = None
    rewriting: tuple[Array, Array] | None = None


def run_chunks(steps: MatrixSteps, start: Array, real: Array | None) -> tuple[Array, Array]:
    """Runs one of the recurrences over a batch of sequences.

    Args:
        steps: the inputs of the steps.
        start: [B, N, K, V], the state before the first step.
        real: bool[B, T], False at padding, which does not change the state; None means that there
            is no padding.

    Returns:
        [B, T, N, V], y_t, and [B, N, K, V], the state after the last step.

    Example:
        >>> ones = jnp.ones((1, 3, 1, 1))
        >>> halving = MatrixSteps(ones, ones, ones, jnp.log(0.5 * ones))
        >>> y, last = run_chunks(halving, jnp.zeros((1, 1, 1, 1)), None)
        >>> y.ravel().tolist(), last.item()
        ([1.0, 1.5, 1.75], 1.75)
    """
    if real is not None:
        steps = _without_padding(steps, real[..., None, None])
    num_steps = steps.q.shape[1]
    chunk = min(CHUNK, 1 << max(num_steps - 1, 0).bit_length())
    steps = jax.tree.map(lambda array: _split(array, chunk), steps)
    c = jnp.cumsum(steps.log_decay, axis=-2)
    if steps.rewriting is not None:
        y, final = _rewrite(start, steps, c, *steps.rewriting)
        return _join(y, num_steps), final
    q, k, v, beta = steps.q, steps.k, steps.v, steps.beta
    keys, kept = _to_the_end(k, c), _transpose(jnp.exp(c[..., -1:, :]))
    if beta is None:
        before, final = _borders(start, kept, keys @ v)
    else:
        v, before, final = _correct(start, kept, keys, MatrixSteps(q, k, v, c), beta)
    y = (q * jnp.exp(c)) @ before + _weights(q, k, c) @ v
    return _join(y, num_steps), final


def _without_padding(steps: MatrixSteps, mask: Array) -> MatrixSteps:
    """Returns steps that leave the state as it is where the mask is False."""
    k, log_decay = jnp.where(mask, steps.k, 0), jnp.where(mask, steps.log_decay, 0)
    steps = steps._replace(k=k, log_decay=log_decay)
    if steps.rewriting is None:
        return steps
    e, p = steps.rewriting
    return steps._replace(rewriting=(e, jnp.where(mask, p, 0)))


def _split(array: Array, chunk: int) -> Array:
    """Reshapes [B, T, N, ...] to [M, B, N, C, ...], padded with zeros."""
    missing = -array.shape[1] % chunk
    padded = jnp.pad(array, ((0, 0), (0, missing), (0, 0), (0, 0)))
    parts = padded.reshape((array.shape[0], -1, chunk, *array.shape[2:]))
    return parts.transpose((1, 0, 3, 2, 4))


def _join(array: Array, num_steps: int) -> Array:
    """Reshapes [M, B, N, C, V] to [B, T, N, V]."""
    parts = array.transpose((1, 0, 3, 2, 4))
    return parts.reshape((parts.shape[0], -1, *parts.shape[3:]))[:, :num_steps]


def _transpose(matrices: Array) -> Array:
    return matrices.swapaxes(-1, -2)


def _to_the_end(k: Array, c: Array) -> Array:
    """Returns the keys of a chunk as they are at its end: exp(c_C - c_s) * k_s, [..., K, C]."""
    return _transpose(k * jnp.exp(c[..., -1:, :] - c))


def _borders(start: Array, kept: Array, added: Array) -> tuple[Array, Array]:
    """Returns the states before every chunk [M, B, N, K, V], and the final state."""

    def pass_on(memory: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        kept, added = now
        return kept * memory + added, memory

    final, before = lax.scan(pass_on, start, (kept, added))
    return before, final


def _correct(
    start: Array, kept: Array, keys: Array, chunks: MatrixSteps, beta: Array
) -> tuple[Array, Array, Array]:
    """Returns U [M, B, N, C, V], the states before every chunk, and the final state.

    The field log_decay of `chunks` holds c.
    """
    k, v, c = chunks.k, chunks.v, chunks.log_decay
    solve = unit_lower_inverse(beta * jnp.tril(_weights(k, k, c), -1))
    fresh, read = solve @ (beta * v), solve @ (beta * jnp.exp(c) * k)
    return _solved_borders(start, kept, keys, fresh, read, jnp.zeros_like(kept))


def _rewrite(
    start: Array, chunks: MatrixSteps, c: Array, e: Array, p: Array
) -> tuple[Array, Array]:
    """Returns y [M, B, N, C, V] of the rule of RWKV-7, and the final state."""
    q, k, v = chunks.q, chunks.k, chunks.v
    earlier = jnp.concatenate([jnp.zeros_like(c[..., :1, :]), c[..., :-1, :]], axis=-2)  # c_{t-1}
    a, b = (jnp.tril(_weights(e, key, c, earlier), -1) for key in (p, k))
    solve = unit_lower_inverse(a)
    fresh, read = -solve @ (b @ v), solve @ (jnp.exp(earlier) * e)
    kept = _transpose(jnp.exp(c[..., -1:, :]))
    added = _to_the_end(k, c) @ v
    u, before, final = _solved_borders(start, kept, _to_the_end(p, c), fresh, read, added)
    return (q * jnp.exp(c)) @ before + _weights(q, k, c) @ v + _weights(q, p, c) @ u, final


def _solved_borders(start: Array, *chunks: Array) -> tuple[Array, Array, Array]:
    """Returns U, the states before every chunk, and the final state, of U = fresh - read S_0."""

    def pass_on(memory: Array, now: tuple[Array, ...]) -> tuple[Array, tuple[Array, Array]]:
        kept, keys, fresh, read, added = now
        u = fresh - read @ memory
        return kept * memory + added + keys @ u, (memory, u)

    final, (before, u) = lax.scan(pass_on, start, chunks)
    return u, before, final


def _weights(q: Array, k: Array, c: Array, c_of_q: Array | None = None) -> Array:
    """Returns P [..., C, C], zero for s > t. `c_of_q` replaces c_t, but not c_s.

    If each unit has its own decay, exp(c_t - c_s) cannot be taken out of the sum over units, and
    exp(c_t) exp(-c_s) may overflow. So P is made of blocks of 1, 2, 4, ..., C steps. A block of
    two halves has s in its first half and t in its second half below the diagonal, and there the
    exponent is split at the last step m of the first half: exp(c_t - c_m) exp(c_m - c_s).
    """
    c_of_q = c if c_of_q is None else c_of_q
    total = q.shape[-2]
    if c.shape[-1] == 1:
        at = jnp.arange(total)
        exponent = jnp.where(at[:, None] >= at[None, :], c_of_q - _transpose(c), -jnp.inf)
        return (q @ _transpose(k)) * jnp.exp(exponent)
    blocks = (q * k).sum(axis=-1)[..., None, None]
    size = 1
    while size < total:
        (k_s, _), (c_s, _) = _halves(k, size), _halves(c, size)
        (_, q_t), (_, c_t) = _halves(q, size), _halves(c_of_q, size)
        c_m = c_s[..., -1:, :]
        below = (q_t * jnp.exp(c_t - c_m)) @ _transpose(k_s * jnp.exp(c_m - c_s))
        blocks = blocks.reshape((*below.shape[:-2], 2, size, size))
        first, second = blocks[..., 0, :, :], blocks[..., 1, :, :]
        above = jnp.concatenate([first, jnp.zeros_like(first)], axis=-1)
        blocks = jnp.concatenate([above, jnp.concatenate([below, second], axis=-1)], axis=-2)
        size *= 2
    return blocks[..., 0, :, :]


def _halves(array: Array, size: int) -> tuple[Array, Array]:
    """Returns the two halves [..., C / 2 size, size, K] of each block of 2 size steps."""
    *before, total, width = array.shape
    pairs = array.reshape((*before, total // (2 * size), 2, size, width))
    return pairs[..., 0, :, :], pairs[..., 1, :, :]


def unit_lower_inverse(lower: Array) -> Array:
    """Returns the inverse of I + L.

    The inverse of a block matrix with A and D on its diagonal and B below follows from A^-1 and
    D^-1:

        [A 0; B D]^-1 = [A^-1 0; -D^-1 B A^-1 D^-1]

    This is applied to blocks of 1, 2, 4, ... steps. It is many times faster than a triangular
    solver that goes row by row.

    Args:
        lower: [..., C, C], L; only the elements below the diagonal are read. C is a power of two.

    Example:
        >>> unit_lower_inverse(jnp.array([[0.0, 0.0], [3.0, 0.0]])).tolist()
        [[1.0, 0.0], [-3.0, 1.0]]
    """
    total = lower.shape[-1]
    at = jnp.arange(total)
    inverse = jnp.broadcast_to(jnp.eye(total, dtype=lower.dtype), lower.shape)
    size = 2
    while size <= total:
        block, half = at // size, at % size >= size // 2
        same = (block[:, None] == block[None, :]) & half[:, None] & ~half[None, :]
        inverse = inverse - inverse @ jnp.where(same, lower, 0) @ inverse
        size *= 2
    return inverse
