"""Writes files as a whole or not at all."""

import os
import platform
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zoo.errors import UserError


@contextmanager
def whole_file(path: os.PathLike[str] | str) -> Iterator[Path]:
    """Yields a temporary path to write to; the file gets its real path when the block ends.

    If the block ends with an error, the temporary file is deleted, and an existing file stays. Two
    processes that write the same path have different temporary names. The next write deletes the
    temporary file of a killed process.

    Raises:
        UserError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     with whole_file(f"{directory}/notes.txt") as incomplete:
        ...         size = incomplete.write_text("all of it")
        ...     [entry.name for entry in Path(directory).iterdir()]
        ['notes.txt']
    """
    target = Path(path).expanduser()
    if not target.name:
        raise UserError(f"cannot write {str(path)!r}: it names no file; give the name of a file")
    incomplete = target.with_name(incomplete_name(target.name))
    with suppress(OSError):
        for name in left_behind(os.listdir(target.parent), target.name):
            target.with_name(name).unlink()
    try:
        if target.exists() and not target.is_file():  # such as /dev/null, which root could replace
            raise UserError(f"cannot write {path}: it is no regular file; choose another place")
        yield incomplete
        incomplete.replace(target)
    except OSError as error:
        if not target.parent.exists():
            raise UserError(
                f"cannot write {path}: the directory {target.parent} does not exist; create it, or "
                "choose another place"
            ) from error
        told = error.strerror or error
        raise UserError(f"cannot write {path}: {told}; choose another place") from error
    finally:
        with suppress(OSError):
            incomplete.unlink()


def incomplete_name(name: str) -> str:
    """Returns the temporary name of a file or directory while this process writes it.

    The name has the number of the process and a checksum of the machine's name. Two machines or
    containers that share a file system may have processes with the same number.

    Example:
        >>> incomplete_name("a.svg").startswith(".incomplete.")
        True
    """
    return f".incomplete.{_machine()}.{os.getpid()}.{name}"


def left_behind(names: Iterable[str], name: str) -> list[str]:
    """Returns the temporary names of `name` that processes which have ended left in a directory.

    Files of other machines are not returned, because it is unknown whether their processes run.

    Example:
        >>> left_behind(["a.svg", incomplete_name("a.svg"), ".incomplete.0.b.svg"], "a.svg")
        []
    """
    found = []
    pattern = rf"\.incomplete\.{_machine()}\.([1-9][0-9]*)\.{re.escape(name)}"
    for other in names:
        match = re.fullmatch(pattern, other)
        if match and not _is_alive(int(match[1])):
            found.append(other)
    return found


def _machine() -> str:
    """Returns eight hexadecimal digits that identify this machine."""
    return f"{zlib.crc32(platform.node().encode(errors='backslashreplace')):08x}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # the process of another user, or not the number of a process
        return True
    return True
