"""Checks of a directory's files against their SHA-256 sums in its checksums.json.

The file is a JSON object. It maps each path, relative to the directory and with `/` between its
parts, to the SHA-256 sum of the file in hexadecimal digits.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator

from etils import epath

from zoo.types import Json

FILE = "checksums.json"
ARRAYS = ("params/", "state/")  # directories in which every file must be listed


class DamagedCheckpoint(Exception):
    """A directory does not hold what was saved; the message names the directory and the fault."""


def compute(directory: epath.Path) -> dict[str, str]:
    """Returns the SHA-256 sum of each file in a directory and in the directories below it.

    The file checksums.json itself is left out.

    Args:
        directory: the directory, which must exist.

    Returns:
        The sums in hexadecimal digits, by the paths of the files relative to the directory.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     _ = epath.Path(name, "empty.txt").write_text("")
        ...     compute(epath.Path(name))["empty.txt"][:8]
        'e3b0c442'
    """
    names = sorted(name for name in list_files(directory) if name != FILE)
    return {name: _sha256(directory / name) for name in names}


def verify(directory: epath.Path, *, required: Iterable[str]) -> None:
    """Checks that the files of a directory agree with the sums that were written.

    A file that checksums.json does not list is ignored, except among the arrays (below params/ or
    state/), where a library might prefer it to a listed file. No path, listed or not, may lead out
    of the directory: neither an absolute path, nor a path with `..`, nor a symbolic link.

    Args:
        directory: the directory of checksums.json and the files.
        required: paths that checksums.json must list.

    Raises:
        DamagedCheckpoint: if a file is missing, differs, is not listed among the arrays, is not a
            regular file, or leads out of the directory.

    Example:
        >>> verify(epath.Path("/nowhere"), required=())
        Traceback (most recent call last):
            ...
        zoo.training.checksums.DamagedCheckpoint: /nowhere is damaged: checksums.json is missing
    """
    try:
        fault = _fault(directory, required)
    except (OSError, ValueError, RecursionError) as error:  # unreadable, not JSON, a NUL in a path
        fault = str(error)
    if fault:
        raise DamagedCheckpoint(f"{directory} is damaged: {fault}")


def agrees(directory: epath.Path, name: str) -> bool:
    """Returns whether one file of a directory, such as a card, agrees with its sum.

    Returns:
        False if the file differs, is missing, is not a regular file or leads out of the directory,
        or if the sums cannot be read. True if no sum lists the file.
    """
    try:
        expected = _read_sums(directory)
        if _leads_outside(directory, name):
            return False
        if (directory / name).exists() and not _is_regular(directory / name):
            return False
        return name not in expected or _sha256(directory / name) == expected[name]
    except (OSError, ValueError, RecursionError, TypeError):
        return False


def _fault(directory: epath.Path, required: Iterable[str]) -> str | None:
    """Returns the fault in a few words, or None if there is none."""
    if not (directory / FILE).exists():
        return f"{FILE} is missing"
    expected = _read_sums(directory)
    if not isinstance(expected, dict):
        return f"{FILE} is not a JSON object"
    for name in required:
        if name not in expected:
            return f"{FILE} does not list {name}"
    for name in sorted({*expected, *list_files(directory)}):
        if _leads_outside(directory, name):
            return f"{name} leads out of the directory"
        if name not in expected and name.startswith(ARRAYS):
            return f"{name} is not listed in {FILE}"
        if name in expected and not (directory / name).exists():
            return f"{name} is missing"
        if name in expected and not _is_regular(directory / name):
            return f"{name} is not a regular file"
        if name in expected and _sha256(directory / name) != expected[name]:
            return f"{name} differs from its checksum"
    return None


def _read_sums(directory: epath.Path) -> Json:
    """Returns the content of checksums.json; raises ValueError if it is not a regular file here."""
    if _leads_outside(directory, FILE):
        raise ValueError(f"{FILE} leads out of the directory")
    if not _is_regular(directory / FILE):
        raise ValueError(f"{FILE} is not a regular file")
    return json.loads((directory / FILE).read_bytes())


def _leads_outside(directory: epath.Path, name: str) -> bool:
    if name.startswith("/") or ".." in name.split("/"):
        return True
    root = os.path.realpath(directory)
    return os.path.commonpath([root, os.path.realpath(directory / name)]) != root


def list_files(directory: epath.Path, prefix: str = "") -> Iterator[str]:
    """Yields the paths of all files under a directory, relative to it; links are not followed."""
    for entry in directory.iterdir():
        if entry.is_dir() and not os.path.islink(entry):
            yield from list_files(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}"


def _is_regular(path: epath.Path) -> bool:
    """Returns whether a path is a regular file, and no directory, device or pipe."""
    if "://" in os.fspath(path):
        return path.is_file()
    return stat.S_ISREG(os.stat(path).st_mode)


def _sha256(path: epath.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
