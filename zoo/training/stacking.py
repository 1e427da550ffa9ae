"""Batches of one shape, stacked for one call of `train_steps`."""

import jax
from jax.sharding import Mesh

from zoo.data.batching import Batches
from zoo.training.devices import place_batches
from zoo.types import PyTree


def stack_batches(
    batches: Batches, step: int, *, most: int, capacity: int, mesh: Mesh | None = None
) -> tuple[PyTree, int]:
    """The batches of the steps from `step` on, to be trained on in one call.

    The data position is the step: it tells the epoch and the index in it.

    Args:
        batches: the training batches.
        step: the first one's step.
        most: how many are wanted; there are fewer where a batch has another shape than the first.
        capacity: K, the size of the stack; the places that are left over repeat the last batch.
        mesh: the devices that they go to; None to leave them in the host's memory.

    Returns:
        Arrays [K, ...], and how many of the K places are to be trained on.
    """
    chosen: list[PyTree] = []
    for position in range(step, step + min(most, capacity)):
        batch = batches.batch(*divmod(position, batches.batches_per_epoch))
        if chosen and _shapes(batch) != _shapes(chosen[0]):
            break
        chosen.append(batch)
    padded = chosen + [chosen[-1]] * (capacity - len(chosen))
    return place_batches(padded, mesh), len(chosen)


def _shapes(batch: PyTree) -> list[tuple[int, ...]]:
    return [array.shape for array in jax.tree.leaves(batch)]
