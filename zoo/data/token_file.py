"""The tokens of texts on disk, so that a corpus of any length takes the same memory."""

import array
import itertools
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from zoo.data.vocabulary import Vocabulary, encode_lines
from zoo.errors import UserError

_LINES_AT_A_TIME = 10_000
_TOKENS_IN_MEMORY = 1 << 21  # of rows, 8 MiB
_PIECE = 1 << 18  # tokens read at a time where all are wanted, 1 MiB


class TokenFile:
    """int32[N] tokens in a file without a name, which ends with the process.

    It is read like an array: `len(tokens)` and `tokens[start:stop]`, which is read anew every time.
    The file lies where Python's `tempfile` puts it, so that TMPDIR moves it.

    Args:
        pieces: int32[...] arrays that make the text, one after the other.

    Raises:
        UserError: there is no room for it.

    Example:
        >>> tokens = TokenFile([np.array([3, 4, 2]), np.array([5, 2])])
        >>> len(tokens), tokens[1:4]
        (5, array([4, 2, 5], dtype=int32))
    """

    dtype = np.dtype(np.int32)

    def __init__(self, pieces: Iterable[np.ndarray]):
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  open as long as this object
            weakref.finalize(self, self._file.close)
            for piece in pieces:
                self._file.write(piece.astype(self.dtype).tobytes())
            self._file.flush()
        except OSError as error:
            raise UserError(
                f"cannot write the corpus' tokens to {tempfile.gettempdir()}: "
                f"{error.strerror or error}; let the environment variable TMPDIR name a directory "
                "with room for four bytes a token"
            ) from error
        self._num_tokens = self._file.tell() // self.dtype.itemsize

    def __len__(self) -> int:
        return self._num_tokens

    def __getitem__(self, part: slice) -> np.ndarray:
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise IndexError(f"tokens are read in their order, not with step {step}")
        tokens = np.empty(max(stop - start, 0), self.dtype)
        self._file.seek(start * self.dtype.itemsize)
        self._file.readinto(tokens.data)  # for a few tokens, np.fromfile takes three times as long
        return tokens

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All tokens, in memory."""
        return self[:] if dtype is None else self[:].astype(dtype)


Tokens = np.ndarray | TokenFile


def encode_to_file(vocabulary: Vocabulary, lines: Iterable[str]) -> TokenFile:
    """Return what `encode_lines` would, on disk; some lines at a time are in memory."""
    remaining = iter(lines)
    pieces = iter(lambda: list(itertools.islice(remaining, _LINES_AT_A_TIME)), [])
    return TokenFile(encode_lines(vocabulary, piece) for piece in pieces)


class Rows(Sequence[np.ndarray]):
    """N texts as rows of tokens, which lie one behind the other.

    A row is int32[T]. A slice, or the rows with the numbers in an array, are `Rows` too.

    Args:
        tokens: the tokens of all rows, in memory or on disk.
        lengths: int[N], the number of tokens of each row.
        starts: int[N], where each row begins; by default, where the row before it ends.
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
    """Returns rows of tokens: in memory if they are few, otherwise on disk.

    Args:
        arrays: int32[T] tokens of each row.

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
    """Returns int[N], the number of tokens of each row."""
    return rows.lengths if isinstance(rows, Rows) else np.array(list(map(len, rows)), np.int64)


def pieces_of(tokens: Tokens) -> Iterator[np.ndarray]:
    """A text's tokens in pieces small enough for memory."""
    for start in range(0, len(tokens), _PIECE):
        yield tokens[start : start + _PIECE]
