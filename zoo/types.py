"""Type aliases for values that Python's types cannot describe exactly."""

from typing import Any

PyTree = Any  # arrays in nested dicts, lists, tuples and records
Params = PyTree  # a model's parameters: arrays in nested dicts, by name
Json = dict[str, Any]  # an object of plain JSON types
