"""The records in a run's directory: plain files, which are read without jax.

config.json          the config that the run was started with
metrics.jsonl        a JSON object on each line: step, split ("train" or "validation"), scores
samples.jsonl        a JSON object on each line: step, and a text that the model wrote at that step
sessions.jsonl       commands and durations, see `zoo.report.sessions`
evaluations.jsonl    scores on the test split, see `zoo.report.sessions`
summary.json         written at the end: the best step, its scores on validation, and figures
report.html          the page that is made of the other files

config.json and summary.json hold a checksum of themselves, so every change of their content is
noticed. A line of a .jsonl file that is not JSON, or has no step, is reported and left out. A
changed digit or letter in such a line is not noticed. Neither is a change of report.html, which
`python -m zoo report` writes again. Resuming a run and loading its model need none of these files:
each step of a run has its own config, under the checksums of `zoo.training.checksums`.
"""

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path

from zoo.errors import Note, UserError
from zoo.types import Json
from zoo.whole_file import whole_file

CONFIG, METRICS, SAMPLES = "config.json", "metrics.jsonl", "samples.jsonl"
SUMMARY, REPORT = "summary.json", "report.html"
_SEAL = "sha256"  # the name of the field with the checksum of all other fields
_LAST_STEP = 2**32 - 1


def write_sealed(path: Path, record: Json) -> None:
    """Writes a JSON object with the SHA-256 checksum of its fields as one more field."""
    plain = json.loads(json.dumps(record))  # as it will be read: keys are texts, tuples are lists
    write_text(path, json.dumps({**plain, _SEAL: _sum_of(plain)}, indent=1) + "\n")


def read_sealed(path: Path) -> Json:
    """Reads what `write_sealed` wrote.

    A file without a checksum, such as a file of an earlier version, is read as it is.

    Raises:
        UserError: The file is damaged, is missing, or holds something other than an object.
    """
    try:
        record = json.loads(_read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(record, dict):
        raise _damaged(path, f"it holds {str(record)[:40]!r} instead of an object")
    if _SEAL in record and record.pop(_SEAL) != _sum_of(record):
        raise _damaged(path, f"it differs from its {_SEAL}")
    return record


def _sum_of(record: Json) -> str:
    """Returns the SHA-256 checksum of a JSON object, which spaces and order do not change."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Writes a file of a run completely or not at all."""
    with whole_file(path) as incomplete:
        incomplete.write_text(text, encoding="utf-8")


def _damaged(path: Path, fault: str) -> UserError:
    return UserError(f"{path} is damaged: {fault}; start the training's command again")


def _read_bytes(path: Path) -> bytes:
    """Returns the content of a regular file. A file of another kind might never end."""
    if not path.is_file():
        raise _damaged(path, "it is not a regular file")
    return path.read_bytes()


def read_lines(path: Path, log: Callable[[str], None]) -> list[Json]:
    """Returns the records of a file of JSON lines.

    A damaged line is reported and left out. A last line without a line end is left out silently,
    because a killed process did not finish it.

    Args:
        path: the file, which may be missing.
        log: is called with a message for each damaged line.
    """
    if not path.exists():
        return []
    lines = _read_bytes(path).split(b"\n")
    unfinished = lines.pop()
    del unfinished
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        step = record.get("step") if isinstance(record, dict) else None
        if type(step) is int and 0 <= step <= _LAST_STEP:
            records.append(record)
        else:
            log(f"{path}: line {number} is damaged and left out")
    return records


def note_damage(told: str) -> None:
    """Tells a user of a damaged line, which commands print as a note."""
    warnings.warn(told, Note, stacklevel=3)


def flatten(config: Json, prefix: str = "") -> Json:
    """Returns nested settings by their names `section.field`.

    Example:
        >>> flatten({"model": {"cell": "gru"}})
        {'model.cell': 'gru'}
    """
    flat: Json = {}
    for name, value in config.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def differing_fields(configs: list[Json]) -> dict[str, list[object]]:
    """Returns the fields in which configs differ, with the value in each config or None.

    Example:
        >>> differing_fields([{"model": {"cell": "gru"}}, {"model": {"cell": "lstm", "size": 1}}])
        {'model.cell': ['gru', 'lstm'], 'model.size': [None, 1]}
    """
    flat = [flatten(config) for config in configs]
    names = sorted(set().union(*flat))
    values = {name: [one.get(name) for one in flat] for name in names}
    return {name: found for name, found in values.items() if any(one != found[0] for one in found)}
