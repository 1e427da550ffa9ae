"""The words of a raw text, each with its place in the text.

A tagger knows sentences as its corpus splits them, so a text has to be split in the same way:

* An ordinary text is split into words, numbers, addresses, @names, #topics, endings with an
  apostrophe as in do|n't and it|'s, faces such as :-), and other signs. Equal signs in a row, such
  as ... or !!, are one word. Combining marks belong to the character before them.
* Python source is reduced to its names, as in the corpus python_source_roles.
"""

import keyword
import re
from collections.abc import Callable
from typing import NamedTuple

from zoo.data.marks import SIGN_MARK, hide_marks

_WORD = re.compile(
    rf"""
    (?:https?://|www\.)\S*[^\s.,;:!?)\]}}'"]        # addresses
    | [@#]\w+                                      # names and topics
    | (?:[:;=][-o*']?|8-)[)\](\[/\\|]+(?!\w)       # faces such as :), but not the 8) of (see 8)
    | (?<!\w)(?:[:;=][-o*']?|8-)[dp]+(?!\w)        # faces such as :-D, but not the =D of x=D
    | \d+(?:[.,:/]\d+)+                            # 3.5, 1,000, 12:30
    | (?:[^\W\d_]\.){{2,}}                           # U.S.
    | [^\W_]+?(?=n['\u2019]t\b) | n['\u2019]t\b    # do, n't
    | ['\u2019](?:s|re|ve|ll|d|m)\b                # 's
    | \w+(?:-\w+)*                                 # words
    | ([^\w\s]{SIGN_MARK}*)\1*                     # signs
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAME = re.compile(r"[^\W\d]\w*")


class FoundWord(NamedTuple):
    """A word of a text.

    Attributes:
        text: the word.
        start: the number of its first character, from 0.
    """

    text: str
    start: int

    @property
    def end(self) -> int:
        """The number of the first character after the word."""
        return self.start + len(self.text)


def find_words(text: str) -> list[FoundWord]:
    """Returns the words of an ordinary text in their order.

    Example:
        >>> [word.text for word in find_words("Don't panic: it's 3.5 @home :-)")]
        ['Do', "n't", 'panic', ':', 'it', "'s", '3.5', '@home', ':-)']
        >>> find_words("a  b")
        [FoundWord(text='a', start=0), FoundWord(text='b', start=3)]
    """
    return [_word(text, found) for found in _WORD.finditer(hide_marks(text))]


def find_names(text: str) -> list[FoundWord]:
    """Returns the names of a piece of Python, without keywords.

    Example:
        >>> [word.text for word in find_names("for key in table.keys():")]
        ['key', 'table', 'keys']
    """
    words = [_word(text, found) for found in _NAME.finditer(hide_marks(text))]
    return [word for word in words if not keyword.iskeyword(word.text)]


def _word(text: str, found: re.Match[str]) -> FoundWord:
    return FoundWord(text[slice(*found.span())], found.start())


_FINDERS: dict[str, Callable[[str], list[FoundWord]]] = {"python_source_roles": find_names}


def word_finder(corpus: str) -> Callable[[str], list[FoundWord]]:
    """Returns the function that splits a text as a corpus splits its sentences.

    Example:
        >>> word_finder("python_source_roles") is find_names
        True
    """
    return _FINDERS.get(corpus, find_words)
