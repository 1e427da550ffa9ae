"""Places that a user can name: paths on this machine, and addresses such as gs://BUCKET/RUN."""

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
        UserError: if it is an address of a kind that is not supported.

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
    """Returns the absolute form of the path that a user typed; an address stays as it is.

    Raises:
        UserError: if it is an address of a kind that is not supported.

    Example:
        >>> absolute_place("gs://BUCKET/RUN")  # epath would take it for a relative path
        PosixGPath('gs://BUCKET/RUN')
    """
    place = user_place(name)
    return place if "://" in os.fspath(place) else place.absolute()


class RunPlace:
    """The place of a run: a local directory, and the bucket that it is copied to, if any.

    Attributes:
        directory: the directory on this machine.
    """

    def __init__(self, workdir: str, mirror: Mirror | None = None):
        self.directory = str(mirror.directory) if mirror else workdir
        self._workdir, self._mirror = workdir.rstrip("/"), mirror

    def below(self, name: str) -> "RunPlace":
        """Returns the place of a run in a directory of this run."""
        place = RunPlace(f"{self._workdir}/{name}", self._mirror)
        place.directory = f"{self.directory}/{name}"
        return place

    def push(self) -> None:
        """Copies the changed files of the directory to the bucket, see `Mirror.push`."""
        if self._mirror:
            self._mirror.push()

    def pull(self) -> None:
        """Copies to the directory the files that another process has written to the bucket."""
        if self._mirror:
            self._mirror.pull()

    @property
    def is_copy(self) -> bool:
        """Whether the directory is a copy of a bucket; no other process sees it."""
        return self._mirror is not None

    def lend(self, directory: Path) -> None:
        """Copies a directory of the run to its bucket, if it has one, for another process."""
        if self._mirror:
            self._mirror.lend(directory)

    def collect(self, directory: Path) -> None:
        """Moves to a directory of the run what other processes have lent to it."""
        if self._mirror:
            self._mirror.collect(directory)

    def name(self, line: str) -> str:
        """Returns a line with the bucket's name in place of the directory's."""
        return line.replace(self.directory, self._workdir) if self._mirror else line

    def naming(self, log: Callable[[str], None]) -> Callable[[str], None]:
        """Returns a log whose lines name the bucket instead of the directory."""
        return lambda line: log(self.name(line))


@contextlib.contextmanager
def run_place(workdir: str, log: Callable[[str], None]) -> Iterator[RunPlace]:
    """Yields a run's place, which is a directory, or a bucket that is first copied to one.

    Args:
        workdir: a path, or an address such as gs://BUCKET/RUN.
        log: a function that receives a line about the missing locks of a bucket.

    Raises:
        UserError: if the bucket cannot be read.
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
            log(f"a bucket has no locks; let only one process at a time train in {workdir}")
            yield RunPlace(workdir, mirror)
