"""A setting that is too small or too large is told with the nearest value that is allowed."""

from types import SimpleNamespace

import pytest

from zoo.checks import LARGEST, check_least, check_sizes
from zoo.errors import UserError


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (1, "at least 2"),
        (float("nan"), "at least 2"),
        (LARGEST + 1, "at most 2147483647"),
        (float("inf"), "at most 2147483647"),
    ],
)
def test_a_number_out_of_its_range(value, advice):
    with pytest.raises(UserError, match=f"^model.size is {value}; use {advice}$"):
        check_least(2, "model", SimpleNamespace(size=value), "size")


def test_numbers_within_their_range():
    for value in (2, 2.5, LARGEST):
        check_least(2, "model", SimpleNamespace(size=value), "size")
    check_sizes("model.hidden_sizes", (1, LARGEST))


@pytest.mark.parametrize(
    ("sizes", "advice"), [((), "at least 1"), ((8, 0), "at least 1"), ((8, 2**31), "at most")]
)
def test_sizes_out_of_their_range(sizes, advice):
    with pytest.raises(UserError, match=f"use sizes of {advice}"):
        check_sizes("model.hidden_sizes", sizes)
