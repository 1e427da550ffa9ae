"""Counts the n-grams of a text, with one sort for each order instead of loops.

An n-gram is a pair: the number of its first n - 1 tokens (its parent, an (n-1)-gram) and its last
token. So the bigrams of a text are its distinct pairs (token, token), the trigrams are the distinct
pairs (bigram, token), and so on. In sorted order they are the levels of the trie of
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
        parent: int[G], the first n - 1 tokens of the n-gram, an (n-1)-gram; 0 for single tokens.
        word: int[G], the last token.
        suffix: int[G], the last n - 1 tokens, an (n-1)-gram; 0 for single tokens.
        occurrences: int[G], the number of occurrences.
        at_start: bool[G], True if the n-gram begins with `<s>`.
    """

    parent: np.ndarray
    word: np.ndarray
    suffix: np.ndarray
    occurrences: np.ndarray
    at_start: np.ndarray


def count_ngrams(tokens: np.ndarray, order: int, vocabulary_size: int) -> list[NGrams]:
    """Counts the n-grams inside the sentences of a text, `<s>` and `</s>` included.

    Args:
        tokens: int32[N], the tokens of each sentence, followed by `</s>`.
        order: the largest n.
        vocabulary_size: V. Order 1 has all V tokens, even tokens that do not occur.

    Returns:
        The n-grams of order 1, 2, ..., `order`. Orders that no sentence is long enough for are
        missing.

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
    """Returns the text with `<s>` before each sentence, and the positions in the sentences."""
    starts = np.concatenate([[0], np.flatnonzero(tokens == END_ID) + 1])
    starts = starts[starts < len(tokens)]
    text = np.insert(tokens, starts, START_ID)
    starts = starts + np.arange(len(starts))
    lengths = np.diff(np.append(starts, len(text)))
    return text, np.arange(len(text)) - np.repeat(starts, lengths)


def build_tables(
    levels: list[NGrams], log_probs: list[np.ndarray], log_backoffs: list[np.ndarray]
) -> Params:
    """Returns the parameters of an `NGramLM` from its n-grams and their logarithms.

    Args:
        levels: the n-grams of order 1, 2, ..., in the order of `count_ngrams`.
        log_probs: for each level float[G], natural logarithms of probabilities.
        log_backoffs: for each level float[G], natural logarithms of back-off weights. The last
            level needs none.
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
