"""Pre-trained word vectors in the forms that people have them in, for the words of a vocabulary.

* word2vec text: a line "N D", then N lines "word x_1 ... x_D";
* GloVe text: the same without the first line;
* word2vec binary: a line "N D", then N times the word, a space and D little-endian float32.

Each may be gzipped; `zoo.data.vector_files` reads them. Axes: V vocabulary, D width of a vector.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.token_file import Tokens, pieces_of
from zoo.data.vector_files import read_vectors as _entries
from zoo.data.vocabulary import Vocabulary
from zoo.errors import UserError


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
        UserError: the file cannot be read, has none of the forms or is damaged, or it has a vector
            for no token of the vocabulary.
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
    """Returns D, the width of a file's vectors. Only the first vector is read."""
    for _, vector in _entries(path):
        return len(vector)
    raise UserError(f"{path} has no vectors; take a file of word2vec or GloVe vectors")


def vector_words(path: str) -> list[str]:
    """Returns the words of a file as they stand in it. The whole file is read and checked."""
    return [word for word, _ in _entries(path)]


def _report(path: str, matrix: np.ndarray, found: np.ndarray, tokens: Tokens) -> str:
    num_found = sum(int(found[piece].sum()) for piece in pieces_of(tokens))
    share = 100 * num_found / max(len(tokens), 1)
    return (
        f"{Path(path).name}: {found.sum():,} of {len(found):,} tokens have a vector of "
        f"{matrix.shape[1]} numbers, {share:.1f} % of the training text; "
        f"{(~found).sum():,} start at random"
    )
