"""A trained tagger, and the tags that it gives to the words of texts.

Axes: B rows of a call, T time, N sentences, W different words, C characters of a word.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, NamedTuple

import jax
import numpy as np
from jax import Array

from zoo.data.batching import pad_rows
from zoo.data.found_words import FoundWord, word_finder
from zoo.data.tag_schemes import spans
from zoo.data.tagged_batching import (
    EncodedSentences,
    encode_as_text,
    encode_sentences,
    pad_vectors,
)
from zoo.data.token_file import row_lengths
from zoo.data.vocabulary import Vocabulary
from zoo.errors import UserError
from zoo.evaluation.by_length import Shapes, fill_up, read_by_length
from zoo.fetching import fetch
from zoo.given import given_list
from zoo.models.output import Model
from zoo.models.tagger import decode, read_texts
from zoo.models.trained import Checkpoint, Kind, TokenAxes, TrainedModel, require
from zoo.special_tokens import END_ID, SPECIAL_IDS
from zoo.types import Json, Params

TAGGER = Kind("tagger", "tag")
WORD_SHAPES = Shapes(
    batch_size=128,
    lengths=(8, 16, 32, 64, 128, 256),
    fine_lengths=(8, 12, 16, 24, 32, 48, 64, 96, 128, 256),
)
_TEXT_LENGTHS = (64, 128, 256, 512)  # in characters, for language models
TEXT_SHAPES = Shapes(batch_size=32, lengths=_TEXT_LENGTHS, fine_lengths=_TEXT_LENGTHS)
WORDS_A_CALL = 1024  # words whose characters are read at once


class Reader(NamedTuple):
    """A frozen language model over characters, whose states a tagger uses as features.

    Attributes:
        settings: the section `model` of its config.
        vocabulary: its vocabulary of characters.
    """

    settings: Json
    vocabulary: Vocabulary

    def to_json(self) -> Json:
        """Returns the record as plain JSON types."""
        return {"model": self.settings, "vocabulary": self.vocabulary.to_json()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedTagger(Checkpoint):
    """A trained tagger.

    Attributes:
        tags: the tags by number.
        scheme: the scheme in which tags mark spans, see `zoo.data.tag_schemes`.
        characters: the vocabulary of characters; None if characters are not read.
        num_trained_words: the number of words in the vocabulary that training learned, with the
            special tokens. Words that are rarer than data.min_count are not in it. The words after
            them have only a pre-trained vector.
        lowercase: whether words are looked up in lower case.
        corpus: the name of the corpus, which decides how a text is split into words.
        readers: the frozen language models, whose parameters are part of the tagger's parameters.
    """

    kind = TAGGER
    token_axes: ClassVar[TokenAxes] = {
        "embedding": ("tokens", 0),
        "spelling/embedding": ("characters", 0),
        "output_kernel": ("tags", 1),
        "output_bias": ("tags", 0),
        "start": ("tags", 0),
        "between": ("tags", 0, 1),
        "end": ("tags", 0),
    }

    tags: tuple[str, ...]
    scheme: str
    characters: Vocabulary | None
    num_trained_words: int
    lowercase: bool = False
    corpus: str = ""
    readers: tuple[Reader, ...] = ()

    @property
    def vocabulary_record(self) -> Json:
        """Vocabularies and tags as plain JSON, as in vocabulary.json of a checkpoint."""
        own = {"language_models": [reader.to_json() for reader in self.readers]}
        return {
            **(own if self.readers else {}),
            "words": self.vocabulary.to_json(),
            "characters": None if self.characters is None else self.characters.to_json(),
            "tags": list(self.tags),
            "scheme": self.scheme,
            "num_trained_words": self.num_trained_words,
        }

    @property
    def tokens(self) -> dict[str, Sequence[str]]:
        """The words, the characters if they are read, and the tags by their ids."""
        found = {"tokens": self.vocabulary.tokens, "tags": self.tags}
        return found | ({"characters": self.characters.tokens} if self.characters else {})

    def encode(self, sentences: Sequence[Sequence[str]]) -> EncodedSentences:
        """Encodes sentences, given as lists of tokens, for the model."""
        return encode_sentences(
            sentences,
            self.vocabulary,
            lowercase=self.lowercase,
            characters=self.characters,
            max_characters=self.model.config.max_characters,
        )

    def known_words(self, sentences: Sequence[Sequence[str]]) -> set[str]:
        """Returns the tokens of sentences that training learned."""
        tokens = sorted({token for sentence in sentences for token in sentence})
        (row,) = encode_sentences([tokens], self.vocabulary, lowercase=self.lowercase).words
        return {
            token
            for token, number in zip(tokens, row.tolist(), strict=True)
            if len(SPECIAL_IDS) <= number < self.num_trained_words
        }

    def features(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray] | None:
        """Returns the language models' features of the words, float32[T, G] for each sentence.

        Returns None if the tagger has no language models.
        """
        if not self.readers:
            return None
        encoded = [
            [encode_as_text(tokens, reader.vocabulary) for tokens in sentences]
            for reader in self.readers
        ]
        models = self.model.language_models

        def read(num_steps: int, numbers: np.ndarray) -> tuple[Array]:
            columns = [[one[number][0] for number in numbers] for one in encoded]
            columns.append([encoded[0][number][1] for number in numbers])
            *texts, ends = (pad_rows(column, num_steps, 0) for column in columns)
            return (_read(models, self.params, tuple(texts), ends),)

        lengths = np.array([len(text) for text, _ in encoded[0]])
        found = read_by_length(read, lengths, TEXT_SHAPES, self.params, what="tagging")
        return [states[: len(own)] for (states,), own in zip(found, sentences, strict=True)]


class Predicted(NamedTuple):
    """The output of a tagger for the words of a sentence.

    Attributes:
        tags: int32[T], the numbers of their tags.
        probabilities: float32[T], the probability of each of these tags, given the sentence.
    """

    tags: np.ndarray
    probabilities: np.ndarray


@dataclasses.dataclass(frozen=True)
class TaggedSpan:
    """Consecutive words with a label.

    Attributes:
        label: the label, such as "person".
        text: the words as they stand in the text.
        start: the position of the first character in the text, from 0.
        end: the position after the last character.
    """

    label: str
    text: str
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Tagging:
    """The tags and spans that a tagger finds in one text.

    Attributes:
        text: the text; words that were given as a list are joined with spaces.
        tokens: the words that the text was split into.
        tags: the tag of each word.
        probabilities: the probability of each of these tags.
        spans: the spans that the tags mark; plain tags mark no spans.
    """

    text: str
    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    probabilities: tuple[float, ...]
    spans: tuple[TaggedSpan, ...]

    def to_json(self) -> Json:
        """Returns the record as plain JSON types."""
        return {**vars(self), "spans": [dataclasses.asdict(span) for span in self.spans]}


def tag(
    checkpoint: TrainedModel, texts: str | Sequence[str] | Sequence[Sequence[str]]
) -> list[Tagging]:
    """Predicts the tags of the words of texts.

    Args:
        checkpoint: a tagger from `zoo.load`.
        texts: a list of texts, or one text. A text is a string, which is split like the corpus of
            the tagger, or a list of words. A text without words has no tags.

    Returns:
        A record for each text, in order. It does not depend on the other texts.

    Raises:
        UserError: if the checkpoint is not a tagger, or a word is blank.

    Example:
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> from zoo.models.tagger import Tagger, TaggerConfig
        >>> words = build_vocabulary("word", ["to New York"])
        >>> model = Tagger(TaggerConfig(hidden_sizes=(4,), characters="none"), len(words), 2)
        >>> start = {"words": np.ones((1, 1), int), "lengths": np.ones(1, int)}
        >>> params = jax.jit(model.init)(jax.random.key(0), **start)["params"]
        >>> checkpoint = TrainedTagger(
        ...     model=model, params=params, vocabulary=words, tags=("B-loc", "O"), scheme="iob2",
        ...     characters=None, num_trained_words=len(words),
        ... )
        >>> tag(checkpoint, ["to Rome."])[0].tokens
        ('to', 'Rome', '.')
    """
    trained = require(checkpoint, TrainedTagger)
    texts = [texts] if isinstance(texts, str) else given_list(texts, "texts")
    read = [_split(trained, text) for text in texts]
    full = [number for number, (_, words) in enumerate(read) if words]
    predicted = iter(predict(trained, [[word.text for word in read[n][1]] for n in full]))
    empty = Predicted(np.zeros(0, np.int32), np.zeros(0, np.float32))
    return [
        _tagging(trained, text, words, next(predicted) if words else empty) for text, words in read
    ]


def _split(trained: TrainedTagger, text: str | Sequence[str]) -> tuple[str, list[FoundWord]]:
    """Returns a text and its words."""
    if isinstance(text, str):
        return text, word_finder(trained.corpus)(text)
    words, start = [], 0
    for word in given_list(text, "a text"):
        if not isinstance(word, str) or not word.strip():
            raise UserError(f"a word is {word!r}; give words that are not blank")
        words.append(FoundWord(word, start))
        start += len(word) + 1
    return " ".join(text), words


def _tagging(
    trained: TrainedTagger, text: str, words: list[FoundWord], predicted: Predicted
) -> Tagging:
    tags = tuple(trained.tags[number] for number in predicted.tags)
    places = (
        (span.label, words[span.start].start, words[span.end - 1].end)
        for span in spans(tags, trained.scheme)
    )
    return Tagging(
        text=text,
        tokens=tuple(word.text for word in words),
        tags=tags,
        probabilities=tuple(predicted.probabilities.tolist()),
        spans=tuple(TaggedSpan(label, text[at:end], at, end) for label, at, end in places),
    )


def predict(trained: TrainedTagger, sentences: Sequence[Sequence[str]]) -> list[Predicted]:
    """Returns the tags of N sentences, which are read in batches of similar length.

    Args:
        trained: a tagger.
        sentences: the tokens of each sentence, one or more.
    """
    if not sentences:
        return []
    encoded = trained.encode(sentences)
    spelled = None if encoded.table is None else _spell_table(trained, encoded.table)
    features = trained.features(sentences)

    def read(num_steps: int, numbers: np.ndarray) -> tuple[Array, Array]:
        rows = [encoded.words[number] for number in numbers]
        inputs = {
            "words": pad_rows(rows, num_steps, END_ID),
            "lengths": np.array([len(row) for row in rows], np.int32),
        }
        if spelled is not None:
            own = pad_rows([encoded.spellings[number] for number in numbers], num_steps, 0)
            inputs["spelled"] = spelled[own]
        if features is not None:
            inputs["features"] = pad_vectors([features[n] for n in numbers], num_steps, 0)
        return _forward(trained.model, trained.params, inputs)

    lengths = row_lengths(encoded.words)
    found = read_by_length(read, lengths, WORD_SHAPES, trained.params, what="tagging")
    return [
        Predicted(tags[:length], probabilities[:length])
        for (tags, probabilities), length in zip(found, lengths, strict=True)
    ]


def _spell_table(trained: TrainedTagger, table: np.ndarray) -> np.ndarray:
    """Returns the character features of W different words, float32[W, S]."""
    parts = []
    for start in range(0, len(table), WORDS_A_CALL):
        part = table[start : start + WORDS_A_CALL]
        filled = part[fill_up(np.arange(len(part)))]
        parts.append(fetch(_spell(trained.model, trained.params, filled))[: len(part)])
    return np.concatenate(parts)


@partial(jax.jit, static_argnums=0)
def _spell(model: Model, params: Params, characters: Array) -> Array:
    """Returns the character features of words, [W, S]."""
    return model.apply({"params": params}, characters, method="spell")


_read = jax.jit(read_texts, static_argnums=0)


@partial(jax.jit, static_argnums=0)
def _forward(model: Model, params: Params, inputs: dict[str, Array]) -> tuple[Array, Array]:
    """Returns tags int32[B, T] and their probabilities [B, T]."""
    return decode(model.apply({"params": params}, **inputs), inputs["lengths"])
