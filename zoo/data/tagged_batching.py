"""Batches of sentences for taggers, each a pure function of (seed, epoch, index).

A tagger reads a word in two ways: by its id in the vocabulary of words, perhaps in lower case, and
by its characters. The characters stand in a table that has one row for each distinct word:

    words       [24, 3, 0]              ids in the vocabulary of words
    spellings   [0, 1, 2]               rows of the table
    table       int32[W, C]             ids of the characters of a word, then END_ID

If a word has more than C characters, the table has its first and its last characters. They show
most of what identifies a word: capitals, prefixes and suffixes.

Axes: B batch rows, T time steps, W distinct words, C characters of a word.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Unpack

import numpy as np

from zoo.data.batching import BucketedBatches, Buckets, pad_rows
from zoo.data.token_file import Rows, make_rows, row_lengths
from zoo.data.vocabulary import Vocabulary
from zoo.special_tokens import END_ID, START_ID


class TaggedBatch(NamedTuple):
    """A batch of sentences that a tagger reads, with the tags that it predicts.

    Attributes:
        words: int32[B, T]; padding holds `END_ID`.
        characters: int32[B, T, C]; `END_ID` after the characters of a word and at padding. None if
            the model does not read characters.
        lengths: int32[B], the number of real words of each row, at least 1.
        tags: int32[B, T], the ids of the tags; 0 at padding.
        features: float32[B, T, G], the states of language models for each word; 0 at padding. None
            if there are no language models.
    """

    words: np.ndarray
    characters: np.ndarray | None
    lengths: np.ndarray
    tags: np.ndarray
    features: np.ndarray | None = None


class EncodedSentences(NamedTuple):
    """N sentences in the form that a tagger reads; see the top of this file.

    Attributes:
        words: for each sentence int32[T], ids in the vocabulary of words.
        spellings: for each sentence int32[T], rows of the table.
        table: int32[W, C], the characters of each word; None if the model does not read them.
    """

    words: Sequence[np.ndarray]
    spellings: Sequence[np.ndarray]
    table: np.ndarray | None


def word_key(token: str, *, lowercase: bool) -> str:
    """Returns the form of a token that is looked up in a vocabulary of words.

    Spaces inside a token become underscores, because spaces separate words.

    Example:
        >>> word_key("New York", lowercase=True)
        'new_york'
    """
    key = "_".join(token.split())
    return key.lower() if lowercase else key


def encode_sentences(
    sentences: Iterable[Sequence[str]],
    vocabulary: Vocabulary,
    *,
    lowercase: bool,
    characters: Vocabulary | None = None,
    max_characters: int = 0,
) -> EncodedSentences:
    """Returns the ids of the words and of the characters of sentences.

    Args:
        sentences: the tokens of each sentence; no token is blank.
        vocabulary: the vocabulary of words.
        lowercase: whether words are looked up in lower case.
        characters: the vocabulary of characters; None if the model does not read characters.
        max_characters: C, the largest number of characters of a word.

    Example:
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> words, characters = (build_vocabulary(k, ["a", "b"]) for k in ("word", "character"))
        >>> encoded = encode_sentences(
        ...     [["a", "ab", "a"]], words, lowercase=False, characters=characters, max_characters=3
        ... )
        >>> encoded.words[0].tolist(), encoded.spellings[0].tolist(), encoded.table.tolist()
        ([3, 0, 3], [0, 1, 0], [[3, 2, 2], [3, 4, 2]])
    """
    numbers: dict[str, int] = {}
    spellings = []

    def rows() -> Iterable[np.ndarray]:
        for tokens in sentences:
            spellings.append(
                np.array([numbers.setdefault(token, len(numbers)) for token in tokens], np.int32)
            )
            keys = " ".join(word_key(token, lowercase=lowercase) for token in tokens)
            yield np.array(vocabulary.encode(keys), np.int32)

    words = make_rows(rows())
    table = None
    if characters is not None:
        table = np.full((len(numbers), max_characters), END_ID, np.int32)
        for token, number in numbers.items():
            spelled = characters.encode(_ends(token, max_characters))
            table[number, : len(spelled)] = spelled
    return EncodedSentences(words, make_rows(spellings), table)


def _ends(token: str, most: int) -> str:
    """Returns a token, or its first and last characters if it has too many characters."""
    if len(token) <= most:
        return token
    last = most // 2
    return token[: most - last] + token[len(token) - last :]


class TaggedBatches(BucketedBatches):
    """Batches of tagged sentences of similar length, see `BucketPlan`.

    An epoch uses every sentence once, except up to B - 1 sentences that do not fill a batch.

    Args:
        sentences: the sentences that `encode_sentences` returns.
        tags: for each sentence int32[T], the ids of its tags.
        features: for each sentence float32[T, G]; None if there are no language models.
        **buckets: the settings of the batches, see `Buckets`.

    Raises:
        UserError: there is no full batch.

    Example:
        >>> sentences = EncodedSentences([np.array([5, 3]), np.array([4])], [], None)
        >>> tags = [np.array([1, 0]), np.array([1])]
        >>> batches = TaggedBatches(sentences, tags, batch_size=2, bucket_lengths=(3,), seed=0)
        >>> batch = batches.batch(epoch=0, index=0)
        >>> sorted(batch.words.tolist()), sorted(batch.tags.tolist())
        ([[4, 2, 2], [5, 3, 2]], [[1, 0, 0], [1, 0, 0]])
    """

    def __init__(
        self,
        sentences: EncodedSentences,
        tags: Sequence[np.ndarray],
        features: Sequence[np.ndarray] | None = None,
        **buckets: Unpack[Buckets],
    ):
        super().__init__(row_lengths(sentences.words), "sentences", **buckets)
        self._sentences, self._tags, self._features = sentences, tags, features

    def batch(self, epoch: int, index: int) -> TaggedBatch:
        """Returns batch number `index` of an epoch."""
        num_steps, chosen = self._chosen(epoch, index)
        words = [self._sentences.words[row] for row in chosen]
        characters = None
        if self._sentences.table is not None:
            spelled = [self._sentences.table[self._sentences.spellings[row]] for row in chosen]
            characters = pad_vectors(spelled, num_steps, END_ID)
        return TaggedBatch(
            words=pad_rows(words, num_steps, END_ID),
            characters=characters,
            lengths=np.array([len(row) for row in words], np.int32),
            tags=pad_rows([self._tags[row] for row in chosen], num_steps, 0),
            features=None
            if self._features is None
            else pad_vectors([self._features[row] for row in chosen], num_steps, 0),
        )


def pad_vectors(rows: Sequence[np.ndarray], num_steps: int, fill: int) -> np.ndarray:
    """Returns the vectors of the words of B sentences as one padded array [B, T, C].

    Args:
        rows: for each sentence [T, C], a vector for each word.
        num_steps: T of the batch.
        fill: the number at padding.
    """
    return np.stack(
        [np.pad(row, ((0, num_steps - len(row)), (0, 0)), constant_values=fill) for row in rows]
    )


def encode_as_text(tokens: Sequence[str], vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray]:
    """Returns a sentence as characters for a language model, and the positions of word ends.

    Args:
        tokens: the words, which are joined with spaces.
        vocabulary: the vocabulary of characters.

    Returns:
        int32[L], `START_ID` and the ids of the characters; and int32[T], the position of the last
        character of each word.

    Example:
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> text, ends = encode_as_text(["a", "bc"], build_vocabulary("character", ["abc "]))
        >>> len(text), ends.tolist(), int(text[ends[0]])
        (5, [1, 4], 4)
    """
    text = np.array([START_ID, *vocabulary.encode(" ".join(tokens))], np.int32)
    return text, np.cumsum([len(token) + 1 for token in tokens]).astype(np.int32) - 1


def encode_tags(sentences: Iterable[Sequence[str]], tags: Sequence[str]) -> Rows:
    """Returns the ids of the tags of each sentence.

    Args:
        sentences: the tags of each sentence, all of them among `tags`.
        tags: all tags; the index of a tag is its id.
    """
    numbers = {tag: number for number, tag in enumerate(tags)}
    return make_rows(np.array([numbers[tag] for tag in own], np.int32) for own in sentences)
