"""The recall task: which symbol came first?

A sequence has one symbol to remember, and then `lag` random symbols. After the last symbol the
model has to name the first symbol. To learn this, it needs a gradient that survives `lag` steps
(Hochreiter and Schmidhuber 1997 measured long short-term memory with tasks of this kind).
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
    """A batch of sequences with their first symbols.

    Attributes:
        inputs: int32[B, lag + 1], the sequences.
        targets: int32[B], the first symbol of each sequence.
    """

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class RecallBatches:
    """Batches of random sequences, each a pure function of (seed, epoch, index).

    Attributes:
        lag: the number of symbols between the first symbol and the question.
        num_symbols: the number of different symbols.
        batch_size: B.
        seed: the seed of all sequences.
        batches_per_epoch: the number of batches of an epoch. Sequences are never repeated, so any
            number is possible.

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
        """Returns batch number `index` of an epoch."""
        draw = np.random.default_rng([self.seed, epoch, index])
        shape = (self.batch_size, self.lag + 1)
        inputs = draw.integers(self.num_symbols, size=shape, dtype=np.int32)
        return RecallBatch(inputs, inputs[:, 0])


@dataclass(frozen=True)
class Recall(Objective):
    """The loss of a language model over the symbols, after the last step only.

    Attributes:
        model: a module that maps tokens to an LMOutput.
    """

    model: Model

    def loss(self, params: Params, carry: PyTree, batch: RecallBatch, key: Array) -> Loss:
        """Returns the mean loss in nats, the carry, and metrics; see `Objective.loss`."""
        del key
        output: LMOutput = self.model.apply({"params": params}, batch.inputs)
        logits, targets = output.logits[:, -1], jnp.asarray(batch.targets)
        total = token_losses(logits[:, None], targets[:, None]).sum()
        right = (logits.argmax(axis=-1) == targets).sum().astype(jnp.float32)
        count = jnp.float32(len(targets))
        metrics = {"loss_nats": total, "num_right": right, "num_targets": count}
        return total / count, (carry, metrics)
