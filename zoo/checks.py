"""Checks of settings. The error gives the value and the allowed values."""

from collections.abc import Iterable

from zoo.errors import UserError

LARGEST = 2**31 - 1  # a device holds steps and sizes as int32


def check_choice(field: str, value: str, choices: Iterable[str]) -> None:
    """Raises a UserError unless the value of a field is one of its choices.

    Example:
        >>> check_choice("model.block", "plain", ("plain", "residual"))
    """
    if value not in choices:
        raise UserError(f"{field} is {value!r}; choose one of {', '.join(choices)}")


def check_least(least: int, section: str, settings: object, *names: str) -> None:
    """Raises a UserError for the first field of a section below the least value, or too large.

    Args:
        least: the least value.
        section: the section of the config; "" if the settings are arguments of a function.
        settings: the object that has the fields.
        *names: the names of the fields.

    Example:
        >>> from types import SimpleNamespace
        >>> check_least(1, "model", SimpleNamespace(hidden_size=0), "hidden_size")
        Traceback (most recent call last):
            ...
        zoo.errors.UserError: model.hidden_size is 0; use at least 1
    """
    for name in names:
        value, field = getattr(settings, name), f"{section}.{name}" if section else name
        if not value >= least:
            raise UserError(f"{field} is {value}; use at least {least}")
        if value > LARGEST:
            raise UserError(f"{field} is {value}; use at most {LARGEST}")


def check_sizes(field: str, sizes: tuple[int, ...]) -> None:
    """Raises a UserError unless there is a size and every size is from 1 to 2^31 - 1.

    Example:
        >>> check_sizes("model.hidden_sizes", (256, 128))
    """
    if not sizes or min(sizes) < 1:
        raise UserError(f"{field} is {sizes}; use sizes of at least 1, such as (256,)")
    if max(sizes) > LARGEST:
        raise UserError(f"{field} is {sizes}; use sizes of at most {LARGEST}")


def check_rates(section: str, settings: object, *names: str) -> None:
    """Raises a UserError for the first field of a section that is not a dropout rate.

    Example:
        >>> from types import SimpleNamespace
        >>> check_rates("model", SimpleNamespace(layer_dropout_rate=0.5), "layer_dropout_rate")
    """
    for name in names:
        if not 0 <= getattr(settings, name) < 1:
            rate = getattr(settings, name)
            raise UserError(f"{section}.{name} is {rate}; use a fraction from 0 to below 1")
