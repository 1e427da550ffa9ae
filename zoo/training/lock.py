"""One process at a time in a run's directory, by a lock that ends with the process.

The file `lock` in the directory is held open and locked (flock), so that the system releases it
when the process dies, however it dies. Its content names the process for whoever is refused.
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
    """Inside, this process alone uses a directory.

    Args:
        directory: an existing directory.
        log: takes a line where the file system has no locks.

    Raises:
        UserError: another process uses it, or the file can't be written.
    """
    try:
        import fcntl
    except ImportError:  # no Unix
        log(f"this system has no file locks; see that one process at a time uses {directory}")
        yield
        return
    path = directory / NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(
            f"{path} can't be written ({error.strerror}); choose another directory"
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
            log(f"{directory} can't be locked ({error.strerror}); see that one process uses it")
        now = datetime.datetime.now().replace(microsecond=0)
        holder = f"process {os.getpid()} on {socket.gethostname()}, since {now}\n"
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(path: Path) -> str:
    """Who wrote the lock's file."""
    try:
        return path.read_text("utf-8").strip() or "another process"
    except (OSError, ValueError):
        return "another process"
