"""Texts read in batches of similar length, several batches at a time.

Axes: N texts, B texts of a batch, T padded length.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from zoo.data.batching import power_of_two, similar_lengths
from zoo.fetching import fetch
from zoo.progress import track
from zoo.side_by_side import side_by_side
from zoo.types import Params


class Shapes(NamedTuple):
    """The shapes that batches may have. Each one needs a compiled program.

    Attributes:
        batch_size: the largest number of texts of a batch.
        lengths: the values of T.
        fine_lengths: the values of T for more texts than one batch has: less padding, but more
            programs.
    """

    batch_size: int
    lengths: tuple[int, ...]
    fine_lengths: tuple[int, ...]


def read_by_length(
    read: Callable[[int, np.ndarray], tuple[jax.Array, ...]],
    lengths: np.ndarray,
    shapes: Shapes,
    params: Params,
    *,
    what: str,
) -> list[tuple[np.ndarray, ...]]:
    """Returns the arrays of each of N texts, in the order of the texts.

    Args:
        read: returns arrays [B, ...] for the texts whose numbers are int[B], padded to T steps. B
            is a power of two: a smaller batch is filled up with copies of its own texts.
        lengths: int[N], the number of steps of each text, for N of at least 1.
        shapes: the shapes of the batches.
        params: the parameters that `read` reads.
        what: the work, as the progress bar names it, such as "tagging".

    Example:
        >>> shapes = Shapes(batch_size=4, lengths=(4, 8), fine_lengths=(2, 4, 8))
        >>> def read(num_steps, numbers):
        ...     return numbers * 10, np.full((len(numbers), num_steps), 1)
        >>> found = read_by_length(read, np.array([5, 1, 2]), shapes, {}, what="reading")
        >>> [(int(number), len(ones)) for number, ones in found]
        [(0, 8), (10, 8), (20, 8)]
    """
    is_one_batch = len(lengths) <= shapes.batch_size
    allowed = shapes.lengths if is_one_batch else shapes.fine_lengths
    batches = similar_lengths(lengths, allowed, shapes.batch_size)

    def read_batch(batch: tuple[int, np.ndarray]) -> tuple[np.ndarray, ...]:
        num_steps, numbers = batch
        return fetch(read(num_steps, fill_up(numbers)))

    found: list[tuple[np.ndarray, ...]] = [()] * len(lengths)
    outputs = side_by_side(read_batch, batches, params)
    for (_, numbers), arrays in zip(track(batches, what), outputs, strict=True):
        for place, number in enumerate(numbers):
            found[number] = tuple(array[place] for array in arrays)
    return found


def fill_up(numbers: np.ndarray) -> np.ndarray:
    """Returns numbers, repeated until their count is a power of two.

    Example:
        >>> fill_up(np.array([7, 8, 9])).tolist()
        [7, 8, 9, 7]
    """
    return np.resize(numbers, power_of_two(len(numbers)))
