"""The loss of what a model with a softmax over a vocabulary gives."""

from typing import Protocol

import jax

from zoo.layers.cross_entropy import weighted_losses
from zoo.layers.fast.softmax_loss import SoftmaxInputs, count_parts, softmax_losses
from zoo.tasks.task import Loss
from zoo.types import PyTree

Array = jax.Array


class HasLogits(Protocol):
    """What a model with a softmax over a vocabulary gives."""

    @property
    def logits(self) -> Array:
        """[B, T, V]."""

    @property
    def softmax(self) -> SoftmaxInputs | None:
        """What the logits are made of, where that is known."""


def output_losses(
    output: HasLogits, targets: Array, weights: Array, smoothing: float = 0.0
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


def mean_and_sums(total: Array, num_targets: Array, num_tokens: Array, carry: PyTree) -> Loss:
    """Returns the mean loss, the carry and the sums, as `Objective.loss` gives them."""
    counts = {"num_targets": num_targets, "num_tokens": num_tokens}
    sums = {name: count.astype(total.dtype) for name, count in counts.items()}
    return total / sums["num_targets"], (carry, {"loss_nats": total, **sums})
