"""The common conventions of the writer and the reader of ARPA files.

The form is described in zoo/exchange/arpa.py.
"""

import math
import re

import numpy as np
from numpy.typing import ArrayLike

from zoo.data.vocabulary import CharacterVocabulary, LowercaseWordVocabulary, WordVocabulary

LOG10_ZERO = -99.0  # represents the logarithm of 0; smaller numbers do so too

# The kinds of vocabulary that a file can store: a token has no blanks, or is a single blank.
KINDS: dict[str, type[CharacterVocabulary | WordVocabulary]] = {
    CharacterVocabulary.kind: CharacterVocabulary,
    WordVocabulary.kind: WordVocabulary,
    LowercaseWordVocabulary.kind: LowercaseWordVocabulary,
}
KIND_LINE = "# zoo: vocabulary="  # the line before \data\, followed by a kind

_BLANK = re.compile(r"[\s\0]")  # \s is the same as str.isspace; KenLM also splits at \0
_ESCAPE = re.compile(r"<U\+([0-9A-F]{4,6})>")


def log10(natural: ArrayLike) -> list[float]:
    """Converts natural logarithms to base 10, with `LOG10_ZERO` as the smallest value."""
    return np.maximum(np.asarray(natural, np.float64) / math.log(10), LOG10_ZERO).tolist()


def natural_logarithm(log10: ArrayLike) -> np.ndarray:
    """Converts logarithms of base 10 to natural logarithms, float32; see `LOG10_ZERO`.

    Example:
        >>> natural_logarithm([-99, 0]).tolist()
        [-inf, 0.0]
    """
    log10 = np.asarray(log10, np.float64)
    return np.where(log10 <= LOG10_ZERO, -np.inf, log10 * math.log(10)).astype(np.float32)


def escape_blanks(token: str) -> str:
    r"""Returns a token in which each blank is written as its code point.

    Example:
        >>> escape_blanks(" "), escape_blanks("the")
        ('<U+0020>', 'the')
    """
    return _BLANK.sub(lambda match: f"<U+{ord(match.group()):04X}>", token)


def read_character(token: str) -> str:
    """Returns the blank that `escape_blanks` wrote; other tokens are returned unchanged.

    A newline is not converted back, because no token has a newline.

    Example:
        >>> read_character("<U+0020>"), read_character("<U+0041>")
        (' ', '<U+0041>')
    """
    match = _ESCAPE.fullmatch(token)
    code_point = int(match.group(1), 16) if match else ord("\n")
    if code_point == ord("\n") or code_point > 0x10FFFF or not _BLANK.match(chr(code_point)):
        return token
    return chr(code_point)
