"""Whether tables of n-grams, which anybody may have made, are what `zoo.models.ngram_lm` wants."""

import numpy as np

from zoo.types import Params

_LARGEST_LOG_PROB = 1e-3  # the logarithm of 1, as rounded sums give it


def fault_of_tables(params: Params, order: int, vocabulary_size: int) -> str:
    """Returns what is wrong with tables of n-grams; "" if they are as `NGramLM` describes them."""
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
            return f"the words of {name} are not those of its parents in order"
    return ""


def _has_sorted_words(word: np.ndarray, first_child: np.ndarray, vocabulary_size: int) -> bool:
    """Returns whether every parent has a stretch of words, each one above the one before it."""
    if first_child[0] != 0 or first_child[-1] != len(word) or (np.diff(first_child) < 0).any():
        return False
    if not len(word):
        return True
    rises = np.concatenate([[True], np.diff(word) > 0])
    rises[first_child[first_child < len(word)]] = True
    return bool(rises.all() and word.min() >= 0 and word.max() < vocabulary_size)
