"""Checks of settings, each with the line that says what came and what is allowed."""

import math
from collections.abc import Iterable

from zoo.errors import UserError


def check_choice(field: str, value: str, choices: Iterable[str]) -> None:
    """Raises a UserError unless the value of a field is one of its choices.

    Example:
        >>> check_choice("model.block", "plain", ("plain", "residual"))
    """
    if value not in choices:
        raise UserError(f"{field} is {value!r}; choose one of {', '.join(choices)}")


def check_least(least: int, section: str, settings: object, *names: str) -> None:
    """Raises a UserError for the first field of a section that is below the least value.

    Args:
        least: the least value.
        section: of a config; "" for settings that are arguments of a function.
        settings: what has the fields.
        *names: of the fields.

    Example:
        >>> from types import SimpleNamespace
        >>> check_least(1, "model", SimpleNamespace(hidden_size=0), "hidden_size")
        Traceback (most recent call last):
            ...
        zoo.errors.UserError: model.hidden_size is 0; use at least 1
    """
    for name in names:
        if not least <= getattr(settings, name) < math.inf:
            field = f"{section}.{name}" if section else name
            raise UserError(f"{field} is {getattr(settings, name)}; use at least {least}")


def check_sizes(field: str, sizes: tuple[int, ...]) -> None:
    """Raises a UserError unless there is a size, and each is at least 1.

    Example:
        >>> check_sizes("model.hidden_sizes", (256, 128))
    """
    if not sizes or min(sizes) < 1:
        raise UserError(f"{field} is {sizes}; use sizes of at least 1, such as (256,)")


def check_rates(section: str, settings: object, *names: str) -> None:
    """Raises a UserError for the first field of a section that is no rate of dropping.

    Example:
        >>> from types import SimpleNamespace
        >>> check_rates("model", SimpleNamespace(layer_dropout_rate=0.5), "layer_dropout_rate")
    """
    for name in names:
        if not 0 <= getattr(settings, name) < 1:
            rate = getattr(settings, name)
            raise UserError(f"{section}.{name} is {rate}; use a fraction from 0 to below 1")
