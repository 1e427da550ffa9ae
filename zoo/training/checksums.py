"""A directory's files against their SHA-256 sums, which stand in its checksums.json.

The format is a JSON object: paths relative to the directory, with `/` between their parts, to
SHA-256 in hexadecimal digits.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator

from etils import epath

from zoo.types import Json

FILE = "checksums.json"
ARRAYS = ("params/", "state/")  # directories in which every file has to be listed


class DamagedCheckpoint(Exception):
    """A directory that is not what was saved: the message names it and what is wrong."""


def compute(directory: epath.Path) -> dict[str, str]:
    """The sums of all files under a directory but checksums.json, as that file holds them.

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
    """Check that a directory's files are those whose sums were written.

    A file that checksums.json does not list is ignored, but not among the arrays (below params/ or
    state/), where a library might prefer it to what is listed. No path, listed or not, may lead
    out of the directory: neither an absolute one, nor one with `..`, nor a symbolic link.

    Args:
        directory: where checksums.json and the files are.
        required: paths that checksums.json must list.

    Raises:
        DamagedCheckpoint: a file is missing, differs, is not listed among the arrays, is no regular
            file, or leads out of the directory.

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
    """Whether one file of a directory, such as a card, is the one whose sum was written.

    Returns:
        False if the file differs or is missing, is no regular file or leads out of the directory,
        or if the sums can't be read; True if no sum lists it.
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
    """What is wrong, in a few words; None if all is well."""
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
            return f"{name} is no regular file"
        if name in expected and _sha256(directory / name) != expected[name]:
            return f"{name} differs from its checksum"
    return None


def _read_sums(directory: epath.Path) -> Json:
    """Returns what checksums.json holds; ValueError if it lies elsewhere or might never end."""
    if _leads_outside(directory, FILE):
        raise ValueError(f"{FILE} leads out of the directory")
    if not _is_regular(directory / FILE):
        raise ValueError(f"{FILE} is no regular file")
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
    """Whether a path is a file with an end: no directory, device or pipe."""
    if "://" in os.fspath(path):
        return path.is_file()
    return stat.S_ISREG(os.stat(path).st_mode)


def _sha256(path: epath.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
