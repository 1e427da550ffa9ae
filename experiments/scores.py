"""Scores of several runs as one cell of a table."""

import statistics
from collections.abc import Sequence


def spread(scores: Sequence[float]) -> str:
    """Returns the mean of scores, with their standard deviation if there are several.

    Example:
        >>> spread([99.0, 101.0]), spread([99.0])
        ('100.0 +- 1.4', '99.0')
    """
    mean = f"{statistics.mean(scores):.1f}"
    return f"{mean} +- {statistics.stdev(scores):.1f}" if len(scores) > 1 else mean


def per_cent(scores: Sequence[float]) -> str:
    """Returns `spread` of fractions in per cent.

    Example:
        >>> per_cent([0.5, 0.52])
        '51.0 +- 1.4'
    """
    return spread([100 * score for score in scores])
