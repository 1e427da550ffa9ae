"""The cache of prepared corpora, which TFDS keeps in the array_record format."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from zoo.errors import UserError
from zoo.kept import cache_root
from zoo.types import Json

_SUMS = "sums.json"  # SHA-256 of the files of a dataset that we prepared
_IN_USE = "in_use"  # this file is locked while the dataset beside it is being prepared
_UNLOCKED_SECONDS = 60  # making the directory and locking it takes no longer
_LEFTOVER_SECONDS = 24 * 3600  # no preparation takes longer


def open_cached(
    name: str, cache_directory: str, make_splits: Callable[[Path], Mapping[str, Iterable[str]]]
) -> dict[str, Sequence[Json]]:
    """Returns the data sources of a prepared corpus; prepares the corpus first if necessary.

    Args:
        name: the name of the corpus with its fingerprint.
        cache_directory: as in `SharedDataConfig`.
        make_splits: a function that returns the blocks of examples of each split. Its argument is a
            directory for temporary files, which are needed only until all blocks are read.

    Returns:
        For each split its records.

    Raises:
        UserError: the cache cannot be written, or the corpus cannot be read.
    """
    with quiet_tfds():
        from zoo.data.builder import Prepared, ZooCorpora

        def builder(place: Path, splits: Mapping[str, Iterable[str]]) -> ZooCorpora:
            config = Prepared(name=name, splits=splits)
            # TFDS' default format, tfrecord, needs TensorFlow.
            return ZooCorpora(data_dir=place, config=config, file_format="array_record")

        def make(staging: Path) -> Path:
            made = builder(staging, make_splits(staging))
            made.download_and_prepare()
            return Path(made.data_path)

        cache = cache_root(cache_directory)
        elsewhere = cache / "nothing-is-here"  # a builder would read a damaged dataset
        place = Path(builder(elsewhere, {}).data_path).relative_to(elsewhere)
        make_once(cache_directory, place, make)
        return builder(cache, {}).as_data_source()


def make_once(cache_directory: str, place: Path, make: Callable[[Path], Path]) -> Path:
    """Makes a dataset in the cache, unless the cache has it already.

    The dataset is made in its own directory and moved when it is complete. So an interrupted
    preparation never leaves half a dataset. Other processes that need the dataset at the same time
    wait for it. Where the file system has no locks, they make it too, and the fastest one moves
    its dataset. A damaged dataset is made again.

    Args:
        cache_directory: as in `SharedDataConfig`.
        place: the place of the dataset in the cache.
        make: a function that makes the dataset in an empty directory, and returns its place there.

    Returns:
        The directory of the dataset.

    Raises:
        UserError: the cache cannot be written.
    """
    cache = cache_root(cache_directory)
    final = cache / place
    _clear_leftovers(cache)
    if _is_whole(final):  # a cache that cannot be written is good enough
        return final
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        lock = final.with_name(f".{final.name}.lock")
        while not _is_whole(final):
            with _alone(lock) as alone:
                if alone and not _is_whole(final):
                    with _staging(cache) as staging:
                        made = make(staging)
                        _write_sums(made)
                        _move(made, final)
                if alone:
                    break
    except (OSError, RuntimeError) as error:  # array_record raises the latter for a full disk
        told = getattr(error, "strerror", None) or str(error).partition("\n")[0][:200]
        raise UserError(
            f"cannot write the prepared corpus to {cache}: {told}; use "
            "data.cache_directory=DIR or the environment variable ZOO_CACHE"
        ) from error
    return final


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Yields True if no other process is in this context, or once it has left it, False.

    Those who have waited leave all at once. If locks do not exist, everybody is alone.
    """
    with contextlib.ExitStack() as held:
        try:
            import fcntl

            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield False
            return
        except (ImportError, OSError):
            pass  # there are no locks
        else:
            if not _is_file_of(descriptor, path):  # its owner has just left and removed it
                yield False
                return
        try:
            yield True
        finally:
            with contextlib.suppress(OSError):
                path.unlink()


def _is_file_of(descriptor: int, path: Path) -> bool:
    """Returns whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _staging(cache: Path) -> Iterator[Path]:
    """Yields a directory to prepare in, which is locked while this process is alive."""
    with tempfile.TemporaryDirectory(
        prefix="preparing-", dir=cache, ignore_cleanup_errors=True
    ) as staging:
        unlocked = Path(staging) / "unlocked"
        descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, socket.gethostname().encode())
            _try_lock(descriptor)
            unlocked.rename(Path(staging) / _IN_USE)  # nobody sees the file before it is locked
            yield Path(staging)
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Locks a file. Returns False if another process has locked it or locks do not exist."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def _move(made: Path, final: Path) -> None:
    """Moves a dataset to its place, unless another process was faster."""
    if final.exists() and not _is_whole(final):
        shutil.rmtree(final)
    try:
        os.rename(made, final)
    except OSError:
        if not final.exists():
            raise


def _sums(dataset: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file of a prepared dataset."""
    sums = {}
    for path in dataset.iterdir():
        if path.name != _SUMS:
            with path.open("rb") as file:
                sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def _write_sums(dataset: Path) -> None:
    (dataset / _SUMS).write_text(json.dumps(_sums(dataset)), encoding="utf-8")


def _is_whole(dataset: Path) -> bool:
    """Returns whether a dataset exists and all its files have the checksums that they had."""
    try:
        return json.loads((dataset / _SUMS).read_bytes()) == _sums(dataset)
    except (OSError, ValueError, RecursionError):
        return False


def _clear_leftovers(cache: Path) -> None:
    """Removes the directories of preparations that were killed."""
    for leftover in cache.glob("preparing-*"):
        with contextlib.suppress(OSError):
            if _is_abandoned(leftover):
                shutil.rmtree(leftover)


def _is_abandoned(staging: Path) -> bool:
    """Returns whether the process that prepared in a directory has ended.

    The lock of another host is not trusted, because some file systems keep locks on each host.
    """
    age = time.time() - staging.stat().st_mtime
    try:
        descriptor = os.open(staging / _IN_USE, os.O_RDWR)
    except FileNotFoundError:
        return age > _UNLOCKED_SECONDS
    try:
        ours = os.read(descriptor, 256) in (b"", socket.gethostname().encode())
        return age > _LEFTOVER_SECONDS or (ours and _try_lock(descriptor))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def quiet_tfds() -> Iterator[ModuleType]:
    """Imports TFDS, and keeps it from printing, logging and drawing progress bars."""
    from absl import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        import tensorflow_datasets as tfds

        tfds.disable_progress_bar()
        with contextlib.redirect_stdout(io.StringIO()):
            yield tfds
    finally:
        logging.set_verbosity(verbosity)
