"""Settings that follow from the size of the user's own corpus.

A config leaves a field open with `ml_collections.config_dict.placeholder`; its value is then None,
and the rule below chooses it. What the user sets is kept.

RULE
"""

from typing import Any

from ml_collections import ConfigDict, config_dict


def leave_open(config: ConfigDict, fields: frozenset[str]) -> None:
    """Makes fields of a config None, to be set by the rule; a flag can still set them.

    Args:
        config: a config whose fields have values of their own kind.
        fields: such as "model.hidden_sizes".
    """
    for field in fields:
        section, name = field.split(".")
        config[section][name] = config_dict.placeholder(type(config[section][name]))


def open_in(config: ConfigDict) -> list[str]:
    """Returns the fields of a config that are None, in order."""
    return [
        f"{section}.{name}"
        for section, fields in config.items()
        for name, value in fields.items()
        if value is None
    ]


def fill(config: ConfigDict, values: dict[str, Any]) -> ConfigDict:
    """Returns a config with values for its fields that are None.

    Example:
        >>> config = ConfigDict({"model": {"size": 3, "rate": config_dict.placeholder(float)}})
        >>> fill(config, {"model.size": 9, "model.rate": 0.5}).model.to_dict()
        {'rate': 0.5, 'size': 3}
    """
    config = config.copy_and_resolve_references()
    for field in open_in(config):
        if field in values:
            section, name = field.split(".")
            with config.ignore_type():
                config[section][name] = values[field]
    return config


def describe(config: ConfigDict, fields: list[str]) -> str:
    """Returns fields and their values in a line.

    Example:
        >>> describe(ConfigDict({"model": {"sizes": (3, 4)}}), ["model.sizes"])
        'by the size of the corpus: model.sizes=3,4'
    """
    told = []
    for field in fields:
        section, name = field.split(".")
        value = config[section][name]
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        told.append(f"{field}={shown}")
    return f"by the size of the corpus: {' '.join(told)}"
