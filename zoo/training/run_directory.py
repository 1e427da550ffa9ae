"""Checks of a run's directory before the run writes to it."""

import json
import os
from contextlib import suppress
from pathlib import Path

from zoo.errors import UserError
from zoo.report.records import CONFIG, METRICS, REPORT, SAMPLES, SUMMARY
from zoo.report.sessions import SESSIONS
from zoo.training import checkpoints, checksums, lock

_WRITTEN = (CONFIG, METRICS, SAMPLES, SESSIONS, SUMMARY, REPORT, lock.NAME, "checkpoints")
_SECTIONS = {"data", "model", "training"}  # of every config


def make_directory(directory: Path) -> None:
    """Creates the directory of a run, or checks the directory that is there.

    Raises:
        UserError: if it cannot be written, or holds files that a run would overwrite and that no
            run wrote, such as the config.json of another program.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise UserError(
            f"workdir {directory} cannot be written ({error.strerror}); "
            "choose another with --workdir=DIR"
        ) from error
    in_the_way = [name for name in _WRITTEN if (directory / name).exists()]
    if in_the_way == [lock.NAME] and not (directory / lock.NAME).stat().st_size:
        return  # a run was killed before it wrote anything
    if in_the_way and not _is_run(directory):
        raise UserError(
            f"workdir {directory} holds {', '.join(in_the_way)}, and no run wrote that; choose "
            "another with --workdir=DIR"
        )


def _is_run(directory: Path) -> bool:
    """Returns whether a run wrote a directory, by its lock, its config or its steps."""
    with suppress(OSError, ValueError):
        if (directory / lock.NAME).read_text("utf-8").startswith("process "):
            return True
    with suppress(OSError, ValueError, RecursionError):
        record = json.loads((directory / CONFIG).read_bytes())
        if isinstance(record, dict) and record.keys() >= _SECTIONS:
            return True
    steps = checkpoints.steps(directory)
    places = (checkpoints.step_directory(directory, step) for step in steps)
    return any((place / checksums.FILE).exists() for place in places)
