"""Datasets that TFDS keeps: prepared once in a cache, or by someone else, and read in bulk."""

import contextlib
import difflib
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
_SIZES = "sizes.json"  # of the files of a dataset that we prepared
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
    if _is_whole(final):
        return
    try:
        _clear(final, cache)
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="preparing-", dir=cache) as staging:
            builder = tfds.builder(name, data_dir=staging, **builder_kwargs)
            builder.download_and_prepare()
            _write_sizes(Path(builder.data_path))
            try:
                os.rename(builder.data_path, final)
            except OSError:
                if not final.exists():  # if it does, another process was faster
                    raise
    except OSError as error:
        raise UserError(
            f"cannot write the prepared corpus to {cache}: {error.strerror or error}; use "
            "--config.data.cache_directory=DIR or the environment variable ZOO_CACHE"
        ) from error


def _sizes(dataset: Path) -> dict[str, int]:
    """The size of every file of a prepared dataset."""
    paths = (path for path in dataset.iterdir() if path.name != _SIZES)
    return {path.name: path.stat().st_size for path in paths}


def _write_sizes(dataset: Path) -> None:
    (dataset / _SIZES).write_text(json.dumps(_sizes(dataset)), encoding="utf-8")


def _is_whole(dataset: Path) -> bool:
    """Whether a dataset is there, and its files have the sizes that they had when it was made."""
    try:
        return json.loads((dataset / _SIZES).read_bytes()) == _sizes(dataset)
    except (OSError, ValueError, RecursionError):
        return False


def _clear(dataset: Path, cache: Path) -> None:
    """Removes a dataset that is not whole, and what preparations left that were killed."""
    if dataset.exists() and not _is_whole(dataset):
        shutil.rmtree(dataset)
    for leftover in cache.glob("preparing-*"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                shutil.rmtree(leftover)


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
