"""Datasets that TFDS keeps: prepared once in a cache, or by someone else, and read in bulk."""

import contextlib
import difflib
import hashlib
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from zoo.errors import UserError

TFDS_PREFIX = "tfds:"
_EXAMPLES_AT_A_TIME = 128
_SUMS = "sums.json"  # SHA-256 of the files of a dataset that we prepared
_IN_USE = "in_use"  # a file that is locked while the dataset beside it is being prepared
_UNLOCKED_SECONDS = 60  # making the directory and locking it takes no longer
_LEFTOVER_SECONDS = 24 * 3600  # no preparation takes longer
_CLASS_KEYS = ("pythonClassName", "python_class_name", "type")  # of a features.json


def unknown_corpus(name: str, known: Collection[str]) -> UserError:
    """The error that there is no such corpus, with the nearest name."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return UserError(
        f"corpus {name!r} is none of {', '.join(sorted(known))} or {TFDS_PREFIX}NAME{hint}"
    )


def refuse_directory(corpus: str, directory: str) -> None:
    """Raises UserError where a directory is given to a corpus that is made or found without one."""
    if directory:
        raise UserError(
            f"corpus {corpus} reads no files; leave --config.data.directory={directory} out"
        )


def open_own(
    name: str, cache_directory: str, make_config: Callable[[], Any] | None
) -> dict[str, Sequence[Any]]:
    """Return the data sources of a dataset of ours, prepared if it was not.

    Args:
      name: of its builder in `zoo.data.builders` or `zoo.data.labeled_builders`.
      cache_directory: as in `DataConfig`.
      make_config: gives the builder's config, once TFDS is imported; None for none.

    Returns:
      Split to examples.
    """
    with quiet_tfds() as tfds:
        from zoo.data import (  # noqa: F401 registers them by name
            builders,
            labeled_builders,
            parallel_builders,
        )

        # TFDS' default format, tfrecord, needs TensorFlow.
        config = make_config() if make_config else None
        builder_kwargs = {"config": config, "file_format": "array_record"}
        chosen = cache_directory or os.environ.get("ZOO_CACHE") or "~/.cache/recurrent-zoo"
        cache = Path(chosen).expanduser()
        _prepare(tfds, name, cache, builder_kwargs)
        return tfds.data_source(name, data_dir=cache, download=False, builder_kwargs=builder_kwargs)


def _prepare(tfds: ModuleType, name: str, cache: Path, builder_kwargs: dict[str, Any]) -> None:
    """Prepare a dataset in the cache unless it is there.

    It is made in a directory of its own and moved when it is whole, so that neither an interrupted
    preparation nor one that runs at the same time leaves a half dataset. A dataset that is damaged
    is made again.
    """
    elsewhere = cache / "nothing-is-here"  # a builder reads what is there, which may be damaged
    place = Path(tfds.builder(name, data_dir=elsewhere, **builder_kwargs).data_path)
    final = cache / place.relative_to(elsewhere)
    _clear_leftovers(cache)
    if _is_whole(final):
        return
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with _staging(cache) as staging:
            builder = tfds.builder(name, data_dir=staging, **builder_kwargs)
            builder.download_and_prepare()
            _write_sums(Path(builder.data_path))
            _move(Path(builder.data_path), final)
    except (OSError, RuntimeError) as error:  # array_record raises the latter for a full disk
        told = getattr(error, "strerror", None) or str(error).partition("\n")[0][:200]
        raise UserError(
            f"cannot write the prepared corpus to {cache}: {told}; use "
            "--config.data.cache_directory=DIR or the environment variable ZOO_CACHE"
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


def open_prepared(
    name: str, directory: str, *, splits: Sequence[str], features: Sequence[str]
) -> tuple[dict[str, Sequence[Any]], Any]:
    """Return the data sources of a dataset that someone prepared with TFDS, and its features.

    Args:
      name: of the dataset, with its config and version where there are several: a directory.
      directory: where it lies.
      splits: which of its splits must be there.
      features: which of its features must be there.

    Raises:
      UserError: there is not one such dataset, or it lacks something, or has another format.
    """
    root = Path(directory).expanduser() / name
    found = sorted(path.parent for path in root.glob("**/dataset_info.json")) if directory else []
    if len(found) != 1:
        versions = [str(path.relative_to(root.parent)) for path in found]
        choice = f"name one of tfds:{', tfds:'.join(versions)}" if found else "prepare it with TFDS"
        raise UserError(
            f"{len(found)} datasets under {root}, need one; {choice}, --config.data.directory=DIR"
        )
    _refuse_foreign_classes(found[0])
    with quiet_tfds() as tfds:
        builder = tfds.builder_from_directory(found[0])
        missing = [split for split in splits if split not in builder.info.splits]
        lacking = [feature for feature in features if feature not in builder.info.features]
        if missing or lacking:
            lacks = f"split {missing[0]}" if missing else f"feature {lacking[0]}"
            has = sorted(builder.info.splits if missing else builder.info.features)
            raise UserError(f"{found[0]} has no {lacks}; it has {', '.join(has)}")
        try:
            return builder.as_data_source(), builder.info.features
        except NotImplementedError as error:
            raise UserError(
                f"{found[0]} is not in array_record format; prepare it with "
                "file_format='array_record'"
            ) from error


def _refuse_foreign_classes(dataset: Path) -> None:
    """Raises UserError for a dataset whose features name a class outside TFDS.

    TFDS imports the module of every class that `features.json` names, so that a dataset could
    choose which code runs.
    """
    path = dataset / "features.json"
    try:
        named = list(_named_classes(json.loads(path.read_bytes())))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} can't be read ({error}); prepare the dataset again") from error
    for name in named:
        if not (isinstance(name, str) and name.startswith("tensorflow_datasets.core.features.")):
            raise UserError(
                f"{path} names the class {name!r}, which is no feature of TFDS, and reading it "
                "could run any code; prepare the dataset again with features of TFDS alone"
            )


def _named_classes(record: Any) -> Iterator[Any]:
    """Every class that a features.json names, at any depth."""
    if isinstance(record, list):
        for element in record:
            yield from _named_classes(element)
    if isinstance(record, dict):
        for key, value in record.items():
            if key in _CLASS_KEYS:
                yield value
            yield from _named_classes(value)


def read_examples(source: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield all examples of a split, texts as `str`; a few at a time are in memory.

    Raises:
      UserError: the dataset is damaged.
    """
    for start in range(0, len(source), _EXAMPLES_AT_A_TIME):
        numbers = range(start, min(start + _EXAMPLES_AT_A_TIME, len(source)))
        try:
            examples = source.__getitems__(numbers)  # type: ignore[attr-defined]
        except RuntimeError as error:
            directory = source.dataset_info.data_dir  # type: ignore[attr-defined]
            raise UserError(
                f"the dataset in {directory} is damaged; delete this directory"
            ) from error
        for example in examples:
            yield {name: _decode(value) for name, value in example.items()}


def _decode(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes) else value


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
