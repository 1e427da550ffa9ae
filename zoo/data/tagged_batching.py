"""Sentences as a tagger takes them, in batches that are pure functions of (seed, epoch, index).

A word is looked up twice: in the vocabulary of words, maybe in lower case, and by its characters.
The characters of a word are a row of a table that has each different word once:

    sentence    [24, 3, 0]              numbers in the vocabulary of words
    spellings   [0, 1, 2]               rows of the table
    table       int32[W, C]             characters of a word, behind them END_ID

Of a word with more than C characters the table has the first and the last ones, which tell most of
what a word is: capitals, prefixes and suffixes.

Axes: B batch rows, T time steps, W different words, C characters of a word.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Unpack

import numpy as np

from zoo.data.batching import BucketedBatches, Buckets, pad_rows
from zoo.data.token_file import Rows, make_rows, row_lengths
from zoo.data.vocabulary import Vocabulary
from zoo.special_tokens import END_ID, START_ID


class TaggedBatch(NamedTuple):
    """What a tagger reads and predicts.

    Args:
        words: int32[B, T]; padding holds `END_ID`.
        characters: int32[B, T, C], behind those of a word and at padding `END_ID`; None if the
            model does not read them.
        lengths: int32[B], real words of a row, at least 1.
        tags: int32[B, T], the tags' numbers; 0 at padding.
        features: float32[B, T, G], what language models say of each word, 0 at padding; None
            without.
    """

    words: np.ndarray
    characters: np.ndarray | None
    lengths: np.ndarray
    tags: np.ndarray
    features: np.ndarray | None = None


class EncodedSentences(NamedTuple):
    """N sentences as a tagger takes them; see the top of this file.

    Attributes:
        words: int32[T] of each sentence, numbers in the vocabulary of words.
        spellings: int32[T] of each sentence, rows of the table.
        table: int32[W, C]; None if characters are not read.
    """

    words: Sequence[np.ndarray]
    spellings: Sequence[np.ndarray]
    table: np.ndarray | None


def word_key(token: str, *, lowercase: bool) -> str:
    """Returns how a token is looked up in a vocabulary of words.

    Spaces inside of a token become underscores, because what spaces separate are words.

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
    """Returns the numbers of the words and the characters of sentences.

    Args:
        sentences: the tokens of each sentence; no token is blank.
        vocabulary: of words.
        lowercase: look words up in lower case.
        characters: the vocabulary of characters; None if they are not read.
        max_characters: C.

    Example:
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> words, characters = (build_vocabulary(kind, "ab") for kind in ("word", "character"))
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
    """Returns a token, or its first and last characters if it has too many."""
    if len(token) <= most:
        return token
    last = most // 2
    return token[: most - last] + token[len(token) - last :]


class TaggedBatches(BucketedBatches):
    """Sentences with their tags, in buckets of similar length, see `BucketPlan`.

    An epoch uses every sentence once, except up to B - 1 that would make no full batch.

    Args:
        sentences: as `encode_sentences` makes them.
        tags: int32[T] numbers of the tags of each sentence.
        features: float32[T, G] of each sentence; None without language models.
        **buckets: see `Buckets`.

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
        """Return batch number `index` of an epoch."""
        num_steps, chosen = self._plan.batch(epoch, index)
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
    """What the words of B sentences have, vectors of C numbers, as [B, T, C].

    Args:
        rows: [T, C] of each sentence.
        num_steps: T of the batch.
        fill: what stands at padding.
    """
    return np.stack(
        [np.pad(row, ((0, num_steps - len(row)), (0, 0)), constant_values=fill) for row in rows]
    )


def encode_as_text(tokens: Sequence[str], vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray]:
    """Returns a sentence as the characters that a language model reads, and where its words end.

    Args:
        tokens: the words, which are joined with spaces.
        vocabulary: of characters.

    Returns:
        int32[L], a start and the characters; and int32[T], the position of each word's last one.

    Example:
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> text, ends = encode_as_text(["a", "bc"], build_vocabulary("character", ["abc "]))
        >>> len(text), ends.tolist(), int(text[ends[0]])
        (5, [1, 4], 4)
    """
    text = np.array([START_ID, *vocabulary.encode(" ".join(tokens))], np.int32)
    return text, np.cumsum([len(token) + 1 for token in tokens]).astype(np.int32) - 1


def encode_tags(sentences: Iterable[Sequence[str]], tags: Sequence[str]) -> Rows:
    """Returns the numbers of the tags of each sentence.

    Args:
        sentences: the tags of each sentence, all of them among `tags`.
        tags: the tags by number.
    """
    numbers = {tag: number for number, tag in enumerate(tags)}
    return make_rows(np.array([numbers[tag] for tag in own], np.int32) for own in sentences)
