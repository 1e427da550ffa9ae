"""Parallel corpora by name: prepared once by TFDS, read in bulk, in three splits."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from zoo.data.parallel_sources import (
    PARALLEL_SOURCES,
    find_parallel_files,
    parallel_fingerprint,
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
from zoo.errors import UserError

_SPLIT_SEED = 0  # not the run's: every run sees the same splits

Alignment = tuple[tuple[int, int], ...]


@dataclasses.dataclass(frozen=True)
class ParallelDataConfig:
    """Which sentence pairs a translator learns from, in which tokens and batches.

    Args:
      corpus: a name that `list_parallel_corpora` lists, or "tfds:NAME" for a dataset that TFDS has
        prepared under `directory` in the array_record format.
      directory: the user's directory with the corpus' files; for parallel_text also one table.
      cache_directory: as in `zoo.data.corpora.DataConfig`.
      source_language: the language to translate from, as files and datasets call it; of a toy
        corpus "de" or "en", with "vso" (verb-initial) or "sov" (verb-final) beside "en".
      target_language: the language to translate to.
      validation_fraction: the part of the training split's source sentences that becomes the
        validation split, where a corpus has none.
      test_fraction: the same for the test split.
      vocabulary: kind of token: "word", "lowercase_word", "character" or "subword".
      share_vocabulary: one vocabulary for both sides.
      vocabulary_size: number of tokens of each side, or of the shared vocabulary, the three
        special ones included; 0: no limit.
      min_count: leave out of a vocabulary what occurs less often.
      lowercase: make all texts lower-case.
      max_tokens: leave out of training the pairs with a longer side; 0: no limit.
      batch_size: pairs of a batch.
      bucket_lengths: steps that batches are padded to.
    """

    corpus: str = "toy_german"
    directory: str = ""
    cache_directory: str = ""
    source_language: str = "de"
    target_language: str = "en"
    validation_fraction: float = 0.05
    test_fraction: float = 0.05
    vocabulary: str = "word"
    share_vocabulary: bool = False
    vocabulary_size: int = 0
    min_count: int = 1
    lowercase: bool = False
    max_tokens: int = 0
    batch_size: int = 64
    bucket_lengths: tuple[int, ...] = (8, 16, 24, 32, 48, 64, 128)

    def __post_init__(self) -> None:
        for name in ("validation_fraction", "test_fraction"):
            if not 0 < getattr(self, name) < 0.5:
                raise UserError(f"data.{name} is {getattr(self, name)}; use between 0 and 0.5")
        for name in ("vocabulary_size", "max_tokens"):
            if getattr(self, name) < 0:
                raise UserError(
                    f"data.{name} is {getattr(self, name)}; use 0 for no limit, or more"
                )
        for name in ("min_count", "batch_size"):
            if getattr(self, name) < 1:
                raise UserError(f"data.{name} is {getattr(self, name)}; use at least 1")
        if self.source_language == self.target_language:
            raise UserError(
                f"data.source_language and data.target_language are {self.source_language!r}; "
                "use two languages, such as de and en"
            )


class ParallelTexts(NamedTuple):
    """N sentences, their translations, and the alignments of their words.

    Args:
      sources: the sentences.
      targets: their translations.
      alignments: of each pair the numbers, from 0, of the source and the target words that are
        aligned, where words are what spaces separate; () where it is unknown.
    """

    sources: list[str]
    targets: list[str]
    alignments: list[Alignment]


def list_parallel_corpora() -> list[str]:
    """Return the names of the parallel corpora.

    >>> list_parallel_corpora()
    ['multi30k', 'parallel_text', 'toy_german', 'toy_verb_final', 'toy_verb_initial']
    """
    return sorted(PARALLEL_SOURCES)


def load_parallel_corpus(config: ParallelDataConfig) -> dict[str, ParallelTexts]:
    """Return the three splits of a corpus; see `zoo.data.corpora.load_corpus`.

    Args:
      config: the corpus, its languages, and where its files lie.

    Returns:
      "train", "validation" and "test"; lower-cased if the config says so.

    Raises:
      UserError: the corpus is unknown or has not these languages, or its files are missing or of
        the wrong form.
    """
    if config.corpus.startswith(TFDS_PREFIX):
        splits = _read_prepared(config)
    elif config.corpus not in PARALLEL_SOURCES:
        raise unknown_corpus(config.corpus, PARALLEL_SOURCES)
    elif PARALLEL_SOURCES[config.corpus].toy:
        splits = _read_toy(config)
    else:
        splits = _read_files(config)
    splits = _complete(splits, config)
    return {split: _lower(texts) for split, texts in splits.items()} if config.lowercase else splits


def _read_files(config: ParallelDataConfig) -> dict[str, ParallelTexts]:
    """The user's files, prepared if they were not."""
    files = find_parallel_files(
        config.corpus, config.directory, config.source_language, config.target_language
    )

    def make_config() -> Any:
        from zoo.data.parallel_builders import ParallelFiles

        return ParallelFiles(name=f"{config.corpus}_{parallel_fingerprint(files)}", files=files)

    return _read_own("zoo_parallel_files", config, make_config)


