"""The frequent tokens of a text, from which a vocabulary is made."""

import collections
from collections.abc import Callable, Iterable

from zoo.errors import UserError
from zoo.special_tokens import SPECIAL_TOKENS


def frequent_tokens(
    lines: Iterable[str],
    split: Callable[[str], Iterable[str]],
    *,
    max_size: int = 0,
    min_count: int = 1,
) -> list[str]:
    """Returns the ordinary tokens of a text, the most frequent first.

    Equally frequent tokens are in alphabetical order.

    Args:
        lines: the text.
        split: a function that splits a line into tokens.
        max_size: the largest number of tokens, the three special tokens included; 0 means no limit.
        min_count: the smallest number of occurrences of a token.

    Raises:
        UserError: the text has tokens, but none occurs so often.

    Example:
        >>> frequent_tokens(["b a b", "c b a"], str.split, min_count=2)
        ['b', 'a']
    """
    counts: collections.Counter[str] = collections.Counter()
    for line in lines:
        counts.update(split(line))
    if max(counts.values(), default=min_count) < min_count:
        raise UserError(
            f"min_count is {min_count}, but no token of the training text occurs more than "
            f"{max(counts.values())} times; use a smaller data.min_count"
        )
    frequent = {token for token, count in counts.items() if count >= min_count}
    tokens = sorted(frequent - {*SPECIAL_TOKENS}, key=lambda token: (-counts[token], token))
    return tokens[: max_size - len(SPECIAL_TOKENS)] if max_size else tokens
