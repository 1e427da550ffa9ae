"""Turns bytes into text by one rule for the files and pipes of all corpora and commands.

* A text is UTF-8, or UTF-16 that begins with a byte-order mark. The mark is not part of the text.
* A newline ends a line. A carriage return right before a newline belongs to this line end. All
  other characters stay, even the characters that Unicode counts as line ends.
* A file must be a regular file: a directory, a device or a named pipe is refused before it is read.
* A file whose name ends with .gz is unpacked. It may unpack to `SMALL_FILE_BYTES`, or to
  `MAX_EXPANSION` times its size on disk if this is more.
"""

import codecs
import contextlib
import gzip
import hashlib
import io
import math
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import UserError

MAX_EXPANSION = 30  # gzip makes prose 3 times smaller, and tables of much the same rows 20 times
SMALL_FILE_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 18
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CONVERT = "save it as UTF-8, or convert it, such as with iconv -f CP1252 -t UTF-8 FILE > NEW_FILE"
_EXPORT = "save its text as .csv, .tsv or .txt in UTF-8"
# Files that are often given instead of texts: their first bytes, what they are, and what to do.
_FORMATS = (
    (b"PK\3\4", "an Excel or Word file or another ZIP archive", _EXPORT),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", _EXPORT),
    (b"%PDF", "a PDF file", _EXPORT),
    (b"\x1f\x8b", "a gzip file", "let its name end with .gz, or unpack it"),
)
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def user_path(name: str) -> Path:
    """Returns the path that a user typed, with ~ and ~USER replaced by the home directory.

    Raises:
        UserError: there is no such user.
    """
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise UserError(f"{name} names no home directory; write the whole path") from error


@contextlib.contextmanager
def readable(path: Path | str) -> Iterator[None]:
    """Turns the errors of reading a file into a UserError that gives the reason.

    Args:
        path: the file, or the name of the pipe, for the error.
    """
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {path}: {reason}; make it a readable file") from error


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[io.BufferedReader]:
    """Opens a regular file for reading; a .gz file is not unpacked.

    Args:
        path: a regular file, or a link to one.

    Raises:
        UserError: the path is another kind of file, which is refused before it is read, or the file
            cannot be read.
    """
    with readable(path):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = next((name for test, name in _KINDS if test(mode)), "something else")
            raise UserError(
                f"cannot read {path}: it is {kind}, not a regular file; give the name of a file "
                "that holds the text"
            )
        with path.open("rb") as file:
            yield file


def checksum(path: Path) -> bytes:
    """Returns the SHA-256 of a file's content, which is read in pieces."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").digest()


def read_text(path: Path) -> str:
    """Returns a file's text; its lines end with newlines only.

    Raises:
        UserError: see `read_lines`.
    """
    return "".join(read_lines(path))


def read_lines(path: Path, *, blank_is_text: bool = False) -> Iterator[str]:
    """Yields the lines of a file with their newlines; a few lines are in memory at a time.

    Args:
        path: a text in UTF-8 or UTF-16, which may be packed as .gz.
        blank_is_text: whether a file with only blank lines is accepted.

    Raises:
        UserError: the file is not regular, cannot be read, has no text, is in another encoding, or
            unpacks to too many bytes. It is raised when the line with the fault is reached.
    """
    blank = True
    for line in _file_lines(path):
        yield line
        blank = blank and not blank_is_text and not line.strip()
    if blank:
        raise UserError(f"{path} is empty; put the text into it")


def numbered_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yields the lines of a file that are not blank, without newlines, each with its place.

    Args:
        path: as in `read_lines`.

    Yields:
        A line, and its place "FILE, line NUMBER" for messages.
    """
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            yield line.removesuffix("\n"), place_of(path, number)


def place_of(path: Path, number: int) -> str:
    """Returns the name of a line of a file for messages."""
    return f"{path}, line {number}"


