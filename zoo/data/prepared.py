"""Datasets that TFDS keeps: prepared once in a cache, or by someone else, and read in bulk."""

import contextlib
import difflib
import io
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from zoo.errors import UserError

TFDS_PREFIX = "tfds:"
_EXAMPLES_AT_A_TIME = 128


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
    preparation nor one that runs at the same time leaves a half dataset.
    """
    final = Path(tfds.builder(name, data_dir=cache, **builder_kwargs).data_path)
    if final.exists():
        return
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="preparing-", dir=cache) as staging:
            builder = tfds.builder(name, data_dir=staging, **builder_kwargs)
            builder.download_and_prepare()
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
