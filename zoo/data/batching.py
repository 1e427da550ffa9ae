"""Batches for language models, each a pure function of (seed, epoch, index).

Axes: B batch rows, T time steps, N tokens of a stream.
"""

import copy
from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self, TypedDict, Unpack, runtime_checkable

import numpy as np

from zoo.data.token_file import Tokens, pieces_of
from zoo.errors import UserError
from zoo.special_tokens import END_ID, START_ID
from zoo.types import PyTree


class Batch(NamedTuple):
    """A batch of tokens that a language model reads and predicts in one step.

    Attributes:
        inputs: int32[B, T] tokens to read.
        targets: int32[B, T] tokens to predict.
        lengths: int32[B], the number of real tokens of each row, at least 1. The positions after
            them are padding and hold `END_ID`.
        fresh: bool[B]. True means that the row starts at the initial state, not at the carried
            state.
    """

    inputs: np.ndarray
    targets: np.ndarray
    lengths: np.ndarray
    fresh: np.ndarray


class Batches(Protocol):
    """The interface of all batches, such as `StreamBatches`, that a training loop uses."""

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches of an epoch."""
        ...

    def batch(self, epoch: int, index: int) -> PyTree:
        """Returns batch number `index` of an epoch, a tree of arrays."""
        ...


@runtime_checkable
class SplitBatches(Batches, Protocol):
    """Batches of which a process can make some rows without the others."""

    @property
    def batch_size(self) -> int:
        """The number of rows of a whole batch."""
        ...

    def of_rows(self, rows: slice) -> Batches:
        """Returns the same batches with some of their rows only; the texts are shared."""
        ...


class SeededBatches(Batches, Protocol):
    """Batches in a random order."""

    def with_seed(self, seed: int) -> "SeededBatches":
        """Returns the same batches in the order of another seed; the texts are shared."""
        ...


def shift_targets(targets: np.ndarray) -> np.ndarray:
    """Returns the inputs that belong to targets: each target's predecessor, or `<s>` after `</s>`.

    Args:
        targets: int32[..., T] tokens to predict; the first has no predecessor and gets `<s>`.

    Returns:
        int32[..., T] tokens to read.

    Example:
        >>> shift_targets(np.array([5, 6, END_ID, 7, END_ID]))
        array([1, 5, 6, 1, 7])
    """
    inputs = np.full_like(targets, START_ID)
    previous = targets[..., :-1]
    inputs[..., 1:] = np.where(previous == END_ID, START_ID, previous)
    return inputs


class Buckets(TypedDict):
    """The settings of batches of sequences of similar length, see `BucketPlan`.

    Attributes:
        batch_size: B, the number of sequences of a batch.
        bucket_lengths: the values of T that batches may have.
        seed: the seed of the random order.
    """

    batch_size: int
    bucket_lengths: Sequence[int]
    seed: int


class BucketedBatches:
    """The common base of all batches that are made by a `BucketPlan`, their `_plan`.

    Args:
        lengths: int[S], the number of steps of each sequence.
        kind: a plural noun for the sequences, such as "sentences", for errors.
        **buckets: the settings of the batches, see `Buckets`.
    """

    def __init__(self, lengths: np.ndarray, kind: str, **buckets: Unpack[Buckets]):
        self.batch_size = buckets["batch_size"]
        self._plan, self._part = BucketPlan(lengths, kind, **buckets), slice(None)

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches of an epoch."""
        return self._plan.batches_per_epoch

    def with_seed(self, seed: int) -> Self:
        """Returns the same batches in the order of another seed."""
        other = copy.copy(self)
        other._plan = self._plan.with_seed(seed)
        return other

    def of_rows(self, rows: slice) -> Self:
        """Returns the same batches with some of their rows only."""
        other = copy.copy(self)
        other._part = rows
        return other

    def _chosen(self, epoch: int, index: int) -> tuple[int, np.ndarray]:
        """Returns T and the numbers of the sequences in the rows of a batch."""
        num_steps, numbers = self._plan.batch(epoch, index)
        return num_steps, numbers[self._part]


