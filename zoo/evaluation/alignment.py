"""Word alignments read off attention, and how wrong they are.

Target word t is linked to the source word that it looks at most:  A = {(argmax_s a_ts, t)}, but to
none where that is the source's end. With gold links S,

    AER = 1 - 2 |A and S| / (|A| + |S|)         (Och and Ney 2003, eq. 21, all links sure)

Axes: T target words, S source words.
"""

from collections.abc import Iterable, Sequence

import numpy as np

Links = Sequence[tuple[int, int]]


def links_of(weights: np.ndarray) -> list[tuple[int, int]]:
    """The links that attention makes.

    Args:
        weights: [T+1, S+1], a row for each target word and the end, a column for each source word
            and the end.

    Returns:
        Numbers of source and target words, from 0.

    Example:
        >>> links_of(np.array([[0.1, 0.8, 0.1], [0.2, 0.1, 0.7], [0, 0, 1]]))
        [(1, 0)]
    """
    best = weights[:-1].argmax(axis=1)
    last = weights.shape[1] - 1
    return [(int(source), target) for target, source in enumerate(best) if source != last]


def alignment_error_rate(found: Iterable[Links], gold: Iterable[Links]) -> float:
    """AER over all pairs of a corpus together; 0 is perfect, 1 is no link right.

    Args:
        found: the links of each pair.
        gold: those that are right.

    Example:
        >>> alignment_error_rate([[(0, 0), (1, 1)]], [[(0, 0), (2, 1)]])
        0.5
    """
    right = total = 0
    for one, other in zip(found, gold, strict=True):
        right += len(set(one) & set(other))
        total += len(set(one)) + len(set(other))
    return 1 - 2 * right / total if total else 0.0
