"""What the writer and the reader of ARPA files agree on: numbers, tokens and the vocabulary's line.

The form is described in zoo/exchange/arpa.py.
"""

import math
import re

import numpy as np
from numpy.typing import ArrayLike

from zoo.data.vocabulary import CharacterVocabulary, LowercaseWordVocabulary, WordVocabulary

LOG10_ZERO = -99.0  # stands for the logarithm of 0, as do smaller numbers

# The kinds of vocabulary that a file can hold: no token has blanks, or it is a blank.
KINDS: dict[str, type[CharacterVocabulary | WordVocabulary]] = {
    CharacterVocabulary.kind: CharacterVocabulary,
    WordVocabulary.kind: WordVocabulary,
    LowercaseWordVocabulary.kind: LowercaseWordVocabulary,
}
KIND_LINE = "# zoo: vocabulary="  # stands before the line data, and a kind follows

_BLANK = re.compile(r"[\s\0]")  # \s is what str.isspace says; KenLM also cuts at \0
_ESCAPE = re.compile(r"<U\+([0-9A-F]{4,6})>")


def log10(natural: ArrayLike) -> list[float]:
    """Returns natural logarithms to the base of 10, none of them below `LOG10_ZERO`."""
    return np.maximum(np.asarray(natural, np.float64) / math.log(10), LOG10_ZERO).tolist()


def natural_logarithm(log10: ArrayLike) -> np.ndarray:
    """Returns logarithms to the base of 10 as natural ones, float32; see `LOG10_ZERO`.

    Example:
        >>> natural_logarithm([-99, 0]).tolist()
        [-inf, 0.0]
    """
    log10 = np.asarray(log10, np.float64)
    return np.where(log10 <= LOG10_ZERO, -np.inf, log10 * math.log(10)).astype(np.float32)


def escape_blanks(token: str) -> str:
    r"""Returns a token with each blank in it written as its code point.

    Example:
        >>> escape_blanks(" "), escape_blanks("the")
        ('<U+0020>', 'the')
    """
    return _BLANK.sub(lambda match: f"<U+{ord(match.group()):04X}>", token)


def read_character(token: str) -> str:
    """Returns the blank that `escape_blanks` wrote, and any other token as it is.

    A newline is not given back, since no token holds one.

    Example:
        >>> read_character("<U+0020>"), read_character("<U+0041>")
        (' ', '<U+0041>')
    """
    match = _ESCAPE.fullmatch(token)
    code_point = int(match.group(1), 16) if match else ord("\n")
    if code_point == ord("\n") or code_point > 0x10FFFF or not _BLANK.match(chr(code_point)):
        return token
    return chr(code_point)
