"""A run's config: its sections, each with the fields and defaults of one record."""

import dataclasses
import importlib
import math
from typing import Any

from ml_collections import ConfigDict, config_dict

from zoo.checks import LARGEST
from zoo.errors import UserError
from zoo.models.registry import ARCHITECTURES, default_config
from zoo.tasks.by_size import fill
from zoo.tasks.registry import find_task
from zoo.training.devices import MeshConfig
from zoo.training.optimizers import OptimizerConfig

SECTIONS = ("data", "model", "optimizer", "training", "evaluation", "mesh")
_LARGEST_FLOAT = 3.4e38  # a device holds fractions as float32
_LARGEST_SEED = 2**32 - 1
_LONGEST_SHOWN = 200  # characters
_MOST_ELEMENTS = 100  # of a tuple, such as sizes of layers
_KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}


def base_config(architecture: str) -> ConfigDict:
    """Returns a config in which every field has its default value.

    The config of an architecture has the fields that the architecture needs, and no others.

    Args:
        architecture: a name in `zoo.list_models()`.

    Example:
        >>> config = base_config("recurrent_lm")
        >>> config.model.cell = "gru"
        >>> config.model.cels = "gru"  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        AttributeError: 'Key "cels" does not exist ...Did you mean "cell" instead of "cels"?'
    """
    sections = {
        name: dataclasses.asdict(record()) for name, record in _records(architecture).items()
    }
    return ConfigDict({**sections, "model": default_config(architecture)}).lock()


def leave_open(config: ConfigDict) -> None:
    """Sets each field to None that can follow from the size of the corpus.

    See `zoo.tasks.by_size`. Lengths in steps become 0. A flag or an assignment can still set any of
    these fields.

    Example:
        >>> config = base_config("classifier")
        >>> leave_open(config)
        >>> print(config.training.num_epochs)
        None
        >>> config.training.num_epochs = 4.0
    """
    for field in find_task(config.model.architecture).open_fields:
        section, name = field.split(".")
        config[section][name] = config_dict.placeholder(type(config[section][name]))
    config.training.num_steps = config.training.checkpoint_every_steps = 0
    config.evaluation.every_steps = 0


def _records(architecture: str) -> dict[str, type]:
    """Returns the records of the sections of an architecture's config, without the model's."""
    task = find_task(architecture)
    if not task.takes_steps:
        return dict(task.records)
    return {**task.records, "optimizer": OptimizerConfig, "mesh": MeshConfig}


def section_records(architecture: str) -> dict[str, type]:
    """Returns the record of each section of an architecture's config, the model's with them.

    Example:
        >>> list(section_records("ngram_lm"))
        ['data', 'model', 'training', 'evaluation']
    """
    entry = ARCHITECTURES[architecture]
    model = getattr(importlib.import_module(entry.module), entry.config)
    found = {**_records(architecture), "model": model}
    return {name: found[name] for name in SECTIONS if name in found}


def section(config: ConfigDict, name: str) -> Any:
    """Returns one section of a config as its record, which checks the values.

    Example:
        >>> section(base_config("recurrent_lm"), "training").log_every_steps
        100
    """
    return _records(config.model.architecture)[name](**config[name])


def check(config: ConfigDict) -> None:
    """Raises a UserError that names the first invalid value."""
    base = check_fields(config)
    may_be_open = find_task(config.model.architecture).open_fields
    config = fill(config, {field: base[field] for field in may_be_open})
    for name, defaults in base.items():
        for field, default in defaults.items():
            _check_kind(f"{name}.{field}", config[name][field], default)
        if name != "model":
            section(config, name)
        for field in defaults:
            _check_numbers(f"{name}.{field}", config[name][field])
    if "num_microbatches" in config.training:  # an n-gram model has no batches
        _check_microbatches(config.data.batch_size, config.training.num_microbatches)


def _check_microbatches(size: int, parts: int) -> None:
    """Raises a UserError if a batch cannot be cut into equal parts."""
    if size % parts:
        fewer = next(number for number in range(min(parts, size), 0, -1) if size % number == 0)
        more = size - size % parts + parts
        raise UserError(
            f"training.num_microbatches={parts} does not divide data.batch_size={size}; use "
            f"training.num_microbatches={fewer}, or data.batch_size={more}"
        )


def check_fields(config: ConfigDict) -> ConfigDict:
    """Raises a UserError unless a config has the fields of the config of its architecture.

    Returns:
        The config of the architecture with its default values.
    """
    for name, fields in config.items():
        if not isinstance(fields, ConfigDict):
            raise UserError(
                f"the config has {_shown(fields)} as its {name}; use a section with fields, as in "
                "the configs of zoo.config and of zoo.training.config.base_config"
            )
    if "architecture" not in config.get("model", ()):
        raise UserError(
            "the config has no model.architecture; start from a config of zoo.config or of "
            "zoo.training.config.base_config"
        )
    architecture = config.model.architecture
    _check_kind("model.architecture", architecture, "recurrent_lm")
    base = base_config(architecture)
    for name in (*base, *config):
        wanted, found = set(base.get(name, ())), set(config.get(name, ()))
        for field in sorted(wanted ^ found):
            differs = "has" if field in wanted else "has no"
            raise UserError(
                f"model.architecture is {architecture!r}, whose config {differs} {name}.{field}, "
                "unlike this config; start from a config of that architecture, such as one in "
                "configs/"
            )
    return base


def _check_numbers(name: str, value: object) -> None:
    """Raises a UserError for a number that no field can have: too large, not finite, negative."""
    largest = _LARGEST_SEED if name == "training.seed" else LARGEST
    for number in value if isinstance(value, tuple | list) else (value,):
        if type(number) is int and not 0 <= number <= largest:
            raise UserError(f"{name} is {_shown(value)}; use 0 to {largest}")
        if type(number) is float and not math.isfinite(number):
            raise UserError(f"{name} is {_shown(value)}; use a finite number")
        if type(number) is float and abs(number) > _LARGEST_FLOAT:
            raise UserError(f"{name} is {_shown(value)}; use a number of at most {_LARGEST_FLOAT}")


def _check_kind(name: str, value: object, default: object) -> None:
    """Raises a UserError if a value and the default of its field are of different types.

    ConfigDict itself accepts None for every field, and does not check the elements of a tuple.
    """
    if isinstance(default, tuple):
        if not isinstance(value, tuple | list):
            raise UserError(f"{name} is {_shown(value)}; use a tuple, as in {default}")
        if len(value) > _MOST_ELEMENTS:
            raise UserError(f"{name} has {len(value)} values; use at most {_MOST_ELEMENTS}")
        kind = type(default[0]) if default else str  # an empty default is a tuple of names
        if any(type(element) not in _allowed(kind) for element in value):
            raise UserError(
                f"{name} is {_shown(tuple(value))}; use {kind.__name__} values, as in {default}"
            )
    elif type(value) not in _allowed(type(default)):
        kind = type(default)
        raise UserError(f"{name} is {_shown(value)}; use {_KINDS[kind]}, such as {default!r}")


def _allowed(kind: type) -> tuple[type, ...]:
    """Returns the types that a field accepts; a whole number may stand for a decimal number."""
    return (int, float) if kind is float else (kind,)


def _shown(value: object) -> str:
    """Returns a value as a message shows it: on one line, and cut if it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
