"""A corpus as a language model takes it: its vocabulary, and its splits as streams of tokens."""

from typing import NamedTuple

import numpy as np

from zoo.data.config import TextConfig
from zoo.data.fingerprints import of_lines
from zoo.data.loading import open_corpus
from zoo.data.token_file import TokenFile, encode_to_file, pieces_of
from zoo.data.vocabulary import Vocabulary, build_vocabulary, encode_lines
from zoo.decoding.generation import generate
from zoo.evaluation.modes import Mode
from zoo.evaluation.perplexity import score_tokens
from zoo.models.trained import TrainedModel
from zoo.tasks.summary import describe_tokens


class EncodedText(NamedTuple):
    """The training and the validation split of a corpus.

    Attributes:
        vocabulary: made from the training split.
        train: int32[N] token stream, on disk.
        validation: the same of the validation split, in memory.
        num_characters: of the validation split, newlines included.
        fingerprints: of each split, see `zoo.data.fingerprints`.
    """

    vocabulary: Vocabulary
    train: TokenFile
    validation: np.ndarray
    num_characters: int
    fingerprints: dict[str, str]

    def score(
        self, trained: TrainedModel, *, mode: Mode = "stream", num_streams: int = 1
    ) -> dict[str, float]:
        """What a model scores on the validation split; arguments as in `score_tokens`."""
        score = score_tokens(
            trained.model,
            trained.params,
            self.validation,
            num_characters=self.num_characters,
            mode=mode,
            num_streams=num_streams,
        )
        return {
            "nats_per_token": score.nats_per_token,
            "perplexity": score.perplexity,
            "bits_per_character": score.bits_per_character,
        }

    def summary(self) -> tuple[str, ...]:
        """The corpus in figures, see `zoo.tasks.summary`."""
        splits = {"train": pieces_of(self.train), "validation": [self.validation]}
        return (describe_tokens(len(self.vocabulary), splits),)


def sample(trained: TrainedModel, max_tokens: int, seed: int) -> str:
    """A text that a model writes; "" for no tokens."""
    if not max_tokens:
        return ""
    return generate(trained, max_tokens=max_tokens, seed=seed, stop="length")


def encode_corpus(data: TextConfig) -> EncodedText:
    """Reads a corpus and makes its vocabulary.

    Raises:
        UserError: for a corpus that can't be read, or a vocabulary that can't be made.
    """
    lines = open_corpus(data)
    validation = list(lines["validation"])
    vocabulary = build_vocabulary(
        data.vocabulary, lines["train"], max_size=data.vocabulary_size, min_count=data.min_count
    )
    return EncodedText(
        vocabulary,
        encode_to_file(vocabulary, lines["train"]),
        encode_lines(vocabulary, validation),
        sum(len(line) + 1 for line in validation),
        {split: of_lines(lines[split]) for split in lines},
    )


def describe(scores: dict[str, float]) -> str:
    """Scores in a few words.

    Example:
        >>> describe({"perplexity": 4.0, "bits_per_character": 2.0})
        'perplexity 4.00, 2.0000 bits per character'
    """
    return (
        f"perplexity {scores['perplexity']:.2f}, "
        f"{scores['bits_per_character']:.4f} bits per character"
    )
