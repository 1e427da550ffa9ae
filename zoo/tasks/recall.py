"""The recall task: which symbol came first?

A sequence is one symbol to remember and then `lag` others drawn at random; after the last one the
model has to name the first. What it needs to learn that is a gradient that survives `lag` steps
(Hochreiter and Schmidhuber 1997 measured long short-term memory by tasks of this kind).
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zoo.layers.cross_entropy import token_losses
from zoo.models.output import LMOutput, Model
from zoo.tasks.task import Loss, Objective
from zoo.types import Params, PyTree

Array = jax.Array


class RecallBatch(NamedTuple):
    """Sequences, and the symbol that each began with.

    Attributes:
        inputs: int32[B, lag + 1].
        targets: int32[B].
    """

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class RecallBatches:
    """Random sequences, each batch a pure function of (seed, epoch, index).

    Attributes:
        lag: symbols between the first one and the question.
        num_symbols: how many there are to choose from.
        batch_size: B.
        seed: of all sequences.
        batches_per_epoch: sequences never come again, so an epoch is a matter of taste.

    Example:
        >>> batch = RecallBatches(lag=3, num_symbols=4, batch_size=2, seed=0).batch(0, 0)
        >>> batch.inputs.shape, (batch.inputs[:, 0] == batch.targets).all()
        ((2, 4), np.True_)
    """

    lag: int
    num_symbols: int
    batch_size: int
    seed: int
    batches_per_epoch: int = 1000

    def batch(self, epoch: int, index: int) -> RecallBatch:
        """Return batch number `index` of an epoch."""
        draw = np.random.default_rng([self.seed, epoch, index])
        shape = (self.batch_size, self.lag + 1)
        inputs = draw.integers(self.num_symbols, size=shape, dtype=np.int32)
        return RecallBatch(inputs, inputs[:, 0])


@dataclass(frozen=True)
class Recall(Objective):
    """The loss of a language model over the symbols, asked only after the last step.

    Attributes:
        model: maps tokens to an LMOutput.
    """

    model: Model

    def loss(self, params: Params, carry: PyTree, batch: RecallBatch, key: Array) -> Loss:
        """Mean loss in nats, the carry as it was, and sums: loss, right answers and sequences."""
        del key
        output: LMOutput = self.model.apply({"params": params}, batch.inputs)
        logits, targets = output.logits[:, -1], jnp.asarray(batch.targets)
        total = token_losses(logits[:, None], targets[:, None]).sum()
        right = (logits.argmax(axis=-1) == targets).sum().astype(jnp.float32)
        count = jnp.float32(len(targets))
        metrics = {"loss_nats": total, "num_right": right, "num_sequences": count}
        return total / count, (carry, metrics)
