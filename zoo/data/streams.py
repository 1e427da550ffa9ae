"""Batches of a long text that is read as parallel streams, with a state carried between batches.

Axes: B batch rows, T time steps, N tokens of a stream.
"""

import copy
from typing import NamedTuple

import numpy as np

from zoo.data.batching import Batch, check_index, check_positive
from zoo.data.token_file import Tokens
from zoo.errors import UserError
from zoo.special_tokens import END_ID, START_ID

_HALF_AS_LONG = 0.05  # the fraction of chunks around half the length
_SPREAD = 5  # standard deviation of a chunk's length in tokens; at most 2 * _SPREAD are added


class StreamBatches:
    """One long text as B parallel streams, cut into chunks of T steps.

    The text is divided into B parts, and row b of each batch is the next chunk of part b. So the
    state is carried from batch to batch, and only batch 0 is fresh. An epoch has N // B // T
    batches; tokens that do not fill a chunk are left out.

    Chunks of random length (Merity et al. 2018, section 4.1) have normally distributed lengths
    around T or, one in twenty, around T / 2. They are padded to T + 10 and to T / 2 + 10 steps, so
    that two programs are compiled. The number of chunks of an epoch is fixed, so that they fill
    the text on average. An epoch may miss about one percent of the text, or read about one percent
    of it twice, at the borders of rows.

    Args:
        tokens: int32[N] token stream, as `encode_lines` makes it. From a `TokenFile`, a batch reads
            only its own tokens.
        batch_size: B, the number of streams.
        sequence_length: T, the number of steps of a chunk.
        seed: the seed of random offsets and lengths.
        random_offset: whether the text is rotated by a random number of tokens in every epoch, so
            that the borders of chunks and streams move.
        random_length: whether the length of each chunk is drawn, see above.

    Raises:
        UserError: the text is too short for one chunk.

    Example:
        >>> tokens = np.array([3, 4, 2, 5, 6, 2])
        >>> batches = StreamBatches(tokens, batch_size=2, sequence_length=3, seed=0)
        >>> batches.batch(epoch=0, index=0).inputs
        array([[1, 3, 4],
               [1, 5, 6]], dtype=int32)
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        batch_size: int,
        sequence_length: int,
        seed: int,
        random_offset: bool = False,
        random_length: bool = False,
    ):
        self.batch_size, self.sequence_length = batch_size, sequence_length
        self._tokens, self._num_tokens = tokens, len(tokens)
        self._seed, self._random_offset, self._random_length = seed, random_offset, random_length
        check_positive(batch_size=batch_size, sequence_length=sequence_length)
        self._stream_length = self._num_tokens // batch_size
        self._rows = np.arange(batch_size)
        longest, mean_length = sequence_length, float(sequence_length)
        if random_length:
            longest, mean_length = longest + 2 * _SPREAD, mean_length * (1 - _HALF_AS_LONG / 2)
        self.batches_per_epoch = int(self._stream_length // mean_length)
        if not self.batches_per_epoch or self._num_tokens < longest:
            raise _too_small(self._num_tokens, batch_size, sequence_length, longest)

    def batch(self, epoch: int, index: int) -> Batch:
        """Returns batch number `index` of an epoch; `batches_per_epoch` says how many there are."""
        check_index(index, self.batches_per_epoch)
        offset = 0
        if self._random_offset:
            offset = int(np.random.default_rng([self._seed, epoch]).integers(self._num_tokens))
        chunk = self._chunk(epoch, index)
        starts = offset + chunk.start + self._rows * self._stream_length
        rows = np.stack(
            [self._read(start, chunk.length) for start in (starts % self._num_tokens).tolist()]
        )
        previous, padding = rows[:, :-1], ((0, 0), (0, chunk.padded_length - chunk.length))
        inputs = np.where(previous == END_ID, np.int32(START_ID), previous)
        return Batch(
            inputs=np.pad(inputs, padding, constant_values=END_ID),
            targets=np.pad(rows[:, 1:], padding, constant_values=END_ID),
            lengths=np.full(len(rows), chunk.length, np.int32),
            fresh=np.full(len(rows), index == 0),
        )

    def _chunk(self, epoch: int, index: int) -> "_Chunk":
        """Returns the position of a chunk of an epoch, which is the same in each row."""
        length = self.sequence_length
        if not self._random_length:
            return _Chunk(index * length, length, length)
        draw = np.random.default_rng([self._seed, epoch, 1])
        short = draw.random(self.batches_per_epoch) < _HALF_AS_LONG
        usual = np.where(short, max(length // 2, 1), length)
        drawn = np.rint(draw.normal(usual, _SPREAD)).astype(int)
        lengths = drawn.clip(np.minimum(usual, _SPREAD), usual + 2 * _SPREAD)
        start = int(lengths[:index].sum())
        return _Chunk(start, int(lengths[index]), int(usual[index]) + 2 * _SPREAD)

    def _read(self, start: int, length: int) -> np.ndarray:
        """Returns int32[length + 1] tokens, from the token before `start`; the text is a ring."""
        stop = start + length
        before = self._tokens[start - 1 : start] if start else np.array([END_ID], np.int32)
        parts = [before, self._tokens[start:stop], self._tokens[: max(stop - self._num_tokens, 0)]]
        return np.concatenate(parts, dtype=np.int32)

    def with_seed(self, seed: int) -> "StreamBatches":
        """Returns the same batches with the random offsets and lengths of another seed."""
        other = copy.copy(self)
        other._seed = seed
        return other

    def of_rows(self, rows: slice) -> "StreamBatches":
        """Returns the same batches with some of their rows only."""
        other = copy.copy(self)
        other._rows = np.arange(self.batch_size)[rows]
        return other


class _Chunk(NamedTuple):
    """A chunk of every row of a stream, in tokens from the row's start."""

    start: int
    length: int
    padded_length: int


def _too_small(num_tokens: int, batch_size: int, sequence_length: int, longest: int) -> UserError:
    largest = num_tokens // longest
    advice = f"use data.batch_size={largest} or less"
    if not largest and longest > sequence_length:
        advice = "use data.random_length=false"
    elif not largest:
        advice = f"use data.batch_size=1 data.sequence_length={num_tokens}"
    return UserError(
        f"the corpus has {num_tokens} tokens, too few for batch_size={batch_size} x "
        f"sequence_length={sequence_length}; {advice}"
    )
