"""A text's tokens on disk, so that a corpus of any length takes the same memory."""

import itertools
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from zoo.data.vocabulary import Vocabulary, encode_lines
from zoo.errors import UserError

_LINES_AT_A_TIME = 10_000
_PIECE = 1 << 18  # tokens read at a time where all are wanted, 1 MiB


class TokenFile:
    """int32[N] tokens in a file without a name, which ends with the process.

    It is read like an array: `len(tokens)` and `tokens[start:stop]`, which is read anew every time.
    The file lies where Python's `tempfile` puts it, so that TMPDIR moves it.

    Args:
      pieces: int32[...] arrays that make the text, one after the other.

    Raises:
      UserError: there is no room for it.

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
        self._file.seek(start * self.dtype.itemsize)
        return np.fromfile(self._file, self.dtype, max(stop - start, 0))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All tokens, in memory."""
        return self[:] if dtype is None else self[:].astype(dtype)


Tokens = np.ndarray | TokenFile


def encode_to_file(vocabulary: Vocabulary, lines: Iterable[str]) -> TokenFile:
    """Return what `encode_lines` would, on disk; some lines at a time are in memory."""
    remaining = iter(lines)
    pieces = iter(lambda: list(itertools.islice(remaining, _LINES_AT_A_TIME)), [])
    return TokenFile(encode_lines(vocabulary, piece) for piece in pieces)


def pieces_of(tokens: Tokens) -> Iterator[np.ndarray]:
    """A text's tokens in pieces small enough for memory."""
    for start in range(0, len(tokens), _PIECE):
        yield tokens[start : start + _PIECE]
