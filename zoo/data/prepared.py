"""The cache of prepared corpora, which TFDS keeps in the array_record format."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

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

        cache = cache_root(cache_directory)
        _prepare(cache, builder, make_splits)
        return builder(cache, {}).as_data_source()


def _prepare(
    cache: Path,
    make_builder: Callable[[Path, Mapping[str, Iterable[str]]], Any],
    make_splits: Callable[[Path], Mapping[str, Iterable[str]]],
) -> None:
    """Prepares a dataset in the cache, unless the cache has it already.

    The dataset is made in its own directory and moved when it is complete. So neither an
    interrupted preparation nor a second preparation at the same time leaves half a dataset. A
    damaged dataset is made again.
    """
    elsewhere = cache / "nothing-is-here"  # a builder would read a damaged dataset
    final = cache / Path(make_builder(elsewhere, {}).data_path).relative_to(elsewhere)
    _clear_leftovers(cache)
    if _is_whole(final):
        return
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with _staging(cache) as staging:
            builder = make_builder(staging, make_splits(staging))
            builder.download_and_prepare()
            _write_sums(Path(builder.data_path))
            _move(Path(builder.data_path), final)
    except (OSError, RuntimeError) as error:  # array_record raises the latter for a full disk
        told = getattr(error, "strerror", None) or str(error).partition("\n")[0][:200]
        raise UserError(
            f"cannot write the prepared corpus to {cache}: {told}; use "
            "data.cache_directory=DIR or the environment variable ZOO_CACHE"
        ) from error


@contextlib.contextmanager
def _staging(cache: Path) -> Iterator[Path]:
    """Yields a directory to prepare in, which is locked while this process is alive."""
    with tempfile.TemporaryDirectory(
        prefix="preparing-", dir=cache, ignore_cleanup_errors=True
    ) as staging:
        descriptor = os.open(Path(staging) / _IN_USE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _try_lock(descriptor)
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
    """Returns whether the process that prepared in a directory has ended."""
    age = time.time() - staging.stat().st_mtime
    try:
        descriptor = os.open(staging / _IN_USE, os.O_RDWR)
    except FileNotFoundError:
        return age > _UNLOCKED_SECONDS
    try:
        return age > _LEFTOVER_SECONDS or _try_lock(descriptor)
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
