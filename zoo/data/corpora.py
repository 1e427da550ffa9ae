"""Corpora by name: prepared once by TFDS, read in bulk, returned as lines of text."""

import contextlib
import dataclasses
import difflib
import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from zoo.data.sources import (
    SOURCES,
    SPLITS,
    STANDARD_FRACTIONS,
    WHOLE,
    check_fractions,
    find_files,
    fingerprint,
)
from zoo.errors import UserError

_TFDS_PREFIX = "tfds:"


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Which text a language model learns from, in which tokens and batches.

    Args:
      corpus: a name that `list_corpora` lists, or "tfds:NAME" for a dataset with a `text` feature
        that TFDS has prepared under `directory` in the array_record format.
      directory: the user's directory with the corpus' files; for text_file also one file.
      cache_directory: where prepared datasets are kept; "" is the environment variable ZOO_CACHE,
        or else ~/.cache/recurrent-zoo.
      fractions: parts for training, validation and test of a text_file that is one file.
      vocabulary: kind of token: "character", "word" or "subword".
      vocabulary_size: number of tokens, the three special ones included; 0: no limit.
      min_count: leave out of the vocabulary what occurs less often.
      word_vectors: a file of pre-trained vectors (see `zoo.data.word_vectors`) that the embeddings
        start from; "" for none.
      batching: "stream" (state carried over sentences) or "sentence" (state reset).
      batch_size: rows of a batch.
      sequence_length: steps of a stream's chunk.
      random_offset: move the borders of a stream's chunks in every epoch.
      bucket_lengths: steps that batches of sentences are padded to.
    """

    corpus: str = "python_docs"
    directory: str = ""
    cache_directory: str = ""
    fractions: tuple[float, float, float] = STANDARD_FRACTIONS
    vocabulary: str = "character"
    vocabulary_size: int = 0
    min_count: int = 1
    word_vectors: str = ""
    batching: str = "stream"
    batch_size: int = 64
    sequence_length: int = 128
    random_offset: bool = False
    bucket_lengths: tuple[int, ...] = (16, 32, 64, 128)


def list_corpora() -> list[str]:
    """Return the names of the corpora.

    >>> list_corpora()
    ['penn_treebank', 'python_docs', 'text_file', 'tiny_shakespeare', 'wikitext']
    """
    return sorted(SOURCES)


def load_corpus(config: DataConfig) -> dict[str, list[str]]:
    """Return the lines of a corpus.

    The first call prepares the dataset; later ones read it, unless a file's content changed.

    Args:
      config: `corpus`, `directory`, `cache_directory` and `fractions` are used.

    Returns:
      Split ("train", "validation", "test") to lines without their newlines.

    Raises:
      UserError: if the corpus is unknown, or its files are missing, empty or not UTF-8.
    """
    if config.corpus.startswith(_TFDS_PREFIX):
        splits = _open_prepared(config.corpus.removeprefix(_TFDS_PREFIX), config.directory)
    elif config.corpus in SOURCES:
        splits = _open_own(config)
    else:
        near = difflib.get_close_matches(config.corpus, SOURCES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(
            f"corpus {config.corpus!r} is none of {', '.join(list_corpora())} or "
            f"{_TFDS_PREFIX}NAME{hint}"
        )
    return {split: _read_lines(splits[split]) for split in SPLITS}


def _open_own(config: DataConfig) -> dict[str, Sequence[Any]]:
    """Return the data sources of a corpus of ours, prepared if it was not."""
    files: dict[str, Path] = {}
    downloadable = config.corpus == "tiny_shakespeare" and not config.directory
    if SOURCES[config.corpus].files and not downloadable:
        files = find_files(config.corpus, config.directory)
    fractions = STANDARD_FRACTIONS
    if config.corpus == "text_file" and WHOLE in files:
        fractions = config.fractions
        check_fractions(fractions)

    with _quiet_tfds() as tfds:
        from zoo.data import builders  # registers the builders by name

        source_files = None
        if files:
            source_files = builders.SourceFiles(
                name=fingerprint(files, fractions), files=files, fractions=fractions
            )
        name = f"zoo_{config.corpus}"
        # TFDS' default format, tfrecord, needs TensorFlow.
        builder_kwargs = {"config": source_files, "file_format": "array_record"}
        cache = _cache_directory(config)
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


def _open_prepared(name: str, directory: str) -> dict[str, Sequence[Any]]:
    """Return the data sources of a dataset that someone prepared with TFDS."""
    root = Path(directory).expanduser() / name
    found = sorted(path.parent for path in root.glob("**/dataset_info.json")) if directory else []
    if len(found) != 1:
        versions = [str(path.relative_to(root.parent)) for path in found]
        choice = f"name one of tfds:{', tfds:'.join(versions)}" if found else "prepare it with TFDS"
        raise UserError(
            f"{len(found)} datasets under {root}, need one; {choice}, --config.data.directory=DIR"
        )
    with _quiet_tfds() as tfds:
        builder = tfds.builder_from_directory(found[0])
        missing = [split for split in SPLITS if split not in builder.info.splits]
        if missing or "text" not in builder.info.features:
            lacks = f"split {missing[0]}" if missing else "feature text"
            raise UserError(f"{found[0]} has no {lacks}; use a dataset of text in {SPLITS}")
        try:
            return builder.as_data_source()
        except NotImplementedError as error:
            raise UserError(
                f"{found[0]} is not in array_record format; prepare it with "
                "file_format='array_record'"
            ) from error


def _read_lines(source: Sequence[Any]) -> list[str]:
    """Return the lines of all examples; only a newline ends a line."""
    try:
        examples = source.__getitems__(range(len(source)))  # type: ignore[attr-defined]
    except RuntimeError as error:
        directory = source.dataset_info.data_dir  # type: ignore[attr-defined]
        raise UserError(f"the dataset in {directory} is damaged; delete this directory") from error
    lines: list[str] = []
    for example in examples:
        text = example["text"]
        pieces = (text.decode("utf-8") if isinstance(text, bytes) else text).split("\n")
        lines.extend(pieces[:-1] if pieces[-1] == "" else pieces)
    return lines


def _cache_directory(config: DataConfig) -> Path:
    chosen = config.cache_directory or os.environ.get("ZOO_CACHE") or "~/.cache/recurrent-zoo"
    return Path(chosen).expanduser()


@contextlib.contextmanager
def _quiet_tfds() -> Iterator[ModuleType]:
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
