"""Files that are written as a whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zoo.errors import UserError


@contextmanager
def whole_file(path: os.PathLike[str] | str) -> Iterator[Path]:
    """A name beside a path, to write to; what was written takes the path when the block ends.

    If the block ends with an error, nothing is left of it, and what was at the path stays.

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
    incomplete = target.with_name(f".incomplete.{target.name}")
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
