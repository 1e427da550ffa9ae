"""The loss of models with a softmax over a vocabulary."""

from typing import Protocol

import jax

from zoo.layers.cross_entropy import weighted_losses
from zoo.layers.fast.softmax_loss import SoftmaxInputs, count_parts, softmax_losses
from zoo.tasks.task import Loss
from zoo.types import PyTree

Array = jax.Array


class HasLogits(Protocol):
    """The output of a model with a softmax over a vocabulary."""

    @property
    def logits(self) -> Array:
        """The logits, [B, T, V]."""

    @property
    def softmax(self) -> SoftmaxInputs | None:
        """The inputs of the softmax; None if the model does not provide them."""


def output_losses(
    output: HasLogits, targets: Array, weights: Array, smoothing: float = 0.0
) -> tuple[Array, Array]:
    """Returns the weighted sum of the losses, and the loss of each target.

    Args:
        output: an `LMOutput` or a `TranslationOutput`. If it has `softmax` and many logits, the
            logits are not used, so that a compiled program does not compute them; see
            `zoo.layers.fast.softmax_loss`.
        targets: int32[B, T].
        weights: [B, T], the weight of each target.
        smoothing: the part of a target's probability that is spread over all tokens.

    Returns:
        The sum, a scalar; and the losses [B, T] in nats, without smoothing.
    """
    if output.softmax is not None and count_parts(output.softmax) > 1:
        return softmax_losses(output.softmax, targets, weights, smoothing)
    return weighted_losses(output.logits, targets, weights, smoothing)


def mean_and_sums(total: Array, num_targets: Array, num_tokens: Array, carry: PyTree) -> Loss:
    """Returns the mean loss, the carry and the sums, as `Objective.loss` gives them."""
    counts = {"num_targets": num_targets, "num_tokens": num_tokens}
    sums = {name: count.astype(total.dtype) for name, count in counts.items()}
    return total / sums["num_targets"], (carry, {"loss_nats": total, **sums})
