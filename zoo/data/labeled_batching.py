"""Batches for classifiers, each a pure function of (seed, epoch, index).

Axes: B batch rows, T time steps, C labels.
"""

from collections.abc import Sequence
from typing import NamedTuple, Unpack

import numpy as np

from zoo.data.batching import BucketedBatches, Buckets, pad_rows
from zoo.data.token_file import Rows, make_rows, row_lengths
from zoo.data.vocabulary import Vocabulary
from zoo.special_tokens import END_ID


class LabeledBatch(NamedTuple):
    """What a classifier reads and predicts.

    Attributes:
        tokens: int32[B, T]; padding holds `END_ID`.
        lengths: int32[B], real tokens of a row, its end included, so at least 1.
        targets: float32[B, C], 1 where a text has the label.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray


def encode_texts(
    vocabulary: Vocabulary, texts: Sequence[str], max_tokens: int = 0, cut: str = "end"
) -> Rows:
    """Returns the tokens of each text and its end; of an empty text only the end.

    Args:
        vocabulary: the vocabulary.
        texts: the texts.
        max_tokens: the largest number of tokens of a text, its end not counted; 0 means no limit.
        cut: which part of a longer text is dropped: its "end" or its "middle".

    Returns:
        int32[T] of each text.
    """
    rows = (np.array([*vocabulary.encode(text), END_ID], np.int32) for text in texts)
    return make_rows(_cut(row, max_tokens, cut) for row in rows)


def cut_rows(rows: Sequence[np.ndarray], max_tokens: int, cut: str = "end") -> Sequence[np.ndarray]:
    """Returns rows of tokens of which none is too long; arguments as in `encode_texts`.

    Example:
        >>> rows = [np.array([3, 4, 5, 6, 7, END_ID])]
        >>> cut_rows(rows, 3)[0].tolist(), cut_rows(rows, 3, "middle")[0].tolist()
        ([3, 4, 5, 2], [3, 4, 7, 2])
    """
    return make_rows(_cut(row, max_tokens, cut) for row in rows) if max_tokens else rows


def _cut(row: np.ndarray, max_tokens: int, cut: str) -> np.ndarray:
    if not max_tokens or len(row) <= max_tokens + 1:
        return row
    tail = max_tokens // 2 if cut == "middle" else 0
    return np.concatenate([row[: max_tokens - tail], row[len(row) - 1 - tail :]])


def pad(rows: Sequence[np.ndarray], num_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of tokens as int32[B, T] and their lengths as int32[B].

    Example:
        >>> tokens, lengths = pad([np.array([5, 2]), np.array([2])], 3)
        >>> tokens.tolist(), lengths.tolist()
        ([[5, 2, 2], [2, 2, 2]], [2, 1])
    """
    return pad_rows(rows, num_steps), np.array([len(row) for row in rows], np.int32)


class LabeledBatches(BucketedBatches):
    """Texts with their labels, in buckets of similar length, see `BucketPlan`.

    An epoch uses every text once, except up to B - 1 that would make no full batch.

    Args:
        rows: int32[T] tokens of each text, as `encode_texts` makes them.
        targets: float32[N, C], as `Labels.encode` makes them.
        **buckets: see `Buckets`.

    Raises:
        UserError: there is no full batch.

    Example:
        >>> rows = [np.array([5, 2]), np.array([2])]
        >>> batches = LabeledBatches(rows, np.eye(2), batch_size=2, bucket_lengths=(4,), seed=0)
        >>> sorted(batches.batch(epoch=0, index=0).tokens.tolist())
        [[2, 2, 2, 2], [5, 2, 2, 2]]
    """

    def __init__(self, rows: Sequence[np.ndarray], targets: np.ndarray, **buckets: Unpack[Buckets]):
        super().__init__(row_lengths(rows), "texts", **buckets)
        self._rows, self._targets = rows, targets

    def batch(self, epoch: int, index: int) -> LabeledBatch:
        """Return batch number `index` of an epoch."""
        num_steps, chosen = self._plan.batch(epoch, index)
        tokens, lengths = pad([self._rows[row] for row in chosen], num_steps)
        return LabeledBatch(tokens, lengths, self._targets[chosen])
