"""Places that a user names: paths on this machine, and addresses such as gs://BUCKET/RUN."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from etils import epath

from zoo.buckets import Bucket, Mirror, called, is_address
from zoo.errors import UserError


def user_place(name: os.PathLike[str] | str) -> epath.Path:
    """Returns the path that a user typed, with ~ replaced by the home directory.

    Raises:
        UserError: it is an address of a kind that is not supported.

    Example:
        >>> user_place("https://example.org/run")
        Traceback (most recent call last):
            ...
        zoo.errors.UserError: https://example.org/run is an address that is not supported; give a \
path, or an address such as gs://BUCKET/RUN
    """
    try:
        return epath.Path(name).expanduser()
    except KeyError as error:
        raise UserError(
            f"{os.fspath(name)} is an address that is not supported; give a path, or an address "
            "such as gs://BUCKET/RUN"
        ) from error


def absolute_place(name: os.PathLike[str] | str) -> epath.Path:
    """Returns the whole path that a user typed; an address stays as it is.

    Raises:
        UserError: as `user_place`.

    Example:
        >>> absolute_place("gs://BUCKET/RUN")  # which epath itself would take for a relative path
        PosixGPath('gs://BUCKET/RUN')
    """
    place = user_place(name)
    return place if "://" in os.fspath(place) else place.absolute()


class RunPlace:
    """Where a run writes: a directory, and the bucket that it is copied to, if there is one.

    Attributes:
        directory: a directory of this machine.
    """

    def __init__(self, workdir: str, mirror: Mirror | None = None):
        self.directory = str(mirror.directory) if mirror else workdir
        self._workdir, self._mirror = workdir.rstrip("/"), mirror

    def push(self) -> None:
        """Copies what has changed in the directory to the bucket, see `Mirror.push`."""
        if self._mirror:
            self._mirror.push()

    def pull(self) -> None:
        """Copies to the directory what another process has written to the bucket."""
        if self._mirror:
            self._mirror.pull()

    def name(self, line: str) -> str:
        """Returns a line that names the bucket instead of the directory."""
        return line.replace(self.directory, self._workdir) if self._mirror else line

    def naming(self, log: Callable[[str], None]) -> Callable[[str], None]:
        """Returns a log whose lines name the bucket instead of the directory."""
        return lambda line: log(self.name(line))


@contextlib.contextmanager
def run_place(workdir: str, log: Callable[[str], None]) -> Iterator[RunPlace]:
    """A place for a run in a directory, or in a bucket, from which it is copied first.

    Args:
        workdir: a path, or an address such as gs://BUCKET/RUN.
        log: takes a line about what a bucket does not have.

    Raises:
        UserError: the bucket can't be read.
    """
    if not is_address(workdir):
        yield RunPlace(workdir)
        return
    bucket = Bucket(workdir)
    with tempfile.TemporaryDirectory(prefix="recurrent-zoo-") as room:
        name = bucket.address.rpartition("/")[2]
        mirror = Mirror(bucket, Path(room).resolve() / name)
        mirror.directory.mkdir()
        with called(mirror.directory, bucket.address):
            mirror.pull()
            log(f"a bucket has no locks; see that one process at a time trains in {workdir}")
            yield RunPlace(workdir, mirror)
