"""Checks for half a character: a lone surrogate, which Python and JSON allow and UTF-8 does not."""

from zoo.errors import UserError


def require_whole_characters(text: str, what: str) -> str:
    """Returns a text, or raises a UserError if it has half a character.

    Args:
        text: the text.
        what: the name of the text, for the error.

    Raises:
        UserError: the text has half a character.

    Example:
        >>> require_whole_characters("a\\ud800", "the prompt")
        Traceback (most recent call last):
            ...
        zoo.errors.UserError: the prompt has half a character, '\\ud800' at 2; give Unicode text
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = text[error.start]
        raise UserError(
            f"{what} has half a character, {half!a} at {error.start + 1}; give Unicode text"
        ) from error
    return text
