"""Encodes a parallel corpus for a translator: its vocabularies, and notes for the user."""

from typing import NamedTuple

from zoo.data.config import ParallelDataConfig
from zoo.data.fingerprints import of_pairs
from zoo.data.loading import ParallelTexts, load_parallel_corpus
from zoo.data.vocabulary import Vocabulary, build_vocabulary
from zoo.types import Json


class EncodedPairs(NamedTuple):
    """A parallel corpus with its vocabularies.

    Attributes:
        source_vocabulary: the vocabulary of the training sources, or of both sides if it is shared.
        target_vocabulary: the vocabulary of the training targets, or of both sides.
        splits: the texts of each split.
    """

    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    splits: dict[str, ParallelTexts]


def encode_parallel_corpus(data: ParallelDataConfig) -> EncodedPairs:
    """Reads a corpus and builds its vocabularies.

    Raises:
        UserError: the corpus cannot be read, or a vocabulary cannot be built.
    """
    splits = load_parallel_corpus(data)
    train = splits["train"]
    options: Json = {"max_size": data.vocabulary_size, "min_count": data.min_count}
    if data.share_vocabulary:
        lines = [*train.sources, *train.targets]
        both = build_vocabulary(data.vocabulary, lines, **options)
        return EncodedPairs(both, both, splits)
    source, target = (
        build_vocabulary(data.vocabulary, lines, **options)
        for lines in (train.sources, train.targets)
    )
    return EncodedPairs(source, target, splits)


def fingerprints_of(splits: dict[str, ParallelTexts]) -> dict[str, str]:
    """Returns the fingerprint of each split."""
    return {split: of_pairs(texts.sources, texts.targets) for split, texts in splits.items()}


def note_left_out(given: int, kept: int, max_tokens: int) -> tuple[str, ...]:
    """Returns a note on the training pairs that are too long, or no note if there are none."""
    if given == kept:
        return ()
    return (
        f"{given - kept:,} of {given:,} training pairs have a side longer than {max_tokens} tokens "
        "and were left out",
    )
