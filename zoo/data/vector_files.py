"""Reads files of word vectors: word2vec text, GloVe text and word2vec binary, gzipped or not.

The form of a file is found from the content of its first row, for any width. A file is read row by
row, so the memory does not grow with its size. Axis: D width of a vector.
"""

import codecs
import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.errors import UserError

MAX_WIDTH = 100_000  # the most numbers of a vector
_LONGEST_WORD = 10_000  # bytes; a longer word means that the file is no word2vec binary
_LONGEST_LINE = 1 << 22  # bytes; 100,000 numbers of 41 characters
_LONGEST_COUNT = 15  # digits
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_File = io.BufferedReader | gzip.GzipFile
Entry = tuple[str, np.ndarray]


class _Header(NamedTuple):
    """The first line of a word2vec file: the number of vectors and their width D."""

    num_vectors: int
    width: int


def read_vectors(path: str) -> Iterator[Entry]:
    """Yields each word of a file with its vector, float32[D].

    Args:
        path: the file.

    Raises:
        UserError: the file cannot be read, has none of the forms or is damaged. It is damaged if
            its rows differ in width, if its header gives another number of vectors, or if a number
            is not finite.
    """
    try:
        with _open(path) as file:
            yield from _read(file, path)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {path}: {reason}; give data.word_vectors=FILE") from error


def _open(path: str) -> _File:
    """Opens a regular file; other kinds of files are refused, because they might never end."""
    try:
        place = Path(path).expanduser()
        mode = place.stat().st_mode
    except (RuntimeError, ValueError) as error:  # no such user; a NUL in the name
        raise UserError(
            f"cannot read {path!r}: {error}; give another path with data.word_vectors=FILE"
        ) from error
    if not stat.S_ISREG(mode):
        raise UserError(
            f"{path} is no regular file; give a file of vectors with data.word_vectors=FILE"
        )
    with place.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(place) if compressed else place.open("rb")


def _read(file: _File, path: str) -> Iterator[Entry]:
    """Finds the form of an open file and yields its entries."""
    first = file.readline(_LONGEST_LINE)
    if first.startswith(_UTF_16):
        raise UserError(f"{path} is UTF-16, but vectors must be UTF-8; save it as UTF-8")
    line = first.removeprefix(codecs.BOM_UTF8)
    header = _header(line, path)
    if header is None:
        file.seek(len(first) - len(line))
        yield from _read_text(file, path, header)
        return
    second = b"\n"
    while second and not second.strip():
        second = file.readline(_LONGEST_LINE)
    file.seek(len(first))
    if _is_text(second, header.width):
        yield from _read_text(file, path, header)
    else:
        yield from _read_binary(file, path, header)


def _header(line: bytes, path: str) -> _Header | None:
    """Returns the header in line 1, or None if line 1 is a row of a GloVe file."""
    parts = line.split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        return None
    is_short = max(map(len, parts)) <= _LONGEST_COUNT
    if not is_short or not 1 <= int(parts[1]) <= MAX_WIDTH:
        count, width = (part[: _LONGEST_COUNT + 1].decode() for part in parts)
        raise UserError(
            f"{path}: line 1 says that {count} vectors have {width} numbers; expected vectors of "
            f"1 to {MAX_WIDTH:,} numbers; take a file of word2vec or GloVe vectors"
        )
    return _Header(int(parts[0]), int(parts[1]))


def _is_text(line: bytes, width: int) -> bool:
    """Returns whether a first row is text: a word and, for the most part, numbers.

    Two numbers suffice, so that a text whose width differs from its header gets the right error.
    The bytes of binary vectors spell two numbers in one of ten million files.
    """
    parts = line.split() if _starts_blank(line) else line.split()[1:]
    num_numbers = sum(map(_is_number, parts))
    return num_numbers == width or (num_numbers >= 2 and 2 * num_numbers > len(parts))


def _starts_blank(line: bytes) -> bool:
    return line[:1] in (b" ", b"\t")


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_text(file: _File, path: str, header: _Header | None) -> Iterator[Entry]:
    """Yields the entries of a text; the first row gives D if there is no header."""
    width, num_rows = (header.width if header else 0), 0
    number = 1 if header is None else 2
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            raise UserError(
                f"{path}: line {number} has more than {_LONGEST_LINE:,} bytes; "
                "take a file of word2vec or GloVe vectors"
            )
        if line.strip():
            word, vector = _row(line, width, f"{path}: line {number}")
            width = len(vector)
            num_rows += 1
            yield word, vector
        number += 1
    if header and num_rows != header.num_vectors:
        raise UserError(
            f"{path}: line 1 says {header.num_vectors} vectors, but there are {num_rows}; "
            f"copy the file again, or write {num_rows} in line 1 if that is all"
        )


def _row(line: bytes, width: int, where: str) -> Entry:
    """Returns the entry of a row of text, whose numbers are separated by blanks or tabs.

    The word may have blanks inside, as in GloVe 840B, or consist of blanks.
    """
    told = width
    width = width or _num_last_numbers(line)
    parts = line.rsplit(None, width)
    if len(parts) == width and _starts_blank(line):  # the last blank ends the word
        blanks = line[: len(line) - len(line.lstrip(b" \t"))]
        parts = [blanks[:-1], *parts]
    if not width or len(parts) <= width or any(map(_is_number, parts[0].split()[1:])):
        num_numbers = len(line.split()) - (not _starts_blank(line))
        raise UserError(
            f"{where} has {num_numbers if told else width} numbers, expected {told or 'some'}, "
            "like all lines of word2vec or GloVe vectors; correct the line or copy the file again"
        )
    word = parts[0].decode("utf-8", "replace")
    try:
        with np.errstate(over="ignore"):
            vector = np.array(parts[1:], dtype=np.float32)
    except ValueError as error:
        raise UserError(
            f"{where} is no word and {width} numbers; correct the line or copy the file again"
        ) from error
    _check_finite(vector, word, where)
    return word, vector


def _num_last_numbers(line: bytes) -> int:
    """Returns the number of numbers at the end of a first row; its first word does not count."""
    parts = line.split() if _starts_blank(line) else line.split()[1:]
    count = 0
    while count < min(len(parts), MAX_WIDTH) and _is_number(parts[-1 - count]):
        count += 1
    return count


def _check_finite(vector: np.ndarray, word: str, where: str) -> None:
    """Raises a UserError if a number is NaN, or infinite as float32."""
    is_finite = np.isfinite(vector)
    if is_finite.all():
        return
    value = vector[~is_finite][0]
    raise UserError(
        f"{where} has {value} in the vector of {word!r}; expected finite numbers of float32; "
        "correct the vector or delete it"
    )


def _read_binary(file: _File, path: str, header: _Header) -> Iterator[Entry]:
    """Yields the entries of a word2vec binary, and refuses bytes after the last vector."""
    count, width = header
    for number in range(1, count + 1):
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b"") and len(word) <= _LONGEST_WORD:
            word += byte
        content = file.read(4 * width)
        if byte != b" " or len(content) < 4 * width:
            raise UserError(
                f"{path} ends or breaks at vector {number} of {count}; copy it again, it is "
                "neither whole word2vec binary nor text"
            )
        vector = np.frombuffer(content, dtype="<f4")
        text = bytes(word).lstrip(b"\n").decode("utf-8", "replace")
        _check_finite(vector, text, f"{path}: vector {number} of {count}")
        yield text, vector
    if file.read(_LONGEST_WORD).strip():
        raise UserError(
            f"{path} goes on after the {count} vectors that line 1 promises; copy it again, it "
            "is neither whole word2vec binary nor text"
        )
