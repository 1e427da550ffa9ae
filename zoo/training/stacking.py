"""Batches of one shape, stacked for one call of `train_steps`."""

import jax
from jax.sharding import Mesh

from zoo.data.batching import Batches, SplitBatches
from zoo.training.devices import local_rows, place_batches
from zoo.types import PyTree


def stack_batches(
    batches: Batches, step: int, *, most: int, capacity: int, mesh: Mesh | None = None
) -> tuple[PyTree, int]:
    """Stacks the batches of the steps from `step` on, for one call of `train_steps`.

    The step alone determines the epoch and the index of the batch within the epoch. If there are
    several processes, each one makes only the rows of its own devices, if the batches allow it.

    Args:
        batches: the training batches.
        step: the step of the first batch.
        most: the largest number of batches to train on. A batch with another shape than the first
            ends the stack sooner.
        capacity: K, the size of the stack. Unused places repeat the last batch.
        mesh: the devices that receive the batches; None leaves them in the memory of the host.

    Returns:
        Arrays [K, ...], and the number of places to train on.
    """
    chosen: list[PyTree] = []
    num_rows = 0  # whole batches
    if mesh is not None and jax.process_count() > 1 and isinstance(batches, SplitBatches):
        num_rows = batches.batch_size
        batches = batches.of_rows(local_rows(mesh, num_rows))
    for position in range(step, step + min(most, capacity)):
        batch = batches.batch(*divmod(position, batches.batches_per_epoch))
        if chosen and _shapes(batch) != _shapes(chosen[0]):
            break
        chosen.append(batch)
    padded = chosen + [chosen[-1]] * (capacity - len(chosen))
    return place_batches(padded, mesh, num_rows), len(chosen)


def _shapes(batch: PyTree) -> list[tuple[int, ...]]:
    return [array.shape for array in jax.tree.leaves(batch)]
