"""Pre-trained word vectors for the words of a vocabulary.

* word2vec text: a line "N D", then N lines "word x_1 ... x_D".
* GloVe text: the same as word2vec text, but without the first line.
* word2vec binary: a line "N D", then N times the word, a space and D little-endian float32 numbers.

Each form may be gzipped; `zoo.data.vector_files` reads them. Axes: V vocabulary, D width of a
vector.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.token_file import Tokens, pieces_of
from zoo.data.vector_files import read_vectors as _entries
from zoo.data.vocabulary import Vocabulary
from zoo.errors import UserError


class WordVectors(NamedTuple):
    """The vectors that a file has for the tokens of a vocabulary.

    Attributes:
        matrix: float32[V, D], the vectors; a token without a vector has zeros.
        found: bool[V], True if a token has a vector.
        report: a line with the share of the vocabulary and of the training text that has vectors.
    """

    matrix: np.ndarray
    found: np.ndarray
    report: str


def load_word_vectors(path: str, vocabulary: Vocabulary, tokens: Tokens) -> WordVectors:
    """Reads the vectors of the tokens of a vocabulary.

    Args:
        path: the file.
        vocabulary: the vocabulary. A token, `</s>` too, gets the vector of the same word in the
            file.
        tokens: int32[N], the training text, for the report.

    Raises:
        UserError: the file cannot be read, has none of the forms, is damaged, or has no vector for
            any token of the vocabulary.
    """
    numbers = {token: number for number, token in enumerate(vocabulary.tokens)}
    rows: dict[int, np.ndarray] = {}
    for word, vector in _entries(path):
        number = numbers.get(word)
        if number is not None:
            rows.setdefault(number, vector)
    if not rows:
        raise UserError(
            f"{path} has no vector for any of the {len(numbers)} tokens; check its words"
        )
    matrix = np.zeros((len(numbers), len(next(iter(rows.values())))), np.float32)
    matrix[list(rows)] = list(rows.values())
    found = np.zeros(len(numbers), bool)
    found[list(rows)] = True
    return WordVectors(matrix, found, _report(path, matrix, found, tokens))


def vector_width(path: str) -> int:
    """Returns the width D of the vectors of a file. Only the first vector is read."""
    for _, vector in _entries(path):
        return len(vector)
    raise UserError(f"{path} has no vectors; take a file of word2vec or GloVe vectors")


def vector_words(path: str) -> list[str]:
    """Returns the words of a file in their order. The whole file is read and checked."""
    return [word for word, _ in _entries(path)]


def _report(path: str, matrix: np.ndarray, found: np.ndarray, tokens: Tokens) -> str:
    num_found = sum(int(found[piece].sum()) for piece in pieces_of(tokens))
    share = 100 * num_found / max(len(tokens), 1)
    return (
        f"{Path(path).name}: {found.sum():,} of {len(found):,} tokens have a vector of "
        f"{matrix.shape[1]} numbers, {share:.1f} % of the training text; "
        f"{(~found).sum():,} start at random"
    )
