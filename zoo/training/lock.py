"""A lock on a run's directory: one process at a time may use it.

The process holds the file `lock` in the directory open and locked (flock), so that the system
releases the lock when the process dies for any reason. The file names the process, so that the
error of another process can say who holds the lock.
"""

import datetime
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import UserError

NAME = "lock"


@contextmanager
def locked(directory: Path, log: Callable[[str], None]) -> Iterator[None]:
    """Holds the lock on a directory inside the context, so that this process alone uses it.

    Args:
        directory: an existing directory.
        log: a function that receives a line if the file system has no locks.

    Raises:
        UserError: if another process uses the directory, or the lock file cannot be written.
    """
    try:
        import fcntl
    except ImportError:  # not Unix
        log(f"this system has no file locks; let only one process at a time use {directory}")
        yield
        return
    path = directory / NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}); choose another directory"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"{directory} is in use by {_holder(path)}; wait until it ends, or choose another "
                "--workdir"
            ) from error
        except OSError as error:
            log(
                f"{directory} cannot be locked ({error.strerror}); let only one process at a time "
                "use it"
            )
        now = datetime.datetime.now().replace(microsecond=0)
        holder = f"process {os.getpid()} on {socket.gethostname()}, since {now}\n"
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(path: Path) -> str:
    """Returns the name of the process that wrote the lock file."""
    try:
        return path.read_text("utf-8").strip() or "another process"
    except (OSError, ValueError):
        return "another process"
