"""The one exception that commands turn into a single line and exit code 2."""

import sys
from typing import NoReturn

# What reading a record of the wrong form may raise, when it is used as if it were of the right one.
WRONG_FORM = (
    ArithmeticError,
    AttributeError,
    IndexError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
)


class UserError(ValueError):
    """A mistake in the input: one line that says what came, what was expected, what to type.

    Commands print it as `error: ...` and exit with code 2; in Python it is an ordinary
    ValueError.

    >>> raise UserError("--temperature is -1.0; use a number of at least 0, such as 0.8")
    Traceback (most recent call last):
        ...
    zoo.errors.UserError: --temperature is -1.0; use a number of at least 0, such as 0.8
    """


class Note(UserWarning):
    """What a user should know of a result. Commands print it as `note: ...` on standard error."""


def fail(message: str) -> NoReturn:
    """Ends the program with a message in one line and exit code 2."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)
