"""Batches for translators, each a pure function of (seed, epoch, index).

Axes: B batch rows, S source steps, T target steps.
"""

from collections.abc import Sequence
from typing import NamedTuple, Unpack

import numpy as np

from zoo.data.batching import BucketedBatches, Buckets, shift_targets
from zoo.data.labeled_batching import pad
from zoo.data.token_file import Rows, row_lengths
from zoo.errors import UserError


class ParallelBatch(NamedTuple):
    """A batch of sentence pairs for a translator; padding holds `END_ID`.

    Attributes:
        sources: int32[B, S], the source tokens and `END_ID`.
        source_lengths: int32[B], the number of real tokens of each source, its end included, so at
            least 1.
        inputs: int32[B, T], `START_ID` and the target tokens.
        targets: int32[B, T], the target tokens and `END_ID`.
        lengths: int32[B], the number of real tokens of each target, its end included.
    """

    sources: np.ndarray
    source_lengths: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    lengths: np.ndarray


def make_parallel_batch(
    source_rows: Sequence[np.ndarray], target_rows: Sequence[np.ndarray], num_steps: int
) -> ParallelBatch:
    """Returns sentence pairs as one padded batch.

    Args:
        source_rows: int32[S] of each source, as `labeled_batching.encode_texts` makes them.
        target_rows: int32[T] of each target, in the same order.
        num_steps: the number of steps that both sides are padded to.

    Returns:
        The batch.

    Example:
        >>> batch = make_parallel_batch([np.array([5, 2])], [np.array([6, 7, 2])], 4)
        >>> batch.sources.tolist(), batch.inputs.tolist(), batch.targets.tolist()
        ([[5, 2, 2, 2]], [[1, 6, 7, 2]], [[6, 7, 2, 2]])
    """
    sources, source_lengths = pad(source_rows, num_steps)
    targets, lengths = pad(target_rows, num_steps)
    inputs, _ = pad([shift_targets(row) for row in target_rows], num_steps)
    return ParallelBatch(sources, source_lengths, inputs, targets, lengths)


def keep_short(source_rows: Rows, target_rows: Rows, max_tokens: int) -> tuple[Rows, Rows]:
    """Returns the sources and targets of the pairs whose two sides are short enough.

    Args:
        source_rows: int32[S] of each source, its end included.
        target_rows: int32[T] of each target, in the same order.
        max_tokens: the largest number of tokens of a side, its end not counted; 0 means no limit.

    Raises:
        UserError: no pair is left.
    """
    longer = np.maximum(source_rows.lengths, target_rows.lengths)
    kept = np.flatnonzero(longer <= (max_tokens or np.inf) + 1)
    if not len(kept):
        raise UserError(
            f"no training pair has at most {max_tokens} tokens on each side; "
            "use a larger data.max_tokens=N, or 0: no limit"
        )
    return source_rows[kept], target_rows[kept]


class ParallelBatches(BucketedBatches):
    """Batches of sentence pairs of similar length, see `BucketPlan`.

    The longer side of a pair decides its bucket, and both sides are padded to the length of the
    bucket. So each bucket has one shape, with S = T. An epoch uses every pair once, except up to
    B - 1 pairs that do not fill a batch.

    Args:
        source_rows: int32[S] of each source, as `labeled_batching.encode_texts` makes them.
        target_rows: int32[T] of each target, in the same order.
        **buckets: the settings of the batches, see `Buckets`.

    Raises:
        UserError: there is no full batch.

    Example:
        >>> rows = [np.array([5, 2]), np.array([2])]
        >>> batches = ParallelBatches(rows, rows, batch_size=2, bucket_lengths=(4,), seed=0)
        >>> sorted(batches.batch(epoch=0, index=0).inputs.tolist())
        [[1, 2, 2, 2], [1, 5, 2, 2]]
    """

    def __init__(
        self,
        source_rows: Sequence[np.ndarray],
        target_rows: Sequence[np.ndarray],
        **buckets: Unpack[Buckets],
    ):
        lengths = np.maximum(row_lengths(source_rows), row_lengths(target_rows))
        super().__init__(lengths, "pairs", **buckets)
        self._source_rows, self._target_rows = source_rows, target_rows

    def batch(self, epoch: int, index: int) -> ParallelBatch:
        """Returns batch number `index` of an epoch."""
        num_steps, chosen = self._chosen(epoch, index)
        sources = [self._source_rows[row] for row in chosen]
        targets = [self._target_rows[row] for row in chosen]
        return make_parallel_batch(sources, targets, num_steps)