class Lines:
    """The lines of a split of a corpus, for the function that reads the corpus.

    A loop gives each line without its newline. If the split has several texts side by side, step k
    of the loop gives a tuple of line k of each text. Blank lines are left out unless the corpus
    keeps them.

    Args:
        paths: the file of the split, or its texts side by side.
        others: the other files of the corpus, by name.
        keep_blank: whether blank lines are kept.
        part: numbered lines that replace the lines of the file.

    Raises:
        UserError: see `read_lines`; or texts side by side have different numbers of lines.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        others: Mapping[str, Path] | None = None,
        *,
        keep_blank: bool = False,
        part: Iterable[tuple[int, str]] | None = None,
    ):
        self.paths, self.others = tuple(paths), dict(others or {})
        self._keep_blank, self._part, self._number = keep_blank, part, 0

    def __iter__(self) -> Iterator[Any]:
        if self._part is not None:
            rows: Iterable[tuple[int, tuple[str, ...]]] = ((n, (line,)) for n, line in self._part)
        else:
            self._check_lengths()
            rows = enumerate(zip(*map(read_lines, self.paths), strict=True), 1)
        for self._number, row in rows:
            if self._keep_blank or any(map(str.strip, row)):
                lines = tuple(line.removesuffix("\n") for line in row)
                yield lines if len(lines) > 1 else lines[0]

    def place(self, side: int = 0) -> str:
        """Returns the name of the last line of the loop for messages: "FILE, line NUMBER".

        Args:
            side: the index of the text, if there are several texts side by side.
        """
        path = self.paths[side]
        return place_of(path, self._number) if self._number else str(path)

    def _check_lengths(self) -> None:
        """Raises a UserError if texts side by side have different numbers of lines."""
        if len(self.paths) > 1:
            first, second = (sum(1 for _ in read_lines(path)) for path in self.paths)
            if first != second:
                raise UserError(
                    f"{self.paths[0]} has {first} lines but {self.paths[1]} has {second}; line k "
                    "of one must be the translation of line k of the other"
                )


def _file_lines(path: Path) -> Iterator[str]:
    with open_regular(path) as file:
        if path.suffix != ".gz":
            yield from text_lines(file, str(path))
            return
        _check_expansion(path)
        with gzip.open(file) as unpacked:
            yield from text_lines(unpacked, str(path))


def _check_expansion(path: Path) -> None:
    """Unpacks a file once without keeping it, so that a too large file is refused at once."""
    limit = max(SMALL_FILE_BYTES, MAX_EXPANSION * path.stat().st_size)
    num_bytes = 0
    with gzip.open(path) as unpacked:
        while chunk := unpacked.read1(_CHUNK_BYTES):
            num_bytes += len(chunk)
            if num_bytes > limit:
                raise _too_much(str(path), limit)


def _too_much(name: str, limit: float) -> UserError:
    return UserError(
        f"{name} unpacks to more than {limit:,.0f} bytes, too many for its size; if you trust it, "
        "unpack it and give the unpacked file"
    )


def text_lines(file: io.BufferedIOBase, name: str, limit: float = math.inf) -> Iterator[str]:
    r"""Yields the lines of a stream of bytes with their newlines, as soon as they arrive.

    Args:
        file: the bytes: an open file, or a pipe.
        name: the name of the file, for messages.
        limit: the largest number of bytes that a packed file may unpack to.

    Raises:
        UserError: the bytes are not text, or are more than the limit.

    Example:
        >>> list(text_lines(io.BytesIO(b"\xef\xbb\xbfred\r\nblue"), "colours.txt"))
        ['red\n', 'blue']
    """
    for lines in line_groups(file, name, limit):
        yield from lines


def line_groups(file: io.BufferedIOBase, name: str, limit: float = math.inf) -> Iterator[list[str]]:
    """Yields the lines of a stream of bytes; lines that arrive together are one list.

    Args:
        file: the bytes: an open file, or a pipe.
        name: the name of the file, for messages.
        limit: the largest number of bytes that a packed file may unpack to.
    """
    pending: list[str] = []  # the parts of a line that have arrived
    for text in _decoded(file, name, limit):
        first, *others = text.split("\n")
        pending.append(first)
        if others:
            *whole, last = others
            start = "".join(pending)
            yield [line.removesuffix("\r") + "\n" for line in (start, *whole)]
            pending = [last]
    if rest := "".join(pending):
        yield [rest]


def _decoded(file: io.BufferedIOBase, name: str, limit: float) -> Iterator[str]:
    """Yields a text in pieces, without its byte-order mark."""
    num_bytes, encoding, start = 0, "", b""
    while True:
        chunk = file.read1(_CHUNK_BYTES)
        num_bytes += len(chunk)
        if num_bytes > limit:
            raise _too_much(name, limit)
        start += chunk[: 4 - len(start)]  # the first four bytes
        if not encoding:
            encoding = "UTF-16" if chunk.startswith(_UTF16_MARKS) else "UTF-8"
            decoder = codecs.getincrementaldecoder(encoding.replace("UTF-8", "utf-8-sig"))()
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            if encoding == "UTF-8" and (b"\0" in chunk or _format(start)):
                raise _no_text(name, start) from error
            offset = num_bytes - len(error.object) + error.start
            byte = error.object[error.start]
            raise UserError(
                f"{name} is not {encoding}: byte {byte:#04x} at offset {offset}; {_CONVERT}"
            ) from error
        if "\0" in text:
            raise _no_text(name, start)
        yield text
        if not chunk:
            return


def _format(start: bytes) -> tuple[str, str] | None:
    """Returns what a file is that begins with these bytes, and what to do with it."""
    return next(((kind, do) for mark, kind, do in _FORMATS if start.startswith(mark)), None)


def _no_text(name: str, start: bytes) -> UserError:
    """Returns the error for a file that is no text, and names its format if that is known."""
    if found := _format(start):
        return UserError(f"{name} is not plain text: it is {found[0]}; {found[1]}")
    return UserError(
        f"{name} is not plain text: it contains bytes of the value 0, as programs and "
        "pictures do, and texts in UTF-16; save the text as UTF-8"
    )
