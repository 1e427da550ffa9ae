"""Reads and writes directories in a bucket, such as gs://BUCKET/RUN, with fsspec.

A bucket has named objects and no directories. One object is written as a whole or not at all. But
objects cannot be renamed, and several objects never appear at the same time. So a group of objects
is written first, and then a last object, which marks the group as complete; see `Mirror`.
"""

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from zoo.errors import UserError

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://")
_KINDS = ("gs", "s3", "az", "abfs", "hf")  # the kinds of etils.epath, and a second name of Azure
_MARKER = "checksums.json"  # the last file of one step of a run
_UNFINISHED = re.compile(r"\.incomplete\.|\.[0-9]+\.(incomplete|replaced)")
_STEP = re.compile(r"(.*/)?checkpoints/[^/]+(?=/)")
_MOST_LETTERS = 300
_MOST_TRIES = 3


def is_address(name: os.PathLike[str] | str) -> bool:
    """Returns whether a name is an address of a bucket rather than a path of this machine.

    Example:
        >>> is_address("gs://BUCKET/RUN"), is_address("/runs/demo"), is_address("C:/runs")
        (True, False, False)
    """
    return _ADDRESS.match(os.fspath(name)) is not None


class Bucket:
    """The objects below an address.

    Args:
        address: an address, such as gs://BUCKET/RUN.

    Raises:
        UserError: the kind of address is unknown, or its package is missing.
    """

    def __init__(self, address: str):
        import fsspec

        self.address = address.rstrip("/")
        if self.address.partition("://")[0] not in _KINDS:
            raise UserError(
                f"{address} is an address that is not supported; give a path, or an address such "
                "as gs://BUCKET/RUN"
            )
        with self._told("opened"):
            self._files, root = fsspec.core.url_to_fs(self.address)
        self._root = str(root).rstrip("/")

    def list_files(self) -> dict[str, str]:
        """Returns the names of all objects, relative to the address, with their versions.

        A version is any text that changes when the object is written again. The object at the
        address itself has the name "".

        Raises:
            UserError: the bucket cannot be read, or a name leads out of it.
        """
        with self._told("read"):
            self._files.invalidate_cache()
            found = self._files.find(self._root, detail=True)
        named = {
            path[len(self._root) :].strip("/"): _version(about)
            for path, about in found.items()
            if path == self._root or path.startswith(f"{self._root}/")
        }
        for name in named:
            if {".", ".."} & set(name.split("/")) or "\0" in name:
                raise UserError(f"{self.address} has {name!r}, which leads out of it; remove it")
        return named

    def fetch(self, name: str, target: Path) -> None:
        """Copies an object into a file."""
        with self._told("read"):
            target.parent.mkdir(parents=True, exist_ok=True)
            self._files.get_file(self._path(name), str(target))

    def store(self, source: Path, name: str) -> None:
        """Copies a file into an object."""
        with self._told("written"):
            self._files.put_file(str(source), self._path(name))

    def remove(self, name: str) -> None:
        """Removes an object if it exists."""
        with self._told("written"), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turns the errors of fsspec's packages, which differ, into one line."""
        try:
            yield
        except UserError:
            raise
        except ImportError as error:
            raise UserError(f"{self.address} cannot be {what}: {_first_line(error)}") from error
        except Exception as error:
            raise self._refusal(what, error) from error

    def _refusal(self, what: str, error: Exception) -> UserError:
        kind = type(error).__name__
        return UserError(
            f"{self.address} cannot be {what} ({kind}: {_first_line(error)}); check that the "
            f"bucket exists and that this machine has credentials for it{_login(self.address)}"
        )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:_MOST_LETTERS] if lines else type(error).__name__


def _login(address: str) -> str:
    """Returns a hint for credentials, or "" if there is none."""
    kinds = {
        "gs": "gcloud auth application-default login",
        "s3": "aws configure",
    }
    command = kinds.get(address.partition("://")[0])
    return f", such as from: {command}" if command else ""


def _version(about: Mapping[str, object]) -> str:
    """Returns a text that changes when an object is written again, if its bucket shows it."""
    names = ("size", "etag", "ETag", "md5Hash", "crc32c", "mtime", "LastModified", "created")
    return " ".join(str(about[name]) for name in names if name in about)


