"""Reads the numbered lines of an ARPA file, which may be plain, gzipped or packed by bzip2.

A few bytes can unpack to gigabytes. So at most `SMALL_FILE_BYTES` of a packed file are read, or
`MAX_EXPANSION` times its size on disk if this is more. Real models unpack to three to five times
their size. A model takes 2 to 5 bytes of memory for each unpacked byte of usual n-grams, and at
most 70 bytes if all lines are as short as possible.
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

MAX_USELESS_LINES = 10_000  # the most blank lines in a row, and the most lines before \data\
_UNPACK: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open}


class NumberedLines:
    """The lines of a file that are not blank.

    Attributes:
        path: the name of the file, as the user gave it.
        number: the number of the last line that was read; blank lines count.
    """

    def __init__(self, path: str, lines: Iterator[str]):
        self.path = path
        self.number = 0
        self._lines = lines

    def next(self, *, before: str = "\\end\\") -> str:
        """Returns the next line that is not blank, without the blanks around it.

        Args:
            before: the line that a complete file must still have, for the error.

        Raises:
            UserError: the file ends, or has too many blank lines.
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
        """Reads the rest, so that the checksum at the end of a packed file is checked."""
        for _ in self._lines:
            pass

    def fail(
        self,
        message: str,
        number: int | None = None,
        *,
        advice: str = "is the file complete, and in ARPA form?",
    ) -> UserError:
        """Returns an error that names a line.

        Args:
            message: what is wrong with the line.
            number: the number of the line; None means the last line that was read.
            advice: what to do.
        """
        line = self.number if number is None else number
        return UserError(f"{self.path}: line {line}: {message}; {advice}")


@contextlib.contextmanager
def open_lines(path: os.PathLike[str] | str) -> Iterator[NumberedLines]:
    """Opens a file for the block; its first bytes show whether it is packed.

    Raises:
        UserError: the file is not regular, cannot be read, is not text, or unpacks to too many
            bytes.
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
    """The unpacked bytes of a file; too many bytes for the size of the file are an error."""

    def __init__(self, file: io.BufferedIOBase, name: str, num_packed: int):
        self._file, self._name, self._num_read = file, name, 0
        self._limit = max(SMALL_FILE_BYTES, MAX_EXPANSION * num_packed)

    def read1(self, size: int = -1, /) -> bytes:
        """Returns the next bytes; see `io.BufferedIOBase`.

        Raises:
            UserError: the limit is exceeded.
        """
        content = self._file.read1(size)
        self._num_read += len(content)
        if self._num_read > self._limit:
            raise UserError(
                f"{self._name} unpacks to more than {self._limit:,} bytes, too many for its size; "
                "if you trust it, unpack it and give the unpacked file"
            )
        return content
