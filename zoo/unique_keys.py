"""Refuses JSON objects in which a key occurs twice; Python would keep only the last value."""

from typing import Any


class RepeatedKey(ValueError):
    """A key occurs twice in a JSON object."""


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a JSON object as a dictionary; use it as `object_pairs_hook` of `json.loads`.

    Raises:
        RepeatedKey: a key occurs twice.

    Example:
        >>> import json
        >>> json.loads('{"text": "a net", "text": "x"}', object_pairs_hook=unique_keys)
        Traceback (most recent call last):
            ...
        zoo.unique_keys.RepeatedKey: the key 'text' occurs twice; keep one of them
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise RepeatedKey(f"the key {name[:40]!a} occurs twice; keep one of them")
        found[name] = value
    return found
