"""Checks arguments of the Python functions: texts, lists of texts, and settings."""

import dataclasses
import numbers
import os
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from zoo.errors import UserError

_KINDS: dict[type, tuple[type | tuple[type, ...], str]] = {
    bool: (bool, "True or False"),
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    str: (str, "a text"),
}


_NO_LIST = (bytes, Mapping, Set)  # a dictionary would give its keys, and a set has no order


def given_texts(given: str | Sequence[str], what: str = "texts") -> list[str]:
    """Returns texts as a list, even if a single text is given.

    Args:
        given: the texts.
        what: the name of the texts in messages.

    Raises:
        TypeError: the argument is neither a text nor a list of texts.

    Example:
        >>> given_texts("one"), given_texts(("one", "two"))
        (['one'], ['one', 'two'])
        >>> given_texts([1])
        Traceback (most recent call last):
            ...
        TypeError: texts has 1, an int, where a text belongs; give a string or a list of strings
    """
    if isinstance(given, str):
        return [given]
    if isinstance(given, _NO_LIST) or not isinstance(given, Iterable):
        raise TypeError(
            f"{what} is {_shown(given)}, {_kind(given)}; give a string or a list of strings"
        )
    texts = list(given)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(
                f"{what} has {_shown(text)}, {_kind(text)}, where a text belongs; give a string or "
                "a list of strings"
            )
    return texts


def given_name(given: os.PathLike[str] | str) -> str:
    """Returns the name or the path of a checkpoint as a string.

    Raises:
        TypeError: the argument is neither a string nor a path.

    Example:
        >>> given_name(5)
        Traceback (most recent call last):
            ...
        TypeError: the checkpoint is 5, an int; give its name, or its path
    """
    name = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    if not isinstance(name, str):
        raise TypeError(
            f"the checkpoint is {_shown(given)}, {_kind(given)}; give its name, or its path"
        )
    return name


def given_list(given: Iterable[Any], what: str) -> list[Any]:
    """Returns an argument as a list; a text is refused.

    Raises:
        TypeError: the argument is a text, a dictionary or a set, or is not a list.

    Example:
        >>> given_list("python_docs_lstm", "checkpoints")
        Traceback (most recent call last):
            ...
        TypeError: checkpoints is 'python_docs_lstm', a str; give a list of them
    """
    if isinstance(given, (str, *_NO_LIST)) or not isinstance(given, Iterable):
        raise TypeError(f"{what} is {_shown(given)}, {_kind(given)}; give a list of them")
    return list(given)


def check_kinds(settings: Any) -> None:
    """Raises a UserError that names the first setting whose type differs from its default.

    Args:
        settings: a dataclass. Fields without a default, or with the default None, may have any
            type.
    """
    for field in dataclasses.fields(settings):
        value, default = getattr(settings, field.name), field.default
        kind, told = _KINDS.get(type(default), (object, ""))
        is_other = isinstance(value, bool) and not isinstance(default, bool)
        if told and (is_other or not isinstance(value, kind)):
            raise UserError(
                f"{field.name} is {_shown(value)}, {_kind(value)}; use {told}, such as {default!r}"
            )


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:60]}..."


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
