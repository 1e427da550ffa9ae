"""Encodes a corpus for a language model: its vocabulary, and its splits as streams of tokens."""

import hashlib
import inspect
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from unicodedata import unidata_version

import numpy as np

from zoo.data import fingerprints, lowercase_words, marks, subwords, token_file
from zoo.data import vocabulary as vocabularies
from zoo.data.config import TextConfig
from zoo.data.loading import find_text
from zoo.data.prepared import make_once
from zoo.data.token_file import TokenFile, encode_to_file, pieces_of
from zoo.data.vocabulary import Vocabulary, build_vocabulary, vocabulary_from_json
from zoo.decoding.generation import generate
from zoo.evaluation.modes import Mode
from zoo.evaluation.perplexity import score_tokens
from zoo.models.trained import TrainedModel
from zoo.tasks.summary import describe_tokens

_RECORD = "text.json"  # the vocabulary and the numbers of an encoded text
# The modules on which the tokens of a text depend.
_MODULES = (vocabularies, lowercase_words, marks, subwords, token_file, fingerprints)


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
    """Reads a corpus and builds its vocabulary; the cache keeps the tokens for the next process.

    Raises:
        UserError: the corpus cannot be read, or the vocabulary cannot be built.
    """
    name, open_lines = find_text(data)

    def make(directory: Path) -> Path:
        _write(directory / "encoded", data, open_lines())
        return directory / "encoded"

    if name:
        place = Path("encoded", f"{name}_{_fingerprint(data)}")
        return _read(make_once(data.cache_directory, place, make))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        return _read(make(Path(directory)))  # an open file can be read after it is deleted


def _fingerprint(data: TextConfig) -> str:
    """Returns hexadecimal digits that change when the tokens of the same text may change."""
    rows = [data.vocabulary, str(data.vocabulary_size), str(data.min_count), unidata_version]
    code = map(inspect.getsource, _MODULES)
    return hashlib.sha256("\0".join([*rows, *code]).encode()).hexdigest()[:16]


def _write(directory: Path, data: TextConfig, lines: Mapping[str, Iterable[str]]) -> None:
    """Writes what `_read` reads; a few lines are in memory at a time."""
    directory.mkdir()
    vocabulary = build_vocabulary(
        data.vocabulary, lines["train"], max_size=data.vocabulary_size, min_count=data.min_count
    )
    for split in ("train", "validation"):
        encode_to_file(directory / f"{split}.tokens", vocabulary, lines[split])
    record = {
        "vocabulary": vocabulary.to_json(),
        "num_characters": sum(len(line) + 1 for line in lines["validation"]),
        "fingerprints": {split: fingerprints.of_lines(lines[split]) for split in lines},
    }
    (directory / _RECORD).write_text(json.dumps(record), encoding="utf-8")


def _read(directory: Path) -> EncodedText:
    record = json.loads((directory / _RECORD).read_bytes())
    vocabulary = vocabulary_from_json(record["vocabulary"])
    train, validation = (
        TokenFile.stored(directory / f"{split}.tokens", len(vocabulary))
        for split in ("train", "validation")
    )
    return EncodedText(
        vocabulary, train, validation[:], record["num_characters"], record["fingerprints"]
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
