"""Pre-trained word vectors in the forms that people have them in, for the words of a vocabulary.

* word2vec text: a line "N D", then N lines "word x_1 ... x_D";
* GloVe text: the same without the first line;
* word2vec binary: a line "N D", then N times the word, a space and D little-endian float32.

Each may be gzipped. The form is told from the content. Axes: V vocabulary, D width of a vector.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.token_file import Tokens, pieces_of
from zoo.data.vocabulary import Vocabulary
from zoo.errors import UserError

_File = io.BufferedReader | gzip.GzipFile
_LONGEST_WORD = 10_000  # bytes; where no space comes for so long, the file is no word2vec binary


class WordVectors(NamedTuple):
    """The vectors that a file has for a vocabulary.

    Attributes:
        matrix: float32[V, D]; zero where there is none.
        found: bool[V].
        report: in a line, how much of the vocabulary and of the training text they cover.
    """

    matrix: np.ndarray
    found: np.ndarray
    report: str


def load_word_vectors(path: str, vocabulary: Vocabulary, tokens: Tokens) -> WordVectors:
    """Reads the vectors of the words that a vocabulary has.

    Args:
        path: the file.
        vocabulary: words are matched as they are written, `</s>` among them.
        tokens: int32[N], the training text, for the report.

    Raises:
        UserError: the file can't be read, is in none of the forms, or its vectors differ in width.
    """
    numbers = {token: number for number, token in enumerate(vocabulary.tokens)}
    rows: dict[int, np.ndarray] = {}
    for word, vector in _entries(path):
        number = numbers.get(word)
        if number is not None:
            rows.setdefault(number, vector)
    if not rows:
        raise UserError(
            f"{path} has a vector for none of the {len(numbers)} tokens; check its words"
        )
    matrix = np.zeros((len(numbers), len(next(iter(rows.values())))), np.float32)
    matrix[list(rows)] = list(rows.values())
    found = np.zeros(len(numbers), bool)
    found[list(rows)] = True
    return WordVectors(matrix, found, _report(path, matrix, found, tokens))


def vector_width(path: str) -> int:
    """D, the width of a file's vectors; errors as those of `load_word_vectors`."""
    for _, vector in _entries(path):
        return len(vector)
    raise UserError(f"{path} has no vectors; take a file of word2vec or GloVe vectors")


def vector_words(path: str) -> list[str]:
    """The words of a file, as they stand in it; errors as those of `load_word_vectors`."""
    return [word for word, _ in _entries(path)]


def _entries(path: str) -> Iterator[tuple[str, np.ndarray]]:
    """The words and vectors of a file."""
    try:
        with _open(Path(path).expanduser()) as file:
            yield from _read(file, path)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {path}: {reason}; give --config.data.word_vectors") from error


def _report(path: str, matrix: np.ndarray, found: np.ndarray, tokens: Tokens) -> str:
    num_found = sum(int(found[piece].sum()) for piece in pieces_of(tokens))
    share = 100 * num_found / max(len(tokens), 1)
    return (
        f"{Path(path).name}: {found.sum():,} of {len(found):,} tokens have a vector of "
        f"{matrix.shape[1]} numbers, {share:.1f} % of the training text; "
        f"{(~found).sum():,} start at random"
    )


def _open(path: Path) -> _File:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if compressed else path.open("rb")


def _read(file: _File, path: str) -> Iterator[tuple[str, np.ndarray]]:
    """Words and vectors, one by one."""
    first = file.readline()
    header = first.split()
    if len(header) != 2 or not all(part.isdigit() for part in header):
        yield from _read_text(file, path, first, first_number=1)
        return
    count, width = map(int, header)
    if width == 0:
        raise UserError(f"{path}: line 1 says that vectors have 0 numbers; expected at least 1")
    second = file.peek(65536)
    if _is_text(second.partition(b"\n")[0], width):
        yield from _read_text(file, path, file.readline(), first_number=2, width=width)
    else:
        yield from _read_binary(file, path, count, width)


def _is_text(line: bytes, width: int) -> bool:
    """Whether a line, maybe cut at its end, is a word and numbers."""
    parts = line.split()[1:-1]
    whole = len(parts) == width - 1 or (0 < len(parts) < width and len(line) > 60_000)
    return whole and all(map(_is_number, parts))


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_text(
    file: _File, path: str, line: bytes, *, first_number: int, width: int = 0
) -> Iterator[tuple[str, np.ndarray]]:
    number = first_number
    while line:
        parts = line.rstrip().split(b" ")
        width = width or len(parts) - 1
        word = b" ".join(parts[: max(1, len(parts) - width)])  # GloVe 840B has words with spaces
        if len(parts) < width + 1 or width == 0 or any(map(_is_number, word.split()[1:])):
            raise UserError(
                f"{path}: line {number} has {len(parts) - 1} numbers, expected {width or 'some'}, "
                "as the lines before it; take a file of word2vec or GloVe vectors"
            )
        try:
            vector = np.array(parts[-width:], dtype=np.float32)
        except ValueError as error:
            raise UserError(f"{path}: line {number} is no word and {width} numbers") from error
        yield word.decode("utf-8", "replace"), vector
        line = file.readline()
        number += 1


def _read_binary(
    file: _File, path: str, count: int, width: int
) -> Iterator[tuple[str, np.ndarray]]:
    for number in range(count):
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b"") and len(word) <= _LONGEST_WORD:
            word += byte
        content = file.read(4 * width)
        if byte != b" " or len(content) < 4 * width:
            raise UserError(
                f"{path} ends or breaks at vector {number + 1} of {count}; copy it again, it is "
                "neither whole word2vec binary nor text"
            )
        vector = np.frombuffer(content, dtype="<f4")
        yield bytes(word).lstrip(b"\n").decode("utf-8", "replace"), vector
