"""Half a character: a lone surrogate, which JSON and Python can hold but UTF-8 cannot."""

from zoo.errors import UserError


def require_whole_characters(text: str, what: str) -> str:
    """Returns a text, and refuses one with half a character.

    Args:
        text: the text.
        what: what it is, for the error.

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
