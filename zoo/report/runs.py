"""A run as its records tell it."""

from pathlib import Path
from typing import NamedTuple

from zoo.errors import UserError
from zoo.report.records import (
    CONFIG,
    METRICS,
    SAMPLES,
    SUMMARY,
    note_damage,
    read_lines,
    read_sealed,
)
from zoo.report.sessions import Evaluation, Session, read_evaluations, read_sessions
from zoo.types import Json


class Curve(NamedTuple):
    """The values of a score at some steps of training."""

    steps: list[int]
    values: list[float]


class Record(NamedTuple):
    """The records of a run.

    Attributes:
        name: the name of the run's directory.
        config: the config of the run, as nested dicts.
        curves: the values of each score, by split and name of the score.
        samples: steps and texts, in the order of the steps.
        summary: the content of summary.json; empty while the run is not finished.
        members: the run of each seed if the run has several seeds; empty while the run is not
            finished.
        sessions: the sessions of training that ended.
        evaluations: the scores on the test split that were measured.
    """

    name: str
    config: Json
    curves: dict[tuple[str, str], Curve]
    samples: list[tuple[int, str]]
    summary: Json
    members: tuple["Record", ...] = ()
    sessions: tuple[Session, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()


def read_record(workdir: Path) -> Record:
    """Reads the records in a run's directory.

    Raises:
        UserError: The directory is no run, or a file in it is damaged.
    """
    if not (workdir / CONFIG).exists():
        raise UserError(
            f"{workdir} is no run: it has no {CONFIG}; give the --workdir of a training"
        )
    if (workdir / "params").exists():
        raise UserError(f"{workdir} is a checkpoint, no run; give the --workdir of a training")
    curves: dict[tuple[str, str], Curve] = {}
    for line in read_lines(workdir / METRICS, note_damage):
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
            for line in read_lines(workdir / SAMPLES, note_damage)
        ],
        summary=read_sealed(workdir / SUMMARY) if (workdir / SUMMARY).exists() else {},
        sessions=read_sessions(workdir),
        evaluations=read_evaluations(workdir),
    )
