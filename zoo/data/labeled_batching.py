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
    """A batch of texts that a classifier reads, with the labels that it predicts.

    Attributes:
        tokens: int32[B, T]; padding holds `END_ID`.
        lengths: int32[B], the number of real tokens of each row, its end included, so at least 1.
        targets: float32[B, C], 1 if a text has the label, otherwise 0.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray


def encode_texts(
    vocabulary: Vocabulary, texts: Sequence[str], max_tokens: int = 0, cut: str = "end"
) -> Rows:
    """Returns the tokens of each text with its end; an empty text has only its end.

    Args:
        vocabulary: the vocabulary.
        texts: the texts.
        max_tokens: the largest number of tokens of a text, its end not counted; 0 means no limit.
        cut: the part of a longer text that is dropped: "end" or "middle".

    Returns:
        For each text int32[T] tokens.
    """
    rows = (np.array([*vocabulary.encode(text), END_ID], np.int32) for text in texts)
    return make_rows(_cut(row, max_tokens, cut) for row in rows)


def cut_rows(rows: Sequence[np.ndarray], max_tokens: int, cut: str = "end") -> Sequence[np.ndarray]:
    """Returns the rows without the tokens that are too many; see `encode_texts`.

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
    """Returns rows of tokens as int32[B, T], padded with `END_ID`, and their lengths as int32[B].

    Example:
        >>> tokens, lengths = pad([np.array([5, 2]), np.array([2])], 3)
        >>> tokens.tolist(), lengths.tolist()
        ([[5, 2, 2], [2, 2, 2]], [2, 1])
    """
    return pad_rows(rows, num_steps), np.array([len(row) for row in rows], np.int32)


class LabeledBatches(BucketedBatches):
    """Batches of labelled texts of similar length, see `BucketPlan`.

    An epoch uses every text once, except up to B - 1 texts that do not fill a batch.

    Args:
        rows: int32[T] tokens of each text, as `encode_texts` makes them.
        targets: float32[N, C], as `Labels.encode` makes them.
        **buckets: the settings of the batches, see `Buckets`.

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
        """Returns batch number `index` of an epoch."""
        num_steps, chosen = self._chosen(epoch, index)
        tokens, lengths = pad([self._rows[row] for row in chosen], num_steps)
        return LabeledBatch(tokens, lengths, self._targets[chosen])
