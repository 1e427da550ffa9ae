"""Corpora by name: prepared once by TFDS, read in bulk, returned as lines of text."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo.data.prepared import (
    TFDS_PREFIX,
    open_own,
    open_prepared,
    read_examples,
    refuse_directory,
    unknown_corpus,
)
from zoo.data.sources import (
    SOURCES,
    SPLITS,
    STANDARD_FRACTIONS,
    WHOLE,
    check_fractions,
    find_files,
    fingerprint,
)


@dataclasses.dataclass(frozen=True)
class TextConfig:
    """Which text a model learns from, and in which tokens.

    Args:
      corpus: a name that `list_corpora` lists, or "tfds:NAME" for a dataset with a `text` feature
        that TFDS has prepared under `directory` in the array_record format.
      directory: the user's directory with the corpus' files; for text_file also one file.
      cache_directory: where prepared datasets are kept; "" is the environment variable ZOO_CACHE,
        or else ~/.cache/recurrent-zoo.
      fractions: parts for training, validation and test of a text_file that is one file.
      vocabulary: kind of token: "character", "word", "lowercase_word" (of text as people write it)
        or "subword".
      vocabulary_size: number of tokens, the three special ones included; 0: no limit.
      min_count: leave out of the vocabulary what occurs less often.
    """

    corpus: str = "python_docs"
    directory: str = ""
    cache_directory: str = ""
    fractions: tuple[float, float, float] = STANDARD_FRACTIONS
    vocabulary: str = "character"
    vocabulary_size: int = 0
    min_count: int = 1


@dataclasses.dataclass(frozen=True)
class DataConfig(TextConfig):
    """Which text a language model learns from step by step, in which tokens and batches.

    Args:
      word_vectors: a file of pre-trained vectors (see `zoo.data.word_vectors`) that the embeddings
        start from; "" for none.
      batching: "stream" (state carried over sentences) or "sentence" (state reset).
      batch_size: rows of a batch.
      sequence_length: steps of a stream's chunk.
      random_offset: move the borders of a stream's chunks in every epoch.
      random_length: draw the length of each of a stream's chunks around sequence_length, and now
        and then around half of it; the learning rate follows the length.
      bucket_lengths: steps that batches of sentences are padded to.
    """

    word_vectors: str = ""
    batching: str = "stream"
    batch_size: int = 64
    sequence_length: int = 128
    random_offset: bool = False
    random_length: bool = False
    bucket_lengths: tuple[int, ...] = (16, 32, 64, 128)


def list_corpora() -> list[str]:
    """Return the names of the corpora.

    >>> list_corpora()
    ['penn_treebank', 'python_docs', 'text_file', 'tiny_shakespeare', 'wikitext']
    """
    return sorted(SOURCES)


def load_corpus(config: TextConfig) -> dict[str, list[str]]:
    """Return the lines of a corpus; see `open_corpus`, which needs no memory for them."""
    return {split: list(lines) for split, lines in open_corpus(config).items()}


def open_corpus(config: TextConfig) -> dict[str, Iterable[str]]:
    """Return the lines of a corpus, read anew by each loop over them.

    The first call prepares the dataset; later ones read it, unless a file's content changed.

    Args:
      config: `corpus`, `directory`, `cache_directory` and `fractions` are used.

    Returns:
      Split ("train", "validation", "test") to lines without their newlines.

    Raises:
      UserError: if the corpus is unknown, or its files are missing, empty or not UTF-8.
    """
    if config.corpus.startswith(TFDS_PREFIX):
        splits = open_prepared(
            config.corpus.removeprefix(TFDS_PREFIX),
            config.directory,
            splits=SPLITS,
            features=("text",),
        )[0]
    elif config.corpus in SOURCES:
        splits = _open_own(config)
    else:
        raise unknown_corpus(config.corpus, SOURCES)
    return {split: _Lines(splits[split]) for split in SPLITS}


def _open_own(config: TextConfig) -> dict[str, Sequence[Any]]:
    """Return the data sources of a corpus of ours, prepared if it was not."""
    files: dict[str, Path] = {}
    downloadable = config.corpus == "tiny_shakespeare" and not config.directory
    if not SOURCES[config.corpus].files:
        refuse_directory(config.corpus, config.directory)
    elif not downloadable:
        files = find_files(config.corpus, config.directory)
    fractions = STANDARD_FRACTIONS
    if config.corpus == "text_file" and WHOLE in files:
        fractions = config.fractions
        check_fractions(fractions)

    def source_files() -> Any:
        from zoo.data.builders import SourceFiles

        return SourceFiles(name=fingerprint(files, fractions), files=files, fractions=fractions)

    return open_own(f"zoo_{config.corpus}", config.cache_directory, source_files if files else None)


@dataclasses.dataclass(frozen=True)
class _Lines:
    """The lines of all examples; only a newline ends a line."""

    source: Sequence[Any]

    def __iter__(self) -> Iterator[str]:
        for example in read_examples(self.source):
            pieces = example["text"].split("\n")
            yield from pieces[:-1] if pieces[-1] == "" else pieces