class SentenceBatches(BucketedBatches):
    """Batches of separate sentences, padded to the smallest bucket; every row is fresh.

    The order of sentences and batches is drawn anew in every epoch. Sentences that do not fill a
    batch of their bucket move up to the next longer bucket. So an epoch uses every sentence once,
    except up to B - 1 sentences that do not fill a batch.

    Args:
        tokens: int32[N] token stream, as `encode_lines` makes it; a sentence ends with `END_ID`.
            From a `TokenFile`, a batch reads only its own sentences.
        batch_size: B, the number of sentences of a batch.
        bucket_lengths: the values of T that batches may have. If the longest sentence fits into
            no bucket, a bucket is added whose length is a multiple of the longest bucket given.
        seed: the seed of the random order.

    Raises:
        UserError: there is no full batch.

    Example:
        >>> tokens = np.array([3, 4, 2, 5, 2])
        >>> batches = SentenceBatches(tokens, batch_size=2, bucket_lengths=(4,), seed=0)
        >>> sorted(batches.batch(epoch=0, index=0).targets.tolist())
        [[3, 4, 2, 2], [5, 2, 2, 2]]
    """

    def __init__(self, tokens: Tokens, **buckets: Unpack[Buckets]):
        _check_any(tokens)
        self._tokens = tokens
        self._starts, self._lengths = _find_sentences(tokens)
        super().__init__(self._lengths, "sentences", **buckets)
        self.bucket_lengths = self._plan.bucket_lengths

    def batch(self, epoch: int, index: int) -> Batch:
        """Returns batch number `index` of an epoch; `batches_per_epoch` says how many there are."""
        num_steps, rows = self._chosen(epoch, index)
        return _gather(self._tokens, self._starts[rows], self._lengths[rows], num_steps)


class BucketPlan:
    """A plan that sorts sequences into the batches of an epoch, in random order.

    The order is drawn anew in every epoch. A batch is padded to the smallest bucket that holds its
    sequences. Sequences that do not fill a batch of their bucket move up to the next longer bucket.

    Args:
        lengths: int[S], the number of steps of each sequence.
        kind: a plural noun for the sequences, such as "sentences", for errors.
        batch_size: B, the number of sequences of a batch.
        bucket_lengths: the values of T that batches may have; see `SentenceBatches`.
        seed: the seed of the random order.

    Raises:
        UserError: there is no full batch.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        kind: str,
        *,
        batch_size: int,
        bucket_lengths: Sequence[int],
        seed: int,
    ):
        check_positive(batch_size=batch_size, bucket_lengths=min(bucket_lengths, default=0))
        self.batches_per_epoch = len(lengths) // batch_size
        if not self.batches_per_epoch:
            raise UserError(
                f"the corpus has {len(lengths)} {kind}, too few for batch_size={batch_size}; "
                f"use data.batch_size={len(lengths)} or less"
            )
        self.bucket_lengths = make_buckets(bucket_lengths, int(lengths.max()))
        self._batch_size, self._seed = batch_size, seed
        self._bucket_of = np.searchsorted(self.bucket_lengths, lengths)
        self._kept: tuple[int, list[tuple[int, np.ndarray]]] | None = None

    def batch(self, epoch: int, index: int) -> tuple[int, np.ndarray]:
        """Returns T and the sequence numbers of a batch; the last epoch's plan is kept."""
        check_index(index, self.batches_per_epoch)
        if self._kept is None or self._kept[0] != epoch:
            self._kept = (epoch, self._make(epoch))
        return self._kept[1][index]

    def with_seed(self, seed: int) -> "BucketPlan":
        """Returns the plan of another seed."""
        other = copy.copy(self)
        other._seed, other._kept = seed, None
        return other

    def _make(self, epoch: int) -> list[tuple[int, np.ndarray]]:
        generator = np.random.default_rng([self._seed, epoch])
        order = generator.permutation(len(self._bucket_of))
        plan = []
        waiting = order[:0]
        for bucket, num_steps in enumerate(self.bucket_lengths):
            waiting = np.concatenate([waiting, order[self._bucket_of[order] == bucket]])
            while len(waiting) >= self._batch_size:
                plan.append((num_steps, waiting[: self._batch_size]))
                waiting = waiting[self._batch_size :]
        return [plan[position] for position in generator.permutation(len(plan))]


