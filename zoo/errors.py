"""The exception for mistakes of users, which commands print as one line with exit code 2."""

import re
import sys
from collections.abc import Mapping
from typing import NoReturn

# The errors that may occur when a record of the wrong form is used like a record of the right form.
WRONG_FORM = (
    ArithmeticError,
    AttributeError,
    IndexError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
)

# A field of a config in a message, with or without the flag that an older version wrote.
_FIELD = re.compile(
    r"(?<![\w./-])(?P<flag>--config\.)?"
    r"(?P<field>(?:data|evaluation|mesh|model|optimizer|training)\.[a-z][a-z_]*)"
    r"(?P<after>[=:]?)"
)


class UserError(ValueError):
    """A mistake in the input: one line that says what is wrong, what is allowed and what to do.

    Commands print it as `error: ...` and exit with code 2. In Python it is an ordinary ValueError.

    Example:
        >>> raise UserError("--temperature is -1.0; use a number of at least 0, such as 0.8")
        Traceback (most recent call last):
            ...
        zoo.errors.UserError: --temperature is -1.0; use a number of at least 0, such as 0.8
    """


class Note(UserWarning):
    """A note on a result for the user. Commands print it as `note: ...` on standard error."""


def with_flags(message: str, flags: Mapping[str, str], otherwise: str = "") -> str:
    """Returns a message in which fields of a config are replaced by flags.

    Libraries name a field, such as data.directory=DIR, and a program knows its own flags. A field
    followed by `=`, which the user should type, is replaced by its flag. If the message has no such
    field but names other fields, the flag of the first field is added at the end.

    Args:
        message: the message of an error.
        flags: the flag of each field that has a flag in the program.
        otherwise: a remark that is added if a field to type has no flag.

    Example:
        >>> with_flags("use data.directory=DIR", {"data.directory": "--data_directory"})
        'use --data_directory=DIR'
        >>> with_flags('model.cell is "lstn"', {"model.cell": "--config.model.cell"})
        'model.cell is "lstn" (type --config.model.cell=...)'
        >>> with_flags("use data.text_column=NAME", {}, "a field of the training's config")
        "use data.text_column=NAME (a field of the training's config)"
    """
    found = list(_FIELD.finditer(message))
    typed = [one["field"] for one in found if _is_typed(one)]
    bare = [one["field"] for one in found if one["field"] in flags and one["after"] != ":"]

    def with_flag(one: re.Match[str]) -> str:
        name = one["field"]
        return flags.get(name, name) + one["after"] if _is_typed(one) else one[0]

    told = _FIELD.sub(with_flag, message)
    if not typed:
        return f"{told} (type {flags[bare[0]]}=...)" if bare else told
    return f"{told} ({otherwise})" if otherwise and not flags.keys() >= set(typed) else told


def _is_typed(field: re.Match[str]) -> bool:
    """Returns whether a message asks the user to type a field."""
    return bool(field["flag"]) or field["after"] == "="


def fail(message: str) -> NoReturn:
    """Ends the program with a message on one line and exit code 2."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)
