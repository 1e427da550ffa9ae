"""A parallel corpus as a translator takes it: its vocabularies, and notes for the user."""

from typing import NamedTuple

from zoo.data.config import ParallelDataConfig
from zoo.data.fingerprints import of_pairs
from zoo.data.loading import ParallelTexts, load_parallel_corpus
from zoo.data.vocabulary import Vocabulary, build_vocabulary
from zoo.types import Json


class EncodedPairs(NamedTuple):
    """A parallel corpus as a translator takes it.

    Attributes:
        source_vocabulary: made from the training sources, or where shared from both sides.
        target_vocabulary: the same of the targets.
        splits: the texts.
    """

    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    splits: dict[str, ParallelTexts]


def encode_parallel_corpus(data: ParallelDataConfig) -> EncodedPairs:
    """Reads a corpus and makes its vocabularies.

    Raises:
        UserError: for a corpus that can't be read, or a vocabulary that can't be made.
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
    """The fingerprint of each split."""
    return {split: of_pairs(texts.sources, texts.targets) for split, texts in splits.items()}


def note_left_out(given: int, kept: int, max_tokens: int) -> tuple[str, ...]:
    """How many training pairs were too long, in a line; none where all were kept."""
    if given == kept:
        return ()
    return (
        f"{given - kept:,} of {given:,} training pairs have a side longer than {max_tokens} tokens "
        "and were left out",
    )
