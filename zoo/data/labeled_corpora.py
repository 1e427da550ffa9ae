"""Labelled corpora by name: prepared once by TFDS, read in bulk, in three splits."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from zoo.data.labeled_sources import (
    LABELED_SOURCES,
    find_labeled_files,
    labeled_fingerprint,
    skip_unlabeled,
)
from zoo.data.prepared import (
    TFDS_PREFIX,
    open_own,
    open_prepared,
    read_examples,
    refuse_directory,
    unknown_corpus,
)
from zoo.data.sources import SPLITS
from zoo.data.tables import Columns, Example
from zoo.errors import UserError

_SPLIT_SEED = 0  # not the run's: every run sees the same splits


CUTS = ("end", "middle")


@dataclasses.dataclass(frozen=True)
class LabeledDataConfig:
    """Which texts a classifier learns from, in which tokens and batches.

    Args:
      corpus: a name that `list_labeled_corpora` lists, or "tfds:NAME" for a dataset that TFDS has
        prepared under `directory` in the array_record format.
      directory: the user's directory with the corpus' files; for table_file also one file.
      cache_directory: as in `zoo.data.corpora.DataConfig`.
      text_column: of a table_file or a TFDS dataset, the column of the text; several, with commas
        between, are joined.
      label_column: the column of the label.
      label_separator: of a table_file, what stands between the labels of a text; "" where each
        text has exactly one.
      skip_unlabeled: of a table_file, leave out the rows without a label, which are counted in a
        note; otherwise such a row is an error, or with a label_separator a text without labels.
      validation_fraction: the part of the training split that becomes the validation split, where
        a corpus has none.
      test_fraction: the same for the test split.
      vocabulary: kind of token: "lowercase_word", "word", "character" or "subword".
      vocabulary_size: number of tokens, the three special ones included; 0: no limit.
      min_count: leave out of the vocabulary what occurs less often.
      word_vectors: a file of pre-trained vectors that the embeddings start from; "" for none.
      keep_word_vectors: take into the vocabulary the words of word_vectors that no training text
        has, so that what they mean is known where they are met later.
      max_tokens: of a longer text only so many tokens are read; 0: no limit.
      cut: what such a text loses, its "end" or its "middle".
      batch_size: rows of a batch.
      bucket_lengths: steps that batches are padded to.
    """

    corpus: str = "python_docs_topics"
    directory: str = ""
    cache_directory: str = ""
    text_column: str = "text"
    label_column: str = "label"
    label_separator: str = ""
    skip_unlabeled: bool = False
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    vocabulary: str = "lowercase_word"
    vocabulary_size: int = 0
    min_count: int = 1
    word_vectors: str = ""
    keep_word_vectors: bool = False
    max_tokens: int = 0
    cut: str = "end"
    batch_size: int = 32
    bucket_lengths: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512)

    def __post_init__(self) -> None:
        for name in ("validation_fraction", "test_fraction"):
            if not 0 < getattr(self, name) < 0.5:
                raise UserError(f"data.{name} is {getattr(self, name)}; use between 0 and 0.5")
        if self.max_tokens < 0:
            raise UserError(f"data.max_tokens is {self.max_tokens}; use 0 for no limit, or more")
        if self.cut not in CUTS:
            raise UserError(f"data.cut is {self.cut!r}; use {' or '.join(CUTS)}")
        if self.keep_word_vectors and (not self.word_vectors or self.vocabulary == "subword"):
            raise UserError(
                f"data.keep_word_vectors is set with word_vectors {self.word_vectors!r} and "
                f"vocabulary {self.vocabulary!r}; use --config.data.word_vectors=FILE and words"
            )


class LabeledTexts(NamedTuple):
    """N texts and the labels of each."""

    texts: list[str]
    labels: list[tuple[str, ...]]


class LabeledCorpus(NamedTuple):
    """The splits of a corpus ("train", "validation", "test"), and whether labels may be several."""

    splits: dict[str, LabeledTexts]
    multiple: bool


def list_labeled_corpora() -> list[str]:
    """Return the names of the labelled corpora.

    >>> list_labeled_corpora()[:4]
    ['goemotions', 'imdb', 'python_docs_topics', 'sst2']
    """
    return sorted(LABELED_SOURCES)


def load_labeled_corpus(config: LabeledDataConfig) -> LabeledCorpus:
    """Return the texts and labels of a corpus; see `zoo.data.corpora.load_corpus`.

    Raises:
      UserError: the corpus is unknown, or its files are missing or of the wrong form.
    """
    if config.corpus.startswith(TFDS_PREFIX):
        corpus = _read_prepared(config)
    elif config.corpus in LABELED_SOURCES:
        corpus = _read_own(config)
    else:
        raise unknown_corpus(config.corpus, LABELED_SOURCES)
    return LabeledCorpus(_complete(corpus.splits, config), corpus.multiple)


def table_columns(config: LabeledDataConfig) -> Columns:
    """Where a user's table holds texts and labels."""
    return Columns(
        config.text_column, config.label_column, config.label_separator, config.skip_unlabeled
    )


