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
_IN_USE = "in_use"  # a file that is locked while the dataset beside it is being prepared
_UNLOCKED_SECONDS = 60  # making the directory and locking it takes no longer
_LEFTOVER_SECONDS = 24 * 3600  # no preparation takes longer


def open_cached(
    name: str, cache_directory: str, make_splits: Callable[[Path], Mapping[str, Iterable[str]]]
) -> dict[str, Sequence[Json]]:
    """Returns the data sources of a prepared corpus, and prepares it first if it is not there.

    Args:
        name: the name of the corpus with its fingerprint.
        cache_directory: as in `SharedDataConfig`.
        make_splits: a function that returns the blocks of examples of each split. It gets a
            directory that may hold what is needed only while they are read.

    Returns:
        For each split its records.

    Raises:
        UserError: the cache cannot be written; or the error of a corpus that cannot be read.
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
    """Prepares a dataset in the cache unless it is there.

    It is made in a directory of its own and moved when it is whole, so that neither an interrupted
    preparation nor one that runs at the same time leaves a half dataset. A dataset that is damaged
    is made again.
    """
    elsewhere = cache / "nothing-is-here"  # a builder reads what is there, which may be damaged
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
    """A directory to prepare in, which is locked while this process is alive."""
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
    """Locks a file and gives True, unless another process has locked it or nobody can."""
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
    """The SHA-256 of every file of a prepared dataset."""
    sums = {}
    for path in dataset.iterdir():
        if path.name != _SUMS:
            with path.open("rb") as file:
                sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def _write_sums(dataset: Path) -> None:
    (dataset / _SUMS).write_text(json.dumps(_sums(dataset)), encoding="utf-8")


def _is_whole(dataset: Path) -> bool:
    """Whether a dataset is there, and its files are those that were made."""
    try:
        return json.loads((dataset / _SUMS).read_bytes()) == _sums(dataset)
    except (OSError, ValueError, RecursionError):
        return False


def _clear_leftovers(cache: Path) -> None:
    """Removes what preparations left that were killed."""
    for leftover in cache.glob("preparing-*"):
        with contextlib.suppress(OSError):
            if _is_abandoned(leftover):
                shutil.rmtree(leftover)


def _is_abandoned(staging: Path) -> bool:
    """Whether no process prepares in a directory any more."""
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
    """Import TFDS, and keep it from printing, logging and drawing progress bars."""
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
