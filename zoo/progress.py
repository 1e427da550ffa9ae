"""A bar for work that takes more than a second, where somebody watches."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

DELAY_SECONDS = 1.0


def track(items: Sequence[Item], what: str) -> Iterable[Item]:
    """The items, with a bar on stderr that says how far they are; none where it is no terminal.

    Args:
        items: what is worked through.
        what: what is done with them, such as "scoring".

    Example:
        >>> list(track(range(3), "counting"))
        [0, 1, 2]
    """
    from tqdm import tqdm

    return tqdm(items, desc=what, delay=DELAY_SECONDS, leave=False, disable=None)
