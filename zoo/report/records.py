"""What a run's directory says about the run; plain files, read without jax.

config.json       the config that the run was started with
metrics.jsonl     a JSON object a line: step, split ("train" or "validation"), scores
samples.jsonl     the same: step and sample, a text that shows what the model did then
summary.json      written at the end: best step, its scores on validation, figures
report.html       the page made of the others

What is noticed when such a file is damaged: config.json and summary.json hold a sum over
themselves, so that every change of their content is told. A line of metrics.jsonl or samples.jsonl
that is no JSON, or has no step, is told and left out; a changed digit or letter in such a line is
not noticed, and neither is any change of report.html, which `python -m zoo report` writes again.
Resuming a run and loading its model depend on none of these files: each step of a run has its own
config, under the sums of `zoo.training.checksums`.
"""

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from zoo.errors import UserError
from zoo.types import Json
from zoo.whole_file import whole_file

CONFIG, METRICS, SAMPLES = "config.json", "metrics.jsonl", "samples.jsonl"
SUMMARY, REPORT = "summary.json", "report.html"
_SEAL = "sha256"  # the field with the sum over all others
_LAST_STEP = 2**32 - 1


class Curve(NamedTuple):
    """A score along training."""

    steps: list[int]
    values: list[float]


class Record(NamedTuple):
    """A run.

    Attributes:
        name: of its directory.
        config: its config, as nested dicts.
        curves: by split and name of a score.
        samples: step and text, in the order of the steps.
        summary: what summary.json holds; empty while the run is not finished.
        members: of a run of several seeds the run of each; empty while it is not finished.
    """

    name: str
    config: Json
    curves: dict[tuple[str, str], Curve]
    samples: list[tuple[int, str]]
    summary: Json
    members: tuple["Record", ...] = ()


def read_record(workdir: Path) -> Record:
    """Reads a run's directory.

    Raises:
        UserError: it is no run, or a file of it is damaged.
    """
    if not (workdir / CONFIG).exists():
        raise UserError(
            f"{workdir} is no run: it has no {CONFIG}; give the --workdir of a training"
        )
    if (workdir / "params").exists():
        raise UserError(f"{workdir} is a checkpoint, no run; give the --workdir of a training")
    curves: dict[tuple[str, str], Curve] = {}
    for line in read_lines(workdir / METRICS, warnings.warn):
        for name, value in line.items():
            if name not in ("step", "split") and isinstance(value, int | float):
                curve = curves.setdefault((str(line.get("split")), name), Curve([], []))
                curve.steps.append(line["step"])
                curve.values.append(value)
    return Record(
        name=workdir.resolve().name,
        config=read_sealed(workdir / CONFIG),
        curves=curves,
        samples=[
            (line["step"], str(line.get("sample", "")))
            for line in read_lines(workdir / SAMPLES, warnings.warn)
        ],
        summary=read_sealed(workdir / SUMMARY) if (workdir / SUMMARY).exists() else {},
    )


def write_sealed(path: Path, record: Json) -> None:
    """Writes a JSON object with the SHA-256 sum of its fields as one more field."""
    plain = json.loads(json.dumps(record))  # as it will be read: keys are texts, tuples are lists
    write_text(path, json.dumps({**plain, _SEAL: _sum_of(plain)}, indent=1) + "\n")


def read_sealed(path: Path) -> Json:
    """Reads what `write_sealed` wrote.

    A file without the sum, such as one of an earlier version, is read as it is.

    Raises:
        UserError: the file is damaged, is missing, or holds something else.
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
    """The SHA-256 sum of a JSON object, however it is spaced and ordered."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Writes a file of a run, whole or not at all."""
    with whole_file(path) as incomplete:
        incomplete.write_text(text, encoding="utf-8")


def _damaged(path: Path, fault: str) -> UserError:
    return UserError(f"{path} is damaged: {fault}; start the training's command again")


def _read_bytes(path: Path) -> bytes:
    """Returns what a regular file holds; anything else might never end."""
    if not path.is_file():
        raise _damaged(path, "it is no regular file")
    return path.read_bytes()


def read_lines(path: Path, log: Callable[[str], None]) -> list[Json]:
    """Returns the records of a file of JSON lines.

    A line that is damaged is told and left out; but a last line without its end is what a killed
    process did not finish, and is left out without a word.

    Args:
        path: the file; there may be none.
        log: takes a line for each line that is damaged.
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


def flatten(config: Json, prefix: str = "") -> Json:
    """Nested settings by `section.field`.

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
    """The fields in which plain configs differ, with each one's value; None where it has none.

    Example:
        >>> differing_fields([{"model": {"cell": "gru"}}, {"model": {"cell": "lstm", "size": 1}}])
        {'model.cell': ['gru', 'lstm'], 'model.size': [None, 1]}
    """
    flat = [flatten(config) for config in configs]
    names = sorted(set().union(*flat))
    values = {name: [one.get(name) for one in flat] for name in names}
    return {name: found for name, found in values.items() if any(one != found[0] for one in found)}
