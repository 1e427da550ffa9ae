"""The lines of an ARPA file with their numbers; the file is plain, gzipped or packed by bzip2.

A few bytes can unpack to gigabytes. So a packed file is read to at most `SMALL_FILE_BYTES`, or
`MAX_EXPANSION` times its size on disk if this is more; real models unpack to three to five times
their size. What is kept of it takes at most 70 bytes of memory for each unpacked byte, where all
lines are as short as a line can be, and 2 to 5 bytes for each byte of usual n-grams.
"""

import bz2
import contextlib
import gzip
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.data.text_reading import (
    MAX_EXPANSION,
    SMALL_FILE_BYTES,
    open_regular,
    text_lines,
    user_path,
)
from zoo.errors import UserError

MAX_USELESS_LINES = 10_000  # blank in a row, or before \data\
_UNPACK: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open}


class NumberedLines:
    """The lines of a file that are not blank.

    Attributes:
        path: the name of the file, as it was given.
        number: the number of the line that was read last, blank lines counted.
    """

    def __init__(self, path: str, lines: Iterator[str]):
        self.path = path
        self.number = 0
        self._lines = lines

    def next(self, *, before: str = "\\end\\") -> str:
        """Returns the next line that is not blank, without the blanks around it.

        Args:
            before: the line that a whole file still has to have.

        Raises:
            UserError: the file ends, or goes on with too many blank lines.
        """
        last = self.number + MAX_USELESS_LINES
        for line in self._lines:
            self.number += 1
            if line := line.strip(" \t\r\n"):
                return line
            if self.number > last:
                raise self.fail(f"there are more than {MAX_USELESS_LINES} blank lines in a row")
        raise self.fail(f"the file ends here, before {before}")

    def finish(self) -> None:
        """Reads the rest, so that the sum at the end of a packed file is checked."""
        for _ in self._lines:
            pass

    def fail(
        self,
        message: str,
        number: int | None = None,
        *,
        advice: str = "is the file whole, and in ARPA form?",
    ) -> UserError:
        """Returns the error that names a line.

        Args:
            message: what is wrong with it.
            number: of the line; None for the last one read.
            advice: what to do.
        """
        line = self.number if number is None else number
        return UserError(f"{self.path}: line {line}: {message}; {advice}")


@contextlib.contextmanager
def open_lines(path: os.PathLike[str] | str) -> Iterator[NumberedLines]:
    """Opens a file for as long as the block lasts; its first bytes say whether it is packed.

    Raises:
        UserError: it is no regular file, can't be read, is no text, or unpacks to too much.
    """
    name = os.fspath(path)
    source: Path = user_path(name)
    with open_regular(source) as file:
        start = file.read(2)
        file.seek(0)
        content: io.BufferedIOBase = file
        if start in _UNPACK:
            content = _Bounded(_UNPACK[start](file), name, source.stat().st_size)
        yield NumberedLines(name, text_lines(content, name))


class _Bounded(io.BufferedIOBase):
    """What a packed file unpacks to, and an error once it is too much for the file's size."""

    def __init__(self, file: io.BufferedIOBase, name: str, num_packed: int):
        self._file, self._name, self._num_read = file, name, 0
        self._limit = max(SMALL_FILE_BYTES, MAX_EXPANSION * num_packed)

    def read1(self, size: int = -1, /) -> bytes:
        """Returns the next bytes; see `io.BufferedIOBase`.

        Raises:
            UserError: with them it is too much.
        """
        content = self._file.read1(size)
        self._num_read += len(content)
        if self._num_read > self._limit:
            raise UserError(
                f"{self._name} unpacks to more than {self._limit:,} bytes, too many for its size; "
                "if you trust it, unpack it and give the unpacked file"
            )
        return content
