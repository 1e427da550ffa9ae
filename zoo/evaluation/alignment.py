"""Word alignments from attention weights, and their error rate.

Target word t is linked to the source word with the largest weight, A = {(argmax_s a_ts, t)}. It is
not linked if that is the end of the source. With gold links S,

    AER = 1 - 2 |A and S| / (|A| + |S|)         (Och and Ney 2003, eq. 21, all links sure)

Axes: T target words, S source words.
"""

from collections.abc import Iterable, Sequence

import numpy as np

Links = Sequence[tuple[int, int]]


def links_of(weights: np.ndarray) -> list[tuple[int, int]]:
    """Returns the links that attention makes.

    Args:
        weights: [T+1, S+1], a row for each target word and the end, a column for each source word
            and the end.

    Returns:
        Pairs of a source word's and a target word's number, from 0.

    Example:
        >>> links_of(np.array([[0.1, 0.8, 0.1], [0.2, 0.1, 0.7], [0, 0, 1]]))
        [(1, 0)]
    """
    best = weights[:-1].argmax(axis=1)
    last = weights.shape[1] - 1
    return [(int(source), target) for target, source in enumerate(best) if source != last]


def alignment_error_rate(found: Iterable[Links], gold: Iterable[Links]) -> float:
    """Returns the AER over all pairs of a corpus; 0 is perfect, 1 means that no link is right.

    Args:
        found: the links of each pair.
        gold: the gold links of each pair.

    Example:
        >>> alignment_error_rate([[(0, 0), (1, 1)]], [[(0, 0), (2, 1)]])
        0.5
    """
    right = total = 0
    for one, other in zip(found, gold, strict=True):
        right += len(set(one) & set(other))
        total += len(set(one)) + len(set(other))
    return 1 - 2 * right / total if total else 0.0
