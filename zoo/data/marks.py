"""Combining marks, which belong to the character before them.

Vowel signs of Hindi, vowels of Arabic, accents that stand alone behind their letter: Unicode counts
them as characters, and Python's `\\w` as no part of a word. The same holds for the two joiners, of
which Persian and Malayalam words have some, and emoji of several parts.
"""

import functools
import unicodedata

SIGN_MARK = "\uffff"  # Unicode promises that no text has it; it belongs to no word
_LETTER_MARK = "a"
_JOINER = "\u200d"
_BLOCKS = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))  # no mark lies outside of them


@functools.cache
def _marks() -> frozenset[str]:
    """Returns all combining marks, and the two joiners."""
    characters = (chr(code) for block in _BLOCKS for code in block)
    marks = (one for one in characters if unicodedata.category(one).startswith("M"))
    return frozenset(marks) | {"\u200c", _JOINER}


def hide_marks(text: str) -> str:
    """Returns a text of the same length in which regular expressions find whole words.

    Marks behind a letter or digit become letters. Marks behind another sign, and signs that are
    joined to it, become `SIGN_MARK`. A mark with nothing before it stays as it is.

    Example:
        >>> hide_marks("cafe\\u0301 \\u2764\\ufe0f!") == f"cafea \\u2764{SIGN_MARK}!"
        True
    """
    if text.isascii() or _marks().isdisjoint(text):
        return text
    marks, hidden, before, mark = _marks(), [], "", ""
    for character in text:
        if character in marks:
            hidden.append(mark or character)
        elif before == _JOINER and mark == _mark_behind(character) == SIGN_MARK:
            hidden.append(SIGN_MARK)
        else:
            hidden.append(character)
            mark = _mark_behind(character)
        before = character
    return "".join(hidden)


def _mark_behind(character: str) -> str:
    """Returns what a mark becomes behind a character; "" if it belongs to none."""
    if character.isalnum():
        return _LETTER_MARK
    return "" if character.isspace() or character == "_" else SIGN_MARK
