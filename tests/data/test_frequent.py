"""The frequent tokens of a text, beside counting by hand."""

import random

import pytest

from zoo.data.frequent import frequent_tokens
from zoo.errors import UserError
from zoo.special_tokens import SPECIAL_TOKENS


def by_hand(words, max_size, min_count):
    kept = [word for word in set(words) - set(SPECIAL_TOKENS) if words.count(word) >= min_count]
    kept.sort()
    kept.sort(key=words.count, reverse=True)
    return kept[: max_size - 3] if max_size else kept


@pytest.mark.parametrize(("max_size", "min_count"), [(0, 1), (8, 1), (0, 9), (6, 3)])
def test_they_are_those_of_a_count_by_hand(max_size, min_count):
    draw = random.Random(max_size + min_count)
    words = draw.choices([*"abcdefghijkl", "<unk>", "</s>"], k=120)
    lines = [" ".join(words[:50]), "", " ".join(words[50:])]
    found = frequent_tokens(lines, str.split, max_size=max_size, min_count=min_count)
    assert found == by_hand(words, max_size, min_count)


def test_a_count_that_no_token_reaches_is_told_with_the_largest():
    with pytest.raises(UserError, match=r"min_count is 4, but no token .* more than 3 times; use"):
        frequent_tokens(["a b a", "a"], str.split, min_count=4)


def test_a_text_without_tokens_has_none():
    assert frequent_tokens(["", ""], str.split, min_count=4) == []
