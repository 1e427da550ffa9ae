"""The tokens of texts on disk, so that the memory does not grow with the corpus."""

import array
import io
import itertools
import os
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from zoo.data.vocabulary import Vocabulary, encode_lines
from zoo.errors import UserError

_LINES_AT_A_TIME = 10_000
_TOKENS_IN_MEMORY = 1 << 21  # the most tokens of rows in memory, 8 MiB
_PIECE = 1 << 18  # the number of tokens that `pieces_of` reads at a time, 1 MiB


class TokenFile:
    """int32[N] tokens in a file. It is a temporary file, which is deleted when the process ends.

    It is used like an array: `len(tokens)` and `tokens[start:stop]`, which reads from the disk
    every time. Several threads may read it. Python's `tempfile` chooses the directory; the
    environment variable TMPDIR changes it.

    Args:
        pieces: int32[...] arrays, which are the parts of the text in their order.

    Raises:
        UserError: the disk is full or the file cannot be written.

    Example:
        >>> tokens = TokenFile([np.array([3, 4, 2]), np.array([5, 2])])
        >>> len(tokens), tokens[1:4]
        (5, array([4, 2, 5], dtype=int32))
    """

    dtype = np.dtype(np.int32)

    def __init__(self, pieces: Iterable[np.ndarray]):
        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115  open as long as this object
            weakref.finalize(self, file.close)
            for piece in pieces:
                file.write(piece.astype(self.dtype).tobytes())
            file.flush()
        except OSError as error:
            raise UserError(
                f"cannot write the corpus' tokens to {tempfile.gettempdir()}: "
                f"{error.strerror or error}; set the environment variable TMPDIR to a directory "
                "with room for four bytes per token"
            ) from error
        self._read_from(file, self.dtype)

    @classmethod
    def stored(cls, path: Path, vocabulary_size: int) -> Self:
        """Returns the tokens of a file that `encode_to_file` wrote, which stays when they end."""
        file = path.open("rb")
        tokens = cls.__new__(cls)
        weakref.finalize(tokens, file.close)
        tokens._read_from(file, _smallest_dtype(vocabulary_size))
        return tokens

    def _read_from(self, file: io.BufferedIOBase, dtype: np.dtype) -> None:
        self._file, self._stored_dtype = file, dtype
        self._reading = threading.Lock()  # from moving in the file to the end of reading
        self._num_tokens = file.seek(0, os.SEEK_END) // dtype.itemsize

    def __len__(self) -> int:
        return self._num_tokens

    def __getitem__(self, part: slice) -> np.ndarray:
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise IndexError(f"tokens are read in their order, not with step {step}")
        tokens = np.empty(max(stop - start, 0), self._stored_dtype)
        with self._reading:
            self._file.seek(start * self._stored_dtype.itemsize)
            self._file.readinto(tokens.data)  # np.fromfile takes three times as long for a few
        return tokens.astype(self.dtype, copy=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Returns all tokens, in memory."""
        return self[:] if dtype is None else self[:].astype(dtype)


Tokens = np.ndarray | TokenFile


def encode_to_file(path: Path, vocabulary: Vocabulary, lines: Iterable[str]) -> None:
    """Writes the tokens of `encode_lines` to a new file, in the fewest bytes that hold every token.

    Only some lines at a time are in memory. `TokenFile.stored` reads the file.
    """
    remaining, dtype = iter(lines), _smallest_dtype(len(vocabulary))
    with path.open("xb") as file:
        while piece := list(itertools.islice(remaining, _LINES_AT_A_TIME)):
            file.write(encode_lines(vocabulary, piece).astype(dtype).tobytes())


def _smallest_dtype(vocabulary_size: int) -> np.dtype:
    return np.min_scalar_type(max(vocabulary_size - 1, 0))


class Rows(Sequence[np.ndarray]):
    """N texts as rows of tokens, which are stored one after the other.

    A row is int32[T]. Indexing with a slice or an array of row numbers gives `Rows` again.

    Args:
        tokens: the tokens of all rows, in memory or on disk.
        lengths: int[N], the number of tokens of each row.
        starts: int[N], the start of each row; by default the end of the row before it.
    """

    def __init__(self, tokens: Tokens, lengths: np.ndarray, starts: np.ndarray | None = None):
        self._tokens, self.lengths = tokens, lengths
        self._starts = np.cumsum(lengths) - lengths if starts is None else starts

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice | np.ndarray):
            return Rows(self._tokens, self.lengths[key], self._starts[key])
        start = int(self._starts[key])
        return self._tokens[start : start + int(self.lengths[key])]


def make_rows(arrays: Iterable[np.ndarray]) -> Rows:
    """Returns rows of tokens, in memory if there are few tokens, otherwise on disk.

    Args:
        arrays: for each row int32[T] tokens.

    Example:
        >>> rows = make_rows([np.array([3, 2]), np.array([2]), np.array([4, 5, 2])])
        >>> len(rows), rows[2].tolist(), rows[:2].lengths.tolist()
        (3, [4, 5, 2], [2, 1])
    """
    lengths, few, num_tokens = array.array("q"), [np.zeros(0, np.int32)], 0

    def counted() -> Iterator[np.ndarray]:
        for row in arrays:
            lengths.append(len(row))
            yield row

    remaining = counted()
    for row in remaining:
        few.append(row)
        num_tokens += len(row)
        if num_tokens > _TOKENS_IN_MEMORY:
            on_disk = TokenFile(itertools.chain(few, remaining))
            return Rows(on_disk, np.array(lengths, np.int64))
    return Rows(np.concatenate(few, dtype=np.int32), np.array(lengths, np.int64))


def row_lengths(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the number of tokens of each row, int[N]."""
    return rows.lengths if isinstance(rows, Rows) else np.array(list(map(len, rows)), np.int64)


def pieces_of(tokens: Tokens) -> Iterator[np.ndarray]:
    """Yields a text's tokens in pieces small enough for memory."""
    for start in range(0, len(tokens), _PIECE):
        yield tokens[start : start + _PIECE]
