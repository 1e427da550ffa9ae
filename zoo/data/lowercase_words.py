"""The words of an ordinary text in lower case, as the vocabulary lowercase_word counts them."""

import re

from zoo.data.marks import SIGN_MARK, hide_marks

# Words, endings with an apostrophe as in do|n't and it|'s, and each other sign by itself.
PLAIN_WORD = re.compile(
    rf"[^\W_]+?(?=n't\b)|n't\b|'(?:s|re|ve|ll|d|m)\b|[^\W_]+|[^\w\s]{SIGN_MARK}*|_+"
)


def split_lowercase_words(text: str) -> list[str]:
    """Returns the words and signs of a text; combining marks belong to the character before them.

    Example:
        >>> split_lowercase_words("Don't panic: it's 42!")
        ['do', "n't", 'panic', ':', 'it', "'s", '42', '!']
    """
    text = text.lower().replace("\u2019", "'")
    hidden = hide_marks(text)
    if hidden == text:
        return PLAIN_WORD.findall(text)
    return [text[slice(*found.span())] for found in PLAIN_WORD.finditer(hidden)]
