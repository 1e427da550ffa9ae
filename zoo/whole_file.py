"""Files that are written as a whole or not at all."""

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
    """A name beside a path, to write to; what was written takes the path when the block ends.

    If the block ends with an error, nothing is left of it, and what was at the path stays. Two
    processes that write one path have a name each; what a killed one left goes with the next write.

    Raises:
        UserError: the file can't be written.

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
        raise UserError(f"cannot write {str(path)!r}: it names no file; give the name of one")
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
        told = error.strerror or error
        raise UserError(f"cannot write {path}: {told}; choose another place") from error
    finally:
        with suppress(OSError):
            incomplete.unlink()


def incomplete_name(name: str) -> str:
    """What a file or directory is called while this process writes it.

    The name has the process's number and a sum of its machine's name, since two machines, or two
    containers, that share a file system may have a process of one number.

    Example:
        >>> incomplete_name("a.svg").startswith(".incomplete.")
        True
    """
    return f".incomplete.{_machine()}.{os.getpid()}.{name}"


def left_behind(names: Iterable[str], name: str) -> list[str]:
    """Of the names in a directory those under which processes that are gone wrote `name`.

    What processes of another machine wrote is none of them: whether they are gone can't be seen.

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
    """Eight hexadecimal digits that stand for this machine."""
    return f"{zlib.crc32(platform.node().encode(errors='backslashreplace')):08x}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is another user's, or no number of a process
        return True
    return True