def _read_toy(config: ParallelDataConfig) -> dict[str, ParallelTexts]:
    """A generated corpus, in either direction."""
    refuse_directory(config.corpus, config.directory)
    source = PARALLEL_SOURCES[config.corpus]
    first, second = source.languages
    direction = (config.source_language, config.target_language)
    if direction not in ((first, second), (second, first)):
        raise UserError(
            f"corpus {config.corpus} is in {first} and {second}, not {' and '.join(direction)}; "
            f"use --config.data.source_language={first} --config.data.target_language={second}"
        )
    splits = _read_own("zoo_toy_languages", config, lambda: source.toy)
    if direction == (first, second):
        return splits
    return {split: _turn(texts) for split, texts in splits.items()}


def _turn(texts: ParallelTexts) -> ParallelTexts:
    """The same with source and target exchanged."""
    turned = [tuple(sorted((j, i) for i, j in alignment)) for alignment in texts.alignments]
    return ParallelTexts(texts.targets, texts.sources, turned)


def _read_own(
    name: str, config: ParallelDataConfig, make_config: Callable[[], Any]
) -> dict[str, ParallelTexts]:
    splits = {}
    for split, source in open_own(name, config.cache_directory, make_config).items():
        examples = list(read_examples(source))
        splits[split] = ParallelTexts(
            [example["source"] for example in examples],
            [example["target"] for example in examples],
            [_parse_alignment(example["alignment"]) for example in examples],
        )
    return splits


def _parse_alignment(text: str) -> Alignment:
    links = (link.split("-") for link in text.split())
    return tuple((int(source), int(target)) for source, target in links)


def _read_prepared(config: ParallelDataConfig) -> dict[str, ParallelTexts]:
    """A dataset of TFDS, whose examples are {"de": ..., "en": ...}, or have this as a feature.

    Pairs with an empty side are left out: such a dataset is not the user's to correct.
    """
    name = config.corpus.removeprefix(TFDS_PREFIX)
    sources, features = open_prepared(name, config.directory, splits=("train",), features=())
    nested = "translation" in features
    languages = features["translation"] if nested else features
    pair = (config.source_language, config.target_language)
    for language, field in zip(pair, ("source_language", "target_language"), strict=True):
        if language not in languages:
            raise UserError(
                f"{config.corpus} has no language {language}; it has "
                f"{', '.join(sorted(languages))}, use --config.data.{field}=NAME"
            )
    splits = {}
    for split, source in sources.items():
        examples = list(read_examples(source))
        rows = [example["translation"] for example in examples] if nested else examples
        texts = [[_plain(row[language]) for language in pair] for row in rows]
        kept = [(first, second) for first, second in texts if first and second]
        splits[split] = ParallelTexts([p[0] for p in kept], [p[1] for p in kept], [()] * len(kept))
    return splits


def _plain(text: Any) -> str:
    """A text that may still be bytes, where it was nested, on one line."""
    return " ".join((text.decode("utf-8") if isinstance(text, bytes) else text).split("\n")).strip()


def _complete(
    splits: dict[str, ParallelTexts], config: ParallelDataConfig
) -> dict[str, ParallelTexts]:
    """Three splits; one that is missing is a random part of the training split.

    It is drawn among different source sentences, so that none of them stands in two parts.
    """
    given = splits["train"]
    different = sorted(set(given.sources))
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(different))
    part_of: dict[str, str] = {}  # the others stay
    for split in SPLITS[1:]:
        if split not in splits:
            count = round(getattr(config, f"{split}_fraction") * len(different))
            part_of.update((different[row], split) for row in order[:count])
            order = order[count:]
    complete = {}
    for split in SPLITS:
        if split in splits and split != "train":
            complete[split] = splits[split]
        else:
            rows = (
                n for n, text in enumerate(given.sources) if part_of.get(text, "train") == split
            )
            complete[split] = _select(given, rows)
        if not complete[split].sources:
            raise UserError(
                f"split {split} of corpus {config.corpus} is empty; the training split has "
                f"{len(different)} different source sentences, use a longer one"
            )
    return complete


def _select(texts: ParallelTexts, rows: Iterable[int]) -> ParallelTexts:
    chosen = list(rows)
    return ParallelTexts(
        [texts.sources[row] for row in chosen],
        [texts.targets[row] for row in chosen],
        [texts.alignments[row] for row in chosen],
    )


def _lower(texts: ParallelTexts) -> ParallelTexts:
    return texts._replace(
        sources=[text.lower() for text in texts.sources],
        targets=[text.lower() for text in texts.targets],
    )
