"""The loss of what a model with a softmax over a vocabulary gives."""

from typing import Any

import jax

from zoo.layers.cross_entropy import weighted_losses
from zoo.layers.fast.softmax_loss import count_parts, softmax_losses

Array = jax.Array


def output_losses(
    output: Any, targets: Array, weights: Array, smoothing: float = 0.0
) -> tuple[Array, Array]:
    """The weighted sum of the losses, and each target's own; see `zoo.layers.fast.softmax_loss`.

    Args:
        output: an `LMOutput` or `TranslationOutput`. Where it has `softmax` and the logits would be
            many, they are not looked at, and a compiled program does not make them.
        targets: int32[B, T].
        weights: [B, T].
        smoothing: how much of each target's probability is spread over all tokens.

    Returns:
        A scalar, and [B, T] in nats, without smoothing.
    """
    if output.softmax is not None and count_parts(output.softmax) > 1:
        return softmax_losses(output.softmax, targets, weights, smoothing)
    return weighted_losses(output.logits, targets, weights, smoothing)
