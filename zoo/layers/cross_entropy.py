"""The cross-entropy of softmax outputs, with a hand-written gradient."""

import jax
import jax.numpy as jnp

Array = jax.Array


def token_losses(logits: Array, targets: Array) -> Array:
    """Returns the negative log-probability of each target, in nats.

    loss = log sum_v exp(logit_v) - logit_target
    d loss / d logit_v = softmax(logits)_v - [v = target]

    The hand-written gradient is one pass over the logits. Autodiff would first scatter the second
    term into an array of zeros, which for 10,000 words costs as much as a matrix product.

    Args:
        logits: [B, T, V], unnormalised.
        targets: int32[B, T].

    Returns:
        [B, T], -log softmax(logits)[target].

    Example:
        >>> round(token_losses(jnp.zeros((1, 1, 4)), jnp.array([[3]])).item(), 4)
        1.3863
    """
    flat = logits.reshape((-1, logits.shape[-1]))
    return _losses(flat, jnp.reshape(targets, (-1,))).reshape(targets.shape)


def weighted_losses(
    logits: Array, targets: Array, weights: Array, smoothing: float = 0.0
) -> tuple[Array, Array]:
    """Returns the weighted sum of the losses, and the loss of each target.

    sum_n w_n (1 - e) nats_n + w_n e (log sum_v exp(logit_nv) - (1/V) sum_v logit_nv)

    Args:
        logits: [B, T, V], unnormalised.
        targets: int32[B, T].
        weights: [B, T], w.
        smoothing: e, the part of a target's probability that is spread over all V (label smoothing,
            Szegedy et al. 2016).

    Returns:
        The sum, a scalar; and the `token_losses` [B, T] without smoothing.

    Example:
        >>> weights = jnp.array([[2.0, 0.0]])
        >>> total, nats = weighted_losses(jnp.zeros((1, 2, 4)), jnp.array([[3, 0]]), weights)
        >>> round(total.item(), 4), nats.shape
        (2.7726, (1, 2))
    """
    nats = token_losses(logits, targets)
    losses = nats
    if smoothing:
        everywhere = jax.nn.logsumexp(logits, axis=-1) - logits.mean(axis=-1)
        losses = (1 - smoothing) * nats + smoothing * everywhere
    return (weights * losses).sum(), nats


@jax.custom_vjp
def _losses(logits: Array, targets: Array) -> Array:
    """Returns the losses [N] of logits [N, V] and targets [N]."""
    return _forward(logits, targets)[0]


def _forward(logits: Array, targets: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    largest = logits.max(axis=1)
    normaliser = largest + jnp.log(jnp.exp(logits - largest[:, None]).sum(axis=1))
    picked = jnp.take_along_axis(logits, targets[:, None], axis=1)[:, 0]
    return normaliser - picked, (logits, targets, normaliser)


def _backward(kept: tuple[Array, Array, Array], grad: Array) -> tuple[Array, None]:
    logits, targets, normaliser = kept
    is_target = jnp.arange(logits.shape[1], dtype=targets.dtype)[None, :] == targets[:, None]
    softmax = jnp.exp(logits - normaliser[:, None])
    return (softmax - is_target.astype(logits.dtype)) * grad[:, None], None


_losses.defvjp(_forward, _backward)
