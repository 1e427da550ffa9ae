"""Loads a corpus by name: finds its files, prepares it once, and reads it from the cache.

files -> `Lines` -> the function of the corpus -> examples -> the cache -> `Stored` splits
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data import tfds_datasets
from zoo.data.config import (
    DrawnDataConfig,
    LabeledDataConfig,
    ParallelDataConfig,
    SharedDataConfig,
    TaggedDataConfig,
    TextConfig,
)
from zoo.data.corpora import TFDS_PREFIX, Corpus, find_corpus
from zoo.data.examples import Alignment, Example, Labeled, Pair, Tagged, Text
from zoo.data.files import Files, download, find_files, fingerprint
from zoo.data.prepared import open_cached
from zoo.data.splits import SPLITS, WHOLE, check_fractions, draw_missing, split_lines
from zoo.data.stored import BLOCK_SIZE, Stored, blocks_of, unpack_block
from zoo.data.tables import labeled_rows
from zoo.data.tagged_splits import in_scheme
from zoo.data.text_reading import Lines, read_lines
from zoo.errors import UserError


class LabeledTexts(NamedTuple):
    """N texts and the labels of each text."""

    texts: Sequence[str]
    labels: Sequence[tuple[str, ...]]


class LabeledCorpus(NamedTuple):
    """The splits of a corpus ("train", "validation", "test").

    Attributes:
        splits: for each split its texts.
        multiple: whether a text may have several labels.
    """

    splits: dict[str, LabeledTexts]
    multiple: bool


class ParallelTexts(NamedTuple):
    """N sentences, their translations, and the alignments of their words, see `Pair`."""

    sources: Sequence[str]
    targets: Sequence[str]
    alignments: Sequence[Alignment]


class TaggedCorpus(NamedTuple):
    """The splits of a corpus ("train", "validation", "test").

    Attributes:
        splits: for each split its tagged sentences.
        scheme: the scheme of all tags.
    """

    splits: dict[str, Sequence[Tagged]]
    scheme: str


def open_corpus(config: TextConfig) -> dict[str, Iterable[str]]:
    """Returns the lines of a corpus; each loop reads them from the disk.

    The first call prepares the corpus. Later calls read it, unless the content of a file changed.

    Args:
        config: the name of the corpus and the place of its files.

    Returns:
        For each split ("train", "validation", "test") its lines without newlines.

    Raises:
        UserError: the corpus is unknown, or its files are missing, empty or of the wrong form.
    """
    return find_text(config)[1]()


def find_text(config: TextConfig) -> tuple[str, Callable[[], dict[str, Iterable[str]]]]:
    """Finds the files of a corpus, and reads only their checksums.

    Returns:
        A name that changes when the text may change, or "" for a corpus of TFDS, whose content is
        not known; and a function that does what `open_corpus` does.
    """
    if config.corpus.startswith(TFDS_PREFIX):
        return "", lambda: dict(tfds_datasets.read_texts(config))
    name, open_all = _find_splits(find_corpus(config.corpus, Text), config)

    def open_three() -> dict[str, Iterable[str]]:
        splits = open_all()
        return {split: splits[split] for split in SPLITS}

    return name, open_three


def load_corpus(config: TextConfig) -> dict[str, list[str]]:
    """Returns the lines of a corpus in memory; `open_corpus` reads them from the disk instead."""
    return {split: list(lines) for split, lines in open_corpus(config).items()}


def load_labeled_corpus(config: LabeledDataConfig, *, is_told: bool = True) -> LabeledCorpus:
    """Returns the texts and labels of a corpus, which are read when they are used.

    Args:
        config: the name of the corpus, the place of its files, and its columns.
        is_told: whether a note tells the number of rows that are skipped.

    Raises:
        UserError: see `open_corpus`.
    """
    if config.corpus.startswith(TFDS_PREFIX):
        splits, multiple = tfds_datasets.read_labeled(config)
    else:
        corpus = find_corpus(config.corpus, Labeled)
        splits = open_splits(corpus, config)
        multiple = corpus.multiple or bool(config.label_separator)
    if config.skip_unlabeled:
        for split, examples in splits.items():
            place = f"{config.directory} ({split})"
            rows = labeled_rows(examples.column("labels"), place, is_told=is_told)
            splits[split] = examples.select(np.array(rows, np.int64))
    complete = draw_missing(splits, _fractions(config), config.corpus, known_by="labels")
    return LabeledCorpus(
        {
            split: LabeledTexts(examples.column("text"), examples.column("labels"))
            for split, examples in complete.items()
        },
        multiple,
    )


def load_parallel_corpus(config: ParallelDataConfig) -> dict[str, ParallelTexts]:
    """Returns the three splits of a parallel corpus, which are read when they are used.

    The texts are converted to lower case if the config says so.

    Raises:
        UserError: see `open_corpus`; or the corpus does not have these languages.
    """
    if config.corpus.startswith(TFDS_PREFIX):
        splits = tfds_datasets.read_pairs(config)
    else:
        splits = open_splits(find_corpus(config.corpus, Pair), config)
    complete = draw_missing(splits, _fractions(config), config.corpus, drawn_by="source")
    change = str.lower if config.lowercase else None
    return {
        split: ParallelTexts(
            pairs.column("source", change),
            pairs.column("target", change),
            pairs.column("alignment"),
        )
        for split, pairs in complete.items()
    }


def load_tagged_corpus(config: TaggedDataConfig) -> TaggedCorpus:
    """Returns the sentences of a tagged corpus and the scheme of their tags.

    The sentences are read, and their tags converted to the scheme, when they are used.

    Raises:
        UserError: see `open_corpus`; or a tag does not belong to the scheme.

    Warns:
        Note: the files have tags that their scheme forbids, or a tag of the validation or test
            split does not occur in training.
    """
    if config.corpus.startswith(TFDS_PREFIX):
        splits = tfds_datasets.read_tagged(config)
    else:
        splits = open_splits(find_corpus(config.corpus, Tagged), config)
    advice = "use more sentences, and put a blank line between them"
    complete = draw_missing(splits, _fractions(config), config.corpus, advice=advice)
    return TaggedCorpus(*in_scheme(complete, config))


def _fractions(config: DrawnDataConfig) -> dict[str, float]:
    return {"validation": config.validation_fraction, "test": config.test_fraction}


def open_splits(corpus: Corpus, config: SharedDataConfig) -> dict[str, Stored]:
    """Returns the splits of a corpus from the cache, and prepares the corpus first if necessary.

    Args:
        corpus: the corpus.
        config: a record of the section `data`.

    Raises:
        UserError: see `open_corpus`.
    """
    return _find_splits(corpus, config)[1]()


def _find_splits(
    corpus: Corpus, config: SharedDataConfig
) -> tuple[str, Callable[[], dict[str, Stored]]]:
    """Returns the name of a corpus with its fingerprint, and a function that opens its splits."""
    options, files = corpus.options(config), _files(corpus, config)
    fractions: Sequence[float] = ()  # for a text that is one file
    if isinstance(config, TextConfig) and WHOLE in (files or corpus.files):
        fractions = tuple(map(float, config.fractions))
        check_fractions(fractions)
    name = f"{corpus.name}_{fingerprint(corpus, files, {**options, 'fractions': fractions})}"

    def make_splits(directory: Path) -> dict[str, Iterator[str]]:
        present = files or (download(corpus, directory) if corpus.files else {})
        if not present:
            made = corpus.generated(options)
        else:
            made = {
                split: corpus.examples(lines, options)
                for split, lines in _lines(corpus, present, fractions).items()
            }
        return {split: _blocks(corpus.name, split, examples) for split, examples in made.items()}

    def open_all() -> dict[str, Stored]:
        records = open_cached(name, config.cache_directory, make_splits)
        return {
            split: Stored(source, partial(unpack_block, gives=corpus.gives), BLOCK_SIZE)
            for split, source in records.items()
        }

    return name, open_all


def _files(corpus: Corpus, config: SharedDataConfig) -> Files:
    """Returns the files of a corpus, or none if they are downloaded or not needed."""
    if corpus.files and (config.directory or not corpus.url):
        return find_files(corpus, config)
    if config.directory:
        raise UserError(
            f"corpus {corpus.name} reads no files; leave data.directory={config.directory} out"
        )
    return {}


def _lines(corpus: Corpus, files: Files, fractions: Sequence[float]) -> dict[str, Lines]:
    """Returns the lines of each split. A single file is divided, or is the training split."""
    others = {key: paths[0] for key, paths in files.items() if key not in (*SPLITS, WHOLE)}
    lines = partial(Lines, others=others, keep_blank=corpus.keep_blank)
    if fractions:
        parts = split_lines(_FileLines(files[WHOLE][0]), fractions)
        return {split: lines(files[WHOLE], part=part) for split, part in parts.items()}
    found = {"train" if key == WHOLE else key: paths for key, paths in files.items()}
    return {split: lines(paths) for split, paths in found.items() if split not in others}


@dataclasses.dataclass(frozen=True)
class _FileLines:
    """The lines of a file, which each loop reads from the disk."""

    path: Path

    def __iter__(self) -> Iterator[str]:
        return read_lines(self.path)


def _blocks(corpus: str, split: str, examples: Iterable[Example]) -> Iterator[str]:
    """Yields the blocks of a split in JSON.

    Raises:
        UserError: the split has no example, or has only blank lines.
    """
    num_characters, empty = 0, True
    for block in blocks_of(examples):
        if empty:
            empty = all(isinstance(one, str) and not one.strip() for one in block)
            num_characters += sum(map(len, block))
        yield json.dumps(block)
    if empty:
        raise UserError(
            f"split {split} of corpus {corpus} is empty ({num_characters} characters); use a "
            "longer text or other data.fractions=A,B,C"
        )
