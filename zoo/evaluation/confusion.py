"""Which labels a classifier confuses: a confusion matrix of readable size, and the worst pairs.

Axes: N texts, C labels, K shown rows and columns.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MOST_SHOWN = 30  # labels in a confusion matrix; further labels are put together
MOST_PAIRS = 20


class ShownConfusion(NamedTuple):
    """A confusion matrix that is small enough to be read.

    Attributes:
        names: the K names of rows and columns.
        counts: int[K, K], the number of texts of label i for which label j was chosen.
        num_hidden: the number of labels that are put together in the last row and column.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    num_hidden: int


def shown_confusion(
    names: Sequence[str], counts: np.ndarray, most: int = MOST_SHOWN
) -> ShownConfusion:
    """Returns a confusion matrix in which only the most confused labels stand alone.

    A label counts as confused once for each text that has it and gets another one, and once for
    each text that gets it and has another one. All other labels share the last row and column.

    Args:
        names: the C labels.
        counts: int[C, C], the number of texts of label i for which label j was chosen.
        most: the number of labels that stand alone if there are more labels than this.

    Example:
        >>> counts = np.array([[5, 0, 0, 0], [0, 2, 3, 0], [0, 0, 6, 0], [0, 0, 1, 4]])
        >>> shown = shown_confusion(["a", "b", "c", "d"], counts, most=2)
        >>> shown.names, shown.counts.tolist(), shown.num_hidden
        (('b', 'c', '2 others'), [[2, 3, 0], [0, 6, 0], [0, 1, 9]], 2)
    """
    if len(names) <= most:
        return ShownConfusion(tuple(names), counts, 0)
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    alone = np.sort(np.argsort(-wrong, kind="stable")[:most])
    place = np.full(len(names), most)
    place[alone] = np.arange(most)
    groups = np.eye(most + 1, dtype=counts.dtype)[place]
    num_hidden = len(names) - most
    shown = (*(names[label] for label in alone), f"{num_hidden} others")
    return ShownConfusion(shown, groups.T @ counts @ groups, num_hidden)


class ConfusedPair(NamedTuple):
    """Two labels, one of which was chosen in place of the other.

    Attributes:
        label: the right label, which was not chosen.
        chosen: the wrong label, which was chosen.
        num_texts: the number of texts for which this happened.
        support: the number of texts that have the right label.
    """

    label: str
    chosen: str
    num_texts: int
    support: int


def confused_pairs(
    names: Sequence[str], truth: np.ndarray, chosen: np.ndarray, most: int = MOST_PAIRS
) -> list[ConfusedPair]:
    """Returns the pairs of labels that were confused most often, the most frequent pair first.

    If a text may have several labels, each of its missing labels is paired with each label that
    was wrongly chosen for the text.

    Args:
        names: the C labels.
        truth: bool[N, C], the labels that each text has.
        chosen: bool[N, C], the labels that were chosen for each text.
        most: the largest number of pairs.

    Example:
        >>> truth, chosen = np.eye(2, dtype=bool)[[0, 0, 1]], np.eye(2, dtype=bool)[[1, 0, 1]]
        >>> confused_pairs(["no", "yes"], truth, chosen)
        [ConfusedPair(label='no', chosen='yes', num_texts=1, support=2)]
    """
    missing, extra = (truth & ~chosen).astype(int), (chosen & ~truth).astype(int)
    counts = missing.T @ extra
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    support = truth.sum(axis=0)
    pairs = zip(*np.unravel_index(order, counts.shape), strict=True)
    return [
        ConfusedPair(names[i], names[j], int(counts[i, j]), int(support[i]))
        for i, j in pairs
        if counts[i, j]
    ]
