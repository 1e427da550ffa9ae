"""Checks tables of n-grams from an unknown source, before `zoo.models.ngram_lm` uses them."""

import numpy as np

from zoo.types import Params

_LARGEST_LOG_PROB = 1e-3  # the logarithm of 1, with rounding errors


def fault_of_tables(params: Params, order: int, vocabulary_size: int) -> str:
    """Returns a description of what is wrong with tables of n-grams; "" if nothing is."""
    names = [f"order_{number + 1}" for number in range(len(params))]
    if set(names) != set(params) or not 1 <= len(names) <= order:
        return f"they are {', '.join(params)[:80]}, but the order is {order}"
    for number, name in enumerate(names):
        level = params[name]
        size = vocabulary_size if number == 0 else len(level["word"])
        wanted = {"log_prob": ("f", (size,))}
        if number > 0:
            wanted["word"] = ("i", (size,))
        if number < len(names) - 1:
            wanted |= {"log_backoff": ("f", (size,)), "first_child": ("i", (size + 1,))}
        found = {key: (array.dtype.kind, array.shape) for key, array in level.items()}
        if found != wanted:
            return f"{name} has {found}, not {wanted}"
        if (level["log_prob"] > _LARGEST_LOG_PROB).any():
            return f"{name} has a probability above 1"
        parents = params[names[number - 1]]["first_child"] if number else None
        if parents is not None and not _has_sorted_words(level["word"], parents, vocabulary_size):
            return f"the words of {name} are not sorted by their parents"
    return ""


def _has_sorted_words(word: np.ndarray, first_child: np.ndarray, vocabulary_size: int) -> bool:
    """Returns whether every parent has a range of words in strictly rising order."""
    if first_child[0] != 0 or first_child[-1] != len(word) or (np.diff(first_child) < 0).any():
        return False
    if not len(word):
        return True
    rises = np.concatenate([[True], np.diff(word) > 0])
    rises[first_child[first_child < len(word)]] = True
    return bool(rises.all() and word.min() >= 0 and word.max() < vocabulary_size)
