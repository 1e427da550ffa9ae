"""Notes of a run: the commands that trained it, their duration, and its test scores.

sessions.jsonl       one line for each session of training that ended: the step that it reached,
                     the seconds that it took, and the command that was typed
evaluations.jsonl    one line for each measurement on the test split: the step, the settings of the
                     measurement, and the scores
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from zoo.errors import WRONG_FORM
from zoo.report.records import CONFIG, note_damage, read_lines
from zoo.types import Json

Made = TypeVar("Made")

SESSIONS, EVALUATIONS = "sessions.jsonl", "evaluations.jsonl"


class Session(NamedTuple):
    """One session of training: from the start of a command to its end.

    Attributes:
        step: the step that the session reached.
        seconds: the duration of the session.
        command: the command that was typed; "" if Python code started the training.
    """

    step: int
    seconds: float
    command: str


class Evaluation(NamedTuple):
    """A measurement on the test split.

    Attributes:
        step: the step whose parameters were measured.
        settings: the settings of the measurement, such as "mode stream"; "" if there are none.
        scores: the scores by name.
    """

    step: int
    settings: str
    scores: dict[str, float]


def add_line(directory: Path, name: str, record: Json) -> None:
    """Appends a line to a file of JSON lines in a run's directory."""
    with (directory / name).open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, ensure_ascii=False) + "\n")


def read_sessions(directory: Path) -> tuple[Session, ...]:
    """Returns the sessions of a run, the first session first."""

    def make(line: Json) -> Session:
        return Session(line["step"], float(line["seconds"]), str(line["command"]))

    return tuple(_read(directory / SESSIONS, make))


def read_evaluations(directory: Path) -> tuple[Evaluation, ...]:
    """Returns the measurements of a run; of equal settings only the last measurement."""

    def make(line: Json) -> Evaluation:
        scores = {name: float(value) for name, value in line["scores"].items()}
        return Evaluation(line["step"], str(line["settings"]), scores)

    found = {one.settings: one for one in _read(directory / EVALUATIONS, make)}
    return tuple(found.values())


def _read(path: Path, make: Callable[[Json], Made]) -> list[Made]:
    """Returns the records of a file. A line with another form is reported and left out."""
    found = []
    for line in read_lines(path, note_damage):
        try:
            found.append(make(line))
        except WRONG_FORM:
            note_damage(f"{path}: the line of step {line['step']} is damaged and left out")
    return found


def note_evaluation(place: os.PathLike[str] | str, measured: Json) -> bool:
    """Notes scores on the test split in a run's directory.

    Args:
        place: the place that was named. If it is no run's directory, or cannot be written,
            nothing is noted.
        measured: what `python -m zoo evaluate --json` prints.

    Returns:
        Whether the measurement was noted.
    """
    directory = Path(place).expanduser()
    if not (directory / CONFIG).is_file() or not (directory / "checkpoints").is_dir():
        return False
    is_adapting = {name: name.startswith(("dynamic_", "cache_")) for name in measured}
    chosen = ("mode", "beam_size", "dynamic", "cache")
    settings = [name for name in measured if name in chosen or is_adapting[name]]
    record = {
        "step": measured["step"],
        "settings": ", ".join(f"{name} {measured[name]}".replace("_", " ") for name in settings),
        "scores": {
            name: value
            for name, value in measured.items()
            if isinstance(value, float) and not is_adapting[name]
        },
    }
    with suppress(OSError):
        add_line(directory, EVALUATIONS, record)
        return True
    return False