def _read_own(config: LabeledDataConfig) -> LabeledCorpus:
    """A corpus of ours, prepared if it was not."""
    columns = table_columns(config)
    if config.corpus == "python_docs_topics":
        refuse_directory(config.corpus, config.directory)
        sources = open_own("zoo_python_docs_topics", config.cache_directory, None)
    else:
        files = find_labeled_files(config.corpus, config.directory)

        def labeled_files() -> Any:
            from zoo.data.labeled_builders import LabeledFiles

            return LabeledFiles(
                name=f"{config.corpus}_{labeled_fingerprint(files, columns)}",
                corpus=config.corpus,
                files=files,
                columns=columns,
            )

        sources = open_own("zoo_labeled_files", config.cache_directory, labeled_files)
    splits = {}
    for split, source in sources.items():
        examples = [
            Example(example["text"], tuple(filter(None, example["labels"].split("\n"))))
            for example in read_examples(source)
        ]
        if config.skip_unlabeled:
            examples = skip_unlabeled(examples, f"{config.directory} ({split})")
        splits[split] = LabeledTexts(
            [example.text for example in examples], [example.labels for example in examples]
        )
    multiple = LABELED_SOURCES[config.corpus].multiple or bool(config.label_separator)
    return LabeledCorpus(splits, multiple)


def _read_prepared(config: LabeledDataConfig) -> LabeledCorpus:
    """A dataset of TFDS, whose labels are classes by number."""
    columns = [column.strip() for column in config.text_column.split(",")]
    sources, features = open_prepared(
        config.corpus.removeprefix(TFDS_PREFIX),
        config.directory,
        splits=("train",),
        features=(*columns, config.label_column),
    )
    feature = features[config.label_column]
    multiple = hasattr(feature, "feature")  # a sequence of labels
    names = (feature.feature if multiple else feature).names
    splits = {}
    for split, source in sources.items():
        examples = list(read_examples(source))
        numbers = [np.ravel(example[config.label_column]).tolist() for example in examples]
        if min(map(min, filter(None, numbers)), default=0) < 0:
            continue  # a split whose labels are kept secret
        splits[split] = LabeledTexts(
            [" ".join(str(example[column]) for column in columns) for example in examples],
            [tuple(names[number] for number in row) for row in numbers],
        )
    return LabeledCorpus(splits, multiple)


def _complete(
    splits: dict[str, LabeledTexts], config: LabeledDataConfig
) -> dict[str, LabeledTexts]:
    """Three splits; one that is missing is a random part of the training split."""
    given = splits["train"]
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(given.texts))
    complete = {split: splits[split] for split in SPLITS[1:] if split in splits}
    for split in SPLITS[1:]:
        if split not in complete:
            fraction = getattr(config, f"{split}_fraction")
            count = round(fraction * len(given.texts))
            chosen, order = order[:count], order[count:]
            complete[split] = _select(given, chosen)
    complete["train"] = _select(given, np.sort(order))
    for split in SPLITS:
        if not complete[split].texts:
            raise UserError(
                f"split {split} of corpus {config.corpus} is empty; the training split has "
                f"{len(given.texts)} texts, use a longer one"
            )
    return complete


def _select(examples: LabeledTexts, rows: Sequence[int] | np.ndarray) -> LabeledTexts:
    return LabeledTexts(
        [examples.texts[row] for row in rows], [examples.labels[row] for row in rows]
    )
