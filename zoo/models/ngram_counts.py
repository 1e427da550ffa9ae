"""The n-grams of a text, counted: sorting instead of loops, one sort for each order.

An n-gram is known by the number of its first n - 1 tokens (its parent, an (n-1)-gram) and its last
token. So the bigrams of a text are its distinct pairs (token, token), its trigrams the distinct
pairs (bigram, token), and so on; numbered in sorted order they are the levels of the trie of
zoo/models/ngram_lm.py.

Axes: N tokens of a text, G distinct n-grams of one order.
"""

from typing import NamedTuple

import numpy as np

from zoo.models.ngram_lm import ABSENT, Level, Params
from zoo.special_tokens import END_ID, START_ID


class NGrams(NamedTuple):
    """The distinct n-grams of one order, sorted by parent and then by word.

    Attributes:
        parent: int[G], the (n-1)-gram that the n-gram begins with; 0 for single tokens.
        word: int[G], its last token.
        suffix: int[G], the (n-1)-gram that it ends with; 0 for single tokens.
        occurrences: int[G], how often it occurs.
        at_start: bool[G], whether it begins with `<s>`.
    """

    parent: np.ndarray
    word: np.ndarray
    suffix: np.ndarray
    occurrences: np.ndarray
    at_start: np.ndarray


def count_ngrams(tokens: np.ndarray, order: int, vocabulary_size: int) -> list[NGrams]:
    """All n-grams inside the sentences of a text, `<s>` and `</s>` included, up to an order.

    Args:
        tokens: int32[N], every sentence's tokens followed by `</s>`.
        order: the largest n.
        vocabulary_size: V; the single tokens are all V, also those that do not occur.

    Returns:
        The n-grams of order 1, 2, ...; fewer than `order` where no sentence is that long.

    Example:
        >>> words, pairs = count_ngrams(np.array([3, 3, 2, 3, 2]), 2, 4)
        >>> list(zip(pairs.parent.tolist(), pairs.word.tolist(), pairs.occurrences.tolist()))
        [(1, 3, 2), (3, 2, 2), (3, 3, 1)]
    """
    text, position = _mark_starts(np.asarray(tokens))
    count = np.bincount(text, minlength=vocabulary_size)
    nothing = np.zeros(vocabulary_size, np.int64)
    all_words = np.arange(vocabulary_size)
    levels = [NGrams(nothing, all_words, nothing, count, all_words == START_ID)]
    ending = text.astype(np.int64)  # the n-gram of the current order that ends at each token
    for n in range(2, order + 1):
        places = np.flatnonzero(position >= n - 1)
        if not len(places):
            break
        key = ending[places - 1] * vocabulary_size + text[places]
        distinct, first, number, count = np.unique(
            key, return_index=True, return_inverse=True, return_counts=True
        )
        levels.append(
            NGrams(
                parent=distinct // vocabulary_size,
                word=distinct % vocabulary_size,
                suffix=ending[places[first]],
                occurrences=count,
                at_start=position[places[first]] == n - 1,
            )
        )
        ending = np.full(len(text), ABSENT)
        ending[places] = number
    return levels


def _mark_starts(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The text with `<s>` before every sentence, and each token's position in its sentence."""
    starts = np.concatenate([[0], np.flatnonzero(tokens == END_ID) + 1])
    starts = starts[starts < len(tokens)]
    text = np.insert(tokens, starts, START_ID)
    starts = starts + np.arange(len(starts))
    lengths = np.diff(np.append(starts, len(text)))
    return text, np.arange(len(text)) - np.repeat(starts, lengths)


def build_tables(
    levels: list[NGrams], log_probs: list[np.ndarray], log_backoffs: list[np.ndarray]
) -> Params:
    """The parameters of an `NGramLM` from its n-grams and their numbers, order by order.

    Args:
        levels: the n-grams of order 1, 2, ..., as `count_ngrams` sorts them.
        log_probs: float[G] of each level, natural logarithms.
        log_backoffs: float[G] of each level; the last one's are not used.
    """
    params: Params = {}
    for index, level in enumerate(levels):
        table: Level = {"log_prob": log_probs[index].astype(np.float32)}
        if index:
            table["word"] = level.word.astype(np.int32)
        if index + 1 < len(levels):
            num_children = np.bincount(levels[index + 1].parent, minlength=len(level.word))
            table["log_backoff"] = log_backoffs[index].astype(np.float32)
            table["first_child"] = np.concatenate([[0], num_children.cumsum()]).astype(np.int32)
        params[f"order_{index + 1}"] = table
    return params
