"""The linear-chain conditional random field: a distribution over whole sequences of tags.

    s(x, y) = a_{y_1} + sum_{t=1}^n e_t[y_t] + sum_{t=2}^n A[y_{t-1}, y_t] + b_{y_n}
    Z(x)    = sum_y exp s(x, y)                  over all K^n sequences y
    p(y|x)  = exp s(x, y) / Z(x)

(Lafferty et al. 2001; with e from a recurrent network Lample et al. 2016, eqs. 1 to 3, where a and
b are the columns of a start and an end tag.)

Forward algorithm, one step a word:
    alpha_1[j] = a_j + e_1[j],     alpha_t[j] = e_t[j] + log sum_i exp(alpha_{t-1}[i] + A[i, j])
    log Z      = log sum_j exp(alpha_n[j] + b_j)

A step is a product of alpha with the matrix M_t[i, j] = A[i, j] + e_t[j] in the semiring of
(log-sum-exp, +). That product is associative, so that all M_t can be multiplied in log n rounds
(`scan="parallel"`: K times the work, for a device that has little to do otherwise). Viterbi's
algorithm (Forney 1973) has max in the place of log-sum-exp, and keeps pointers to the maxima.

The marginals are derivatives of log Z, which is why they cost one backward pass:
    d log Z / d e_t[k] = sum_{y: y_t = k} p(y|x) = p(y_t = k | x)

Axes: B rows, T time, K tags; n is the length of a row.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.nn import logsumexp

from zoo.errors import UserError
from zoo.layers.masks import real_steps

Array = jax.Array

# The score of a transition that a scheme of tags forbids. exp of it is 0 in float32, so that Z is
# the sum over the allowed sequences alone. Minus infinity would give the same Z, but a tag that no
# allowed sequence reaches would be the log of an empty sum, whose derivative is NaN.
FORBIDDEN = -1e4
# Off the diagonal of the identity matrix: far below every sum of scores, forbidden ones too.
_NOTHING = -1e30


class Transitions(NamedTuple):
    """The scores that do not depend on the words; or bools, which of them are allowed.

    Attributes:
        start: [K], a, of the first tag.
        between: [K, K], A, from the tag of the row to that of the column.
        end: [K], b, of the last tag.
    """

    start: Array
    between: Array
    end: Array


def constrain(transitions: Transitions, allowed: Transitions) -> Transitions:
    """Returns transitions whose forbidden ones have a score so low that their probability is 0.

    The gradient of a forbidden transition's own score is 0.

    Args:
        transitions: the scores.
        allowed: bools of the same shapes.

    Example:
        >>> zeros = Transitions(jnp.zeros(2), jnp.zeros((2, 2)), jnp.zeros(2))
        >>> every = jnp.ones(2, bool)
        >>> allowed = Transitions(jnp.array([True, False]), jnp.ones((2, 2), bool), every)
        >>> constrain(zeros, allowed).start.tolist()
        [0.0, -10000.0]
    """
    return Transitions(
        *(
            jnp.where(is_allowed, score, FORBIDDEN)
            for score, is_allowed in zip(transitions, allowed, strict=True)
        )
    )


def log_partition(
    scores: Array, transitions: Transitions, lengths: Array, *, scan: str = "sequential"
) -> Array:
    """Returns log Z of each row, by the forward algorithm.

    Args:
        scores: [B, T, K], e; what stands at padding changes nothing.
        transitions: a, A and b.
        lengths: int32[B], real steps of each row, at least 1.
        scan: "sequential" for the loop over time, "parallel" for log T rounds on all steps.

    Returns:
        [B], in nats.

    Example:
        >>> zeros = Transitions(jnp.zeros(3), jnp.zeros((3, 3)), jnp.zeros(3))
        >>> partition = log_partition(jnp.zeros((1, 5, 3)), zeros, jnp.array([2]))
        >>> jnp.exp(partition).round(3).item()  # all sequences of two words
        9.0
    """
    if scan not in ("sequential", "parallel"):
        raise UserError(f"scan is {scan!r}; use sequential or parallel")
    first = transitions.start[None] + scores[:, 0]
    real = real_steps(scores, lengths)
    if scan == "parallel":
        last = _last_alpha_at_once(scores, transitions, real)
    else:

        def step(alpha: Array, now: tuple[Array, Array]) -> tuple[Array, None]:
            score, is_real = now
            following = score + logsumexp(alpha[:, :, None] + transitions.between[None], axis=1)
            return jnp.where(is_real[:, None], following, alpha), None

        last, _ = lax.scan(step, first, _after_first(scores, real))
    return logsumexp(last + transitions.end[None], axis=1)


def _after_first(scores: Array, real: Array) -> tuple[Array, Array]:
    """The scores and the mask of all steps but the first, and one step of padding: [T, B, ...].

    With it a loop has T steps, of which there is always one; a program for any T needs that.
    """
    following = jnp.concatenate([scores[:, 1:], scores[:, :1]], axis=1)
    is_real = jnp.concatenate([real[:, 1:], jnp.zeros_like(real[:, :1])], axis=1)
    return following.swapaxes(0, 1), is_real.T


def _last_alpha_at_once(scores: Array, transitions: Transitions, real: Array) -> Array:
    """alpha_n of each row: the first step is a matrix with equal rows, padding is the identity."""
    size = scores.shape[2]
    nothing = jnp.asarray(_NOTHING, scores.dtype)
    identity = jnp.where(jnp.eye(size, dtype=bool), jnp.zeros((), scores.dtype), nothing)
    matrices = transitions.between[None, None] + scores[:, :, None, :]
    matrices = jnp.where(real[:, :, None, None], matrices, identity[None, None])
    first = jnp.broadcast_to(
        (transitions.start[None] + scores[:, 0])[:, None, :], matrices[:, 0].shape
    )
    matrices = matrices.at[:, 0].set(first)

    def after(one: Array, other: Array) -> Array:
        return logsumexp(one[..., :, :, None] + other[..., None, :, :], axis=-2)

    return lax.associative_scan(after, matrices, axis=1)[:, -1, 0]


def sequence_score(scores: Array, transitions: Transitions, tags: Array, lengths: Array) -> Array:
    """Returns s(x, y) of each row's tags.

    Args:
        scores: [B, T, K].
        transitions: a, A and b.
        tags: int32[B, T], y; numbers from 0 to K - 1 at padding too.
        lengths: int32[B].

    Returns:
        [B].

    Example:
        >>> transitions = Transitions(jnp.array([1.0, 0.0]), jnp.eye(2), jnp.array([0.0, 8.0]))
        >>> tags, lengths = jnp.array([[0, 0, 1]]), jnp.array([3])
        >>> sequence_score(jnp.zeros((1, 3, 2)), transitions, tags, lengths).item()  # 1 + 1 + 8
        10.0
    """
    real = real_steps(scores, lengths)
    of_words = jnp.take_along_axis(scores, tags[:, :, None], axis=2)[:, :, 0]
    of_pairs = transitions.between[tags[:, :-1], tags[:, 1:]]
    last = jnp.take_along_axis(tags, jnp.asarray(lengths)[:, None] - 1, axis=1)[:, 0]
    return (
        transitions.start[tags[:, 0]]
        + jnp.where(real, of_words, 0).sum(axis=1)
        + jnp.where(real[:, 1:], of_pairs, 0).sum(axis=1)
        + transitions.end[last]
    )


def log_likelihood(scores: Array, transitions: Transitions, tags: Array, lengths: Array) -> Array:
    """Returns log p(y|x) of each row's tags, [B], in nats; arguments as in `sequence_score`.

    Example:
        >>> zeros = Transitions(jnp.zeros(2), jnp.zeros((2, 2)), jnp.zeros(2))
        >>> tags, lengths = jnp.array([[0, 1, 0]]), jnp.array([3])
        >>> jnp.exp(log_likelihood(jnp.zeros((1, 3, 2)), zeros, tags, lengths)).round(4).item()
        0.125
    """
    partition = log_partition(scores, transitions, lengths)
    return sequence_score(scores, transitions, tags, lengths) - partition


def marginals(scores: Array, transitions: Transitions, lengths: Array) -> Array:
    """Returns p(y_t = k | x), the derivative of log Z by e_t[k].

    Args:
        scores: [B, T, K].
        transitions: a, A and b.
        lengths: int32[B].

    Returns:
        [B, T, K]; the tags of a word sum to one, those of padding are 0.

    Example:
        >>> follow = Transitions(jnp.zeros(2), jnp.array([[0.0, -1e4], [-1e4, 0.0]]), jnp.zeros(2))
        >>> scores = jnp.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]])
        >>> (100 * marginals(scores, follow, jnp.array([3]))[0, :, 0]).round().tolist()  # e^2 to 1
        [88.0, 88.0, 88.0]
    """
    return jax.grad(lambda e: log_partition(e, transitions, lengths).sum())(scores)


def viterbi(scores: Array, transitions: Transitions, lengths: Array) -> tuple[Array, Array]:
    """Returns the most probable sequence of tags, argmax_y s(x, y), and its score.

    delta_t[j] = e_t[j] + max_i (delta_{t-1}[i] + A[i, j]), with the best i kept as a pointer

    Args:
        scores: [B, T, K].
        transitions: a, A and b.
        lengths: int32[B].

    Returns:
        int32[B, T], zero at padding; and [B], max_y s(x, y). Of equal sequences it is one.

    Example:
        >>> follow = Transitions(jnp.zeros(2), jnp.array([[0.0, -1e4], [-1e4, 0.0]]), jnp.zeros(2))
        >>> scores = jnp.array([[[1.0, 0.0], [0.0, 3.0], [0.0, 0.0]]])
        >>> tags, score = viterbi(scores, follow, jnp.array([2]))
        >>> tags.tolist(), score.item()
        ([[1, 1, 0]], 3.0)
    """
    real = real_steps(scores, lengths)
    stay = jnp.arange(scores.shape[2], dtype=jnp.int32)[None]

    def forward(delta: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        score, is_real = now
        arriving = delta[:, :, None] + transitions.between[None]
        following = score + arriving.max(axis=1)
        pointers = jnp.where(is_real[:, None], arriving.argmax(axis=1).astype(jnp.int32), stay)
        return jnp.where(is_real[:, None], following, delta), pointers

    first = transitions.start[None] + scores[:, 0]
    delta, pointers = lax.scan(forward, first, _after_first(scores, real))
    final = delta + transitions.end[None]
    last = final.argmax(axis=1).astype(jnp.int32)

    def backward(tag: Array, pointer: Array) -> tuple[Array, Array]:
        before = jnp.take_along_axis(pointer, tag[:, None], axis=1)[:, 0]
        return before, tag

    start, following = lax.scan(backward, last, pointers, reverse=True)
    tags = jnp.concatenate([start[:, None], following[:-1].T], axis=1)
    return jnp.where(real, tags, 0), final.max(axis=1)
