"""A progress bar on a terminal for work that takes more than a second."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

DELAY_SECONDS = 1.0


def track(items: Sequence[Item], what: str) -> Iterable[Item]:
    """Returns the items, with a progress bar on stderr if it is a terminal.

    Args:
        items: the items.
        what: the name of the work, such as "scoring".

    Example:
        >>> list(track(range(3), "counting"))
        [0, 1, 2]
    """
    from tqdm import tqdm

    return tqdm(items, desc=what, delay=DELAY_SECONDS, leave=False, disable=None)
