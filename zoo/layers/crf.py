"""The linear-chain conditional random field: a distribution over whole sequences of tags.

    s(x, y) = a_{y_1} + sum_{t=1}^n e_t[y_t] + sum_{t=2}^n A[y_{t-1}, y_t] + b_{y_n}
    Z(x)    = sum_y exp s(x, y)                  over all K^n sequences y
    p(y|x)  = exp s(x, y) / Z(x)

(Lafferty et al. 2001; with e from a recurrent network Lample et al. 2016, eqs. 1 to 3, where a and
b are the columns of a start and an end tag.)

Forward algorithm, with one step per word:
    alpha_1[j] = a_j + e_1[j],     alpha_t[j] = e_t[j] + log sum_i exp(alpha_{t-1}[i] + A[i, j])
    log Z      = log sum_j exp(alpha_n[j] + b_j)

A step is a product of alpha with the matrix M_t[i, j] = A[i, j] + e_t[j] in the semiring of
(log-sum-exp, +). This product is associative, so all M_t can be multiplied in log n rounds.
`scan="parallel"` does so; it needs K times the work, on a device that would otherwise be idle. The
Viterbi algorithm (Forney 1973) replaces log-sum-exp by max, and keeps pointers to the maxima.

The marginals are derivatives of log Z, so they cost one backward pass:
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

# The score of a transition that a scheme of tags forbids. Its exp is 0 in float32, so that Z is the
# sum over the allowed sequences only. Minus infinity would give the same Z. But alpha of a tag that
# no allowed sequence reaches would then be the log of an empty sum, whose derivative is NaN.
FORBIDDEN = -1e4
# Off the diagonal of the identity matrix: far below every sum of scores, even forbidden scores.
_NOTHING = -1e30


class Transitions(NamedTuple):
    """The scores that do not depend on the words, or bools that tell which transitions are allowed.

    Attributes:
        start: [K], a, the scores of the first tag.
        between: [K, K], A, the scores from the tag of the row to the tag of the column.
        end: [K], b, the scores of the last tag.
    """

    start: Array
    between: Array
    end: Array


def constrain(transitions: Transitions, allowed: Transitions) -> Transitions:
    """Returns transitions in which forbidden scores are so low that their probability is 0.

    The gradient with respect to a forbidden score is 0.

    Args:
        transitions: the scores.
        allowed: bools with the same shapes.

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
        scores: [B, T, K], e; values at padding have no effect.
        transitions: a, A and b.
        lengths: int32[B], the number of real steps of each row, at least 1.
        scan: "sequential" for the loop over time, "parallel" for log T rounds over all steps.

    Returns:
        [B], log Z in nats.

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
    """Returns the scores and the mask of all steps after the first, [T, B, ...].

    A step of padding is appended, so that the loop has T steps and never none. A program for any T
    needs at least one step.
    """
    following = jnp.concatenate([scores[:, 1:], scores[:, :1]], axis=1)
    is_real = jnp.concatenate([real[:, 1:], jnp.zeros_like(real[:, :1])], axis=1)
    return following.swapaxes(0, 1), is_real.T


def _last_alpha_at_once(scores: Array, transitions: Transitions, real: Array) -> Array:
    """Returns alpha_n; the first step is a matrix with equal rows, and padding is the identity."""
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
    """Returns s(x, y) for the tags of each row.

    Args:
        scores: [B, T, K].
        transitions: a, A and b.
        tags: int32[B, T], y; the numbers are from 0 to K - 1, also at padding.
        lengths: int32[B], the number of real steps of each row.

    Returns:
        [B], the scores.

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
    """Returns log p(y|x) for the tags of each row, [B], in nats; see `sequence_score`.

    Example:
        >>> zeros = Transitions(jnp.zeros(2), jnp.zeros((2, 2)), jnp.zeros(2))
        >>> tags, lengths = jnp.array([[0, 1, 0]]), jnp.array([3])
        >>> jnp.exp(log_likelihood(jnp.zeros((1, 3, 2)), zeros, tags, lengths)).round(4).item()
        0.125
    """
    partition = log_partition(scores, transitions, lengths)
    return sequence_score(scores, transitions, tags, lengths) - partition


def marginals(scores: Array, transitions: Transitions, lengths: Array) -> Array:
    """Returns p(y_t = k | x), the derivative of log Z with respect to e_t[k].

    Args:
        scores: [B, T, K], e.
        transitions: a, A and b.
        lengths: int32[B], the number of real steps of each row.

    Returns:
        [B, T, K]. The probabilities of a word sum to one; at padding they are 0.

    Example:
        >>> follow = Transitions(jnp.zeros(2), jnp.array([[0.0, -1e4], [-1e4, 0.0]]), jnp.zeros(2))
        >>> scores = jnp.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]])
        >>> (100 * marginals(scores, follow, jnp.array([3]))[0, :, 0]).round().tolist()  # e^2 to 1
        [88.0, 88.0, 88.0]
    """
    return jax.grad(lambda e: log_partition(e, transitions, lengths).sum())(scores)


def viterbi(scores: Array, transitions: Transitions, lengths: Array) -> tuple[Array, Array]:
    """Returns the most probable sequence of tags, argmax_y s(x, y), and its score.

    delta_t[j] = e_t[j] + max_i (delta_{t-1}[i] + A[i, j]); the best i is kept as a pointer

    Args:
        scores: [B, T, K], e.
        transitions: a, A and b.
        lengths: int32[B], the number of real steps of each row.

    Returns:
        int32[B, T], the tags, zero at padding; and [B], max_y s(x, y). If several sequences have
        this score, any of them is returned.

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
