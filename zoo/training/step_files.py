"""The files of one step of a run, as they are written: JSON, checksums, leftovers of a kill."""

import errno
import json
import os
import re
from typing import Any

from etils import epath

from zoo.training import checksums
from zoo.types import Json

_LEFTOVER = re.compile(r"\.(\d+)\.(incomplete|replaced)")


def read_json(path: epath.Path) -> Any:
    """Returns the content of one of a step's JSON files, such as `directory / PROGRESS`."""
    return json.loads(path.read_bytes())


def write_json(path: epath.Path, record: Json) -> None:
    """Writes one of a step's JSON files, and waits until it is on the disk."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    # A lone surrogate has no UTF-8 form; its backslash form is also its JSON escape.
    path.write_bytes(text.encode("utf-8", errors="backslashreplace"))
    sync(path)


def write_sums(directory: epath.Path) -> None:
    """Writes checksums.json over all files of a step's directory; it is written last."""
    write_json(directory / checksums.FILE, checksums.compute(directory))


def reason_of(error: Exception) -> str:
    """Returns why a file cannot be written, in the system's own words if the message has them.

    Example:
        >>> reason_of(ValueError('OUT_OF_RANGE: Error writing "/a": No space left on device [1]'))
        'No space left on device'
    """
    message = getattr(error, "strerror", None) or str(error)
    known = (told for told in map(os.strerror, sorted(errno.errorcode)) if told in message)
    return next(known, message.partition("\n")[0][:200])


def sync(path: epath.Path) -> None:
    """Waits until a file or a directory is on the disk; remote storage does so by itself."""
    if "://" in os.fspath(path):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def aside(complete: epath.Path, kind: str) -> epath.Path:
    """Returns the directory beside a step that is "incomplete" or "replaced"."""
    return complete.with_name(f".{complete.name}.{kind}")


def clear_leftovers(directory: epath.Path) -> None:
    """Removes the leftovers of a killed process, and restores a step that it was replacing."""
    for entry in directory.iterdir():
        if leftover := _LEFTOVER.fullmatch(entry.name):
            step, kind = leftover.groups()
            if kind == "replaced" and not (directory / step).exists():
                entry.rename(directory / step)
            else:
                entry.rmtree()