def _gather(
    tokens: Tokens,
    starts: np.ndarray,
    lengths: np.ndarray,
    num_steps: int,
) -> Batch:
    """Returns the rows tokens[start : start + length], padded to [B, num_steps]."""
    targets = np.full((len(starts), num_steps), END_ID, np.int32)
    for row, start, length in zip(targets, starts.tolist(), lengths.tolist(), strict=True):
        row[:length] = tokens[start : start + length]
    real = np.arange(num_steps) < lengths[:, None]
    return Batch(
        inputs=np.where(real, shift_targets(targets), np.int32(END_ID)),
        targets=targets,
        lengths=lengths,
        fresh=np.ones(len(starts), dtype=bool),
    )


def _find_sentences(tokens: Tokens) -> tuple[np.ndarray, np.ndarray]:
    """Returns int[S] starts and int32[S] lengths, ends included, of the S sentences of a stream."""
    found, num_read = [], 0
    for piece in pieces_of(tokens):
        found.append(num_read + np.flatnonzero(piece == END_ID) + 1)
        num_read += len(piece)
    ends = np.concatenate(found)
    if not len(ends) or ends[-1] < len(tokens):
        ends = np.append(ends, len(tokens))  # the last sentence has no end token
    starts = np.concatenate([[0], ends[:-1]])
    return starts, (ends - starts).astype(np.int32)


def make_buckets(bucket_lengths: Sequence[int], longest: int) -> tuple[int, ...]:
    """Returns the distinct lengths in rising order, and one more if `longest` fits into none."""
    buckets = sorted(set(bucket_lengths))
    if longest > buckets[-1]:
        buckets.append(-(-longest // buckets[-1]) * buckets[-1])
    return tuple(buckets)


def similar_lengths(
    lengths: np.ndarray, bucket_lengths: Sequence[int], batch_size: int
) -> list[tuple[int, np.ndarray]]:
    """Returns batches of S sequences, the shortest first: the padded T and the sequence numbers.

    Args:
        lengths: int[S], the number of steps of each sequence.
        bucket_lengths: the values of T that batches may have; see `make_buckets`.
        batch_size: the largest number of sequences of a batch.

    Example:
        >>> batches = similar_lengths(np.array([9, 2, 3]), (4, 8), batch_size=2)
        >>> [(num_steps, numbers.tolist()) for num_steps, numbers in batches]
        [(4, [1, 2]), (16, [0])]
    """
    buckets = make_buckets(bucket_lengths, int(lengths.max()))
    order = np.argsort(lengths, kind="stable")
    parts = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return [(buckets[np.searchsorted(buckets, lengths[part[-1]])], part) for part in parts]


def _check_any(tokens: Tokens) -> None:
    if not len(tokens):
        raise UserError("the text has no tokens; use a text of at least one character")


def pad_rows(rows: Sequence[np.ndarray], num_steps: int, fill: int = END_ID) -> np.ndarray:
    """Returns rows of numbers as int32[B, T]; shorter rows are filled up with `fill`.

    Example:
        >>> pad_rows([np.array([5, 3]), np.array([4])], 3).tolist()
        [[5, 3, 2], [4, 2, 2]]
    """
    padded = np.full((len(rows), num_steps), fill, np.int32)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    return padded


def power_of_two(size: int) -> int:
    """Returns the smallest power of two that is not below a size.

    Sizes that are rounded up in this way have few shapes, so that few programs are compiled.

    Example:
        >>> [power_of_two(size) for size in (1, 2, 3, 5)]
        [1, 2, 4, 8]
    """
    return 1 << (size - 1).bit_length()


def check_positive(**sizes: int) -> None:
    """Raises a UserError that names the first size below 1."""
    for name, size in sizes.items():
        if size < 1:
            raise UserError(f"{name} is {size}; use at least 1")


def check_index(index: int, batches_per_epoch: int) -> None:
    """Raises an IndexError if an epoch has no batch with this index."""
    if not 0 <= index < batches_per_epoch:
        raise IndexError(f"batch {index} does not exist; an epoch has {batches_per_epoch}")
