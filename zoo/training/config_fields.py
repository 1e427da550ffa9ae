"""The fields of a config in words, from the docstrings of the records that define them."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from zoo.training.config import section_records

_SECTION_TITLE = re.compile(r"^[A-Z]\w+:$", re.MULTILINE)
_ATTRIBUTE = re.compile(r"^ {4}(\w+): ", re.MULTILINE)
_WIDTH = 42  # of a flag with its value, in characters


class Field(NamedTuple):
    """One field of a record.

    Attributes:
        name: the name of the field.
        default: its default value.
        text: its description in the docstring of the record; "" if there is none.
    """

    name: str
    default: Any
    text: str


def record_fields(record: type) -> Iterator[Field]:
    """Yields the fields of a record with their defaults and descriptions.

    Args:
        record: a dataclass whose fields all have defaults, such as OptimizerConfig.
    """
    texts: dict[str, str] = {}
    for base in reversed(record.__mro__):
        if "__doc__" in vars(base) and base is not object:
            texts |= attribute_texts(inspect.getdoc(base) or "")
    defaults = record()
    for field in dataclasses.fields(record):
        yield Field(field.name, getattr(defaults, field.name), texts.get(field.name, ""))


def attribute_texts(docstring: str) -> dict[str, str]:
    """Returns the descriptions in the section Attributes of a docstring, by name.

    Example:
        >>> attribute_texts("A size.\\n\\nAttributes:\\n    size: the number\\n        of units.")
        {'size': 'the number of units.'}
    """
    _, _, rest = docstring.partition("\nAttributes:\n")
    pieces = _ATTRIBUTE.split(_SECTION_TITLE.split(rest)[0])[1:]
    texts = (" ".join(piece.split()) for piece in pieces[1::2])
    return dict(zip(pieces[::2], texts, strict=True))


def describe_fields(config: ConfigDict) -> str:
    """Returns the fields of a config with their values, a line for each field.

    A line has the flag that sets the field, the value in this config, and the first sentence of
    the description. A value that differs from the default of the architecture is followed by it.

    Args:
        config: a config from `zoo.config`.

    Example:
        >>> from zoo.training.config import base_config
        >>> config = base_config("recurrent_lm")
        >>> config.mesh.model = 2
        >>> print(describe_fields(config).splitlines()[-1][:67])
          --mesh.model=2                              the number of parts t
    """
    architecture = config.model.architecture
    lines = [f"model.architecture is {architecture}"]
    for section, record in section_records(architecture).items():
        lines.append(f"\n{section}:")
        for field in record_fields(record):
            value = config[section][field.name]
            lines.append(_line(f"--{section}.{field.name}={_shown(value)}", field, value))
    if any(value is None for fields in config.values() for value in fields.values()):
        lines.append("\nNone: the value follows from the size of the corpus.")
    return "\n".join(lines)


def _line(flag: str, field: Field, value: Any) -> str:
    """Returns the line of a field."""
    sentence = re.split(r"(?<! et al)\. ", field.text)[0].rstrip(".")
    if value is not None and value != field.default:
        sentence += f" (default: {_shown(field.default) or 'empty'})"
    return f"  {flag:{_WIDTH}}  {sentence}"


def _shown(value: Any) -> str:
    """Returns a value as it is typed behind a flag."""
    return value if isinstance(value, str) else str(value)
