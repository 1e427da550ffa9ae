"""Encodes a corpus for a language model: its vocabulary, and its splits as streams of tokens."""

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
        vocabulary: the vocabulary of the training split.
        train: int32[N], the tokens of the training split, on disk.
        validation: int32[N], the tokens of the validation split, in memory.
        num_characters: the number of characters of the validation split, newlines included.
        fingerprints: the fingerprint of each split, see `zoo.data.fingerprints`.
    """

    vocabulary: Vocabulary
    train: TokenFile
    validation: np.ndarray
    num_characters: int
    fingerprints: dict[str, str]

    def score(
        self, trained: TrainedModel, *, mode: Mode = "stream", num_streams: int = 1
    ) -> dict[str, float]:
        """Returns a model's scores on the validation split; for arguments see `score_tokens`."""
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
        """Returns lines with the numbers of the corpus, see `zoo.tasks.summary`."""
        splits = {"train": pieces_of(self.train), "validation": [self.validation]}
        return (describe_tokens(len(self.vocabulary), splits),)


def sample(trained: TrainedModel, max_tokens: int, seed: int) -> str:
    """Returns a text that a model generates; "" if max_tokens is 0."""
    if not max_tokens:
        return ""
    return generate(trained, max_tokens=max_tokens, seed=seed, stop="length")


def encode_corpus(data: TextConfig) -> EncodedText:
    """Reads a corpus and builds its vocabulary.

    Raises:
        UserError: the corpus cannot be read, or the vocabulary cannot be built.
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
    """Returns a short description of scores.

    Example:
        >>> describe({"perplexity": 4.0, "bits_per_character": 2.0})
        'perplexity 4.00, 2.0000 bits per character'
    """
    return (
        f"perplexity {scores['perplexity']:.2f}, "
        f"{scores['bits_per_character']:.4f} bits per character"
    )