class Mirror:
    """A directory of this machine that mirrors a directory in a bucket, for one writer.

    `push` writes the changes of this machine. The files of a step of a run appear together: the
    marker of the step, checksums.json, is written after all other files and removed before them,
    and `pull` ignores a step without a marker. So if a process is killed between two calls, every
    step with a marker is complete.

    Args:
        bucket: the directory in the bucket.
        directory: an empty directory of this machine.
    """

    def __init__(self, bucket: Bucket, directory: Path):
        self.bucket, self.directory = bucket, directory
        # None means that the object exists, but differs from the file on this machine.
        self._stored: dict[str, tuple[int, int] | None] = {}

    def pull(self, wanted: Callable[[str], bool] = lambda name: True) -> None:
        """Copies the objects of the bucket to this machine, except steps without a marker.

        A run that saves a step deletes an older step, perhaps while it is being copied. If the
        objects have changed since the start, copying starts again.

        Args:
            wanted: a function that returns whether an object with a name is copied.

        Raises:
            UserError: the bucket cannot be read.
        """
        for _ in range(_MOST_TRIES - 1):
            names = self.bucket.list_files()
            try:
                return self._fetch(names, wanted)
            except UserError:
                if self.bucket.list_files() == names:
                    raise
        return self._fetch(self.bucket.list_files(), wanted)

    def _fetch(self, names: Collection[str], wanted: Callable[[str], bool]) -> None:
        if self.directory.is_dir():
            shutil.rmtree(self.directory)
            self.directory.mkdir()
        self._stored = dict.fromkeys(names)
        for name in names:
            step = _step_of(name)
            if wanted(name) and (not step or f"{step}/{_MARKER}" in names):
                self.bucket.fetch(name, self.directory / name)
                self._stored[name] = self._state(name)

    def push(self) -> None:
        """Copies the changes on this machine to the bucket.

        Raises:
            UserError: the bucket cannot be written. Its earlier content is still valid.
        """
        here = {name: self._state(name) for name in self._list()}
        changed = [name for name, state in here.items() if self._stored.get(name) != state]
        gone = [name for name in self._stored if name not in here and _step_of(name)]
        broken = {_step_of(name) for name in changed if _step_of(name)}
        markers = [f"{step}/{_MARKER}" for step in sorted(broken)]
        # Objects that a killed process left of a step are removed before the step is complete.
        left = [name for name in gone if _step_of(name) in broken]
        self._remove([name for name in markers if name in self._stored])
        self._remove(left)
        for name in sorted(changed, key=lambda name: name in markers):
            self.bucket.store(self.directory / name, name)
            self._stored[name] = here[name]
        old = [name for name in gone if name not in left and name in self._stored]
        self._remove(sorted(old, key=lambda name: not name.endswith(f"/{_MARKER}")))

    def lend(self, directory: Path) -> None:
        """Copies all files of a directory of the run to the bucket, for another process.

        Args:
            directory: a step that is being written, which `pull` ignores.
        """
        for place in sorted(directory.rglob("*")):
            if place.is_file():
                self.bucket.store(place, place.relative_to(self.directory).as_posix())

    def collect(self, directory: Path) -> None:
        """Moves from the bucket to a directory of the run what other processes have lent to it."""
        below = directory.relative_to(self.directory).as_posix()
        for name in self.bucket.list_files():
            if name.startswith(f"{below}/"):
                self.bucket.fetch(name, self.directory / name)
                self.bucket.remove(name)

    def _remove(self, names: list[str]) -> None:
        for name in names:
            self.bucket.remove(name)
            self._stored.pop(name, None)

    def _list(self) -> Iterator[str]:
        """Yields the names of the files here, except files that are being written."""
        for place, folders, files in os.walk(self.directory):
            folders[:] = [name for name in folders if not _UNFINISHED.match(name)]
            for name in files:
                if not _UNFINISHED.match(name) and name != "lock":
                    yield Path(place, name).relative_to(self.directory).as_posix()

    def _state(self, name: str) -> tuple[int, int]:
        about = (self.directory / name).stat()
        return about.st_size, about.st_mtime_ns


def _step_of(name: str) -> str:
    """Returns the directory of the step that a file belongs to, or "".

    Example:
        >>> _step_of("seed_1/checkpoints/12/params/d/a"), _step_of("metrics.jsonl")
        ('seed_1/checkpoints/12', '')
    """
    found = _STEP.match(name)
    return found[0] if found else ""


@contextlib.contextmanager
def local_copy(address: str, wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Yields a temporary copy of a file or a directory at an address.

    Errors that are raised inside the block name the address, not the copy.

    Args:
        address: the address of an object or a directory.
        wanted: a function that returns whether an object, named relative to the address, is needed.

    Raises:
        UserError: the address cannot be read.
    """
    bucket = Bucket(address)
    with tempfile.TemporaryDirectory(prefix="recurrent-zoo-") as room:
        place = Path(room, bucket.address.rpartition("/")[2])
        with called(place, bucket.address):
            Mirror(bucket, place).pull(wanted)
            yield place


@contextlib.contextmanager
def called(place: Path, address: str) -> Iterator[None]:
    """Makes errors inside the block name an address instead of its copy on this machine."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(str(place), address)) from error


def cached_copy(address: str, cache: Path) -> Path:
    """Returns a copy of a file or a directory at an address, in a cache on this machine.

    The copy is fetched again when the bucket lists other versions of the objects.

    Args:
        address: the address of an object or a directory.
        cache: the directory for copies.

    Raises:
        UserError: there is nothing at the address, or it cannot be read.
    """
    bucket = Bucket(address)
    found = bucket.list_files()
    if not found:
        raise UserError(f"there is nothing at {address}; give an address such as gs://BUCKET/TEXTS")
    digest = hashlib.sha256(repr((bucket.address, sorted(found.items()))).encode()).hexdigest()[:16]
    place, last = cache / digest, bucket.address.rpartition("/")[2]
    if not place.exists():
        with tempfile.TemporaryDirectory(prefix="fetching-", dir=_made(cache)) as room:
            for name in found:
                bucket.fetch(name, Path(room, "whole", last, name))
            with contextlib.suppress(OSError):  # another process was first
                Path(room, "whole").rename(place)
    return place / last


def _made(directory: Path) -> Path:
    """Returns a directory, which is created if it is missing."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{directory} cannot be created ({error.strerror}); use data.cache_directory=DIR or "
            "the environment variable ZOO_CACHE"
        ) from error
    return directory
