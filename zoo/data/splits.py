"""The three splits of a corpus. A text is cut between characters; missing splits are drawn."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from zoo.data.stored import Stored
from zoo.errors import UserError

SPLITS = ("train", "validation", "test")
WHOLE = "whole"  # the name of the split of a single file with all examples
STANDARD_FRACTIONS = (0.9, 0.05, 0.05)
_SEED = 0  # fixed, so that every run sees the same splits


def check_fractions(fractions: Sequence[float]) -> None:
    """Raises a UserError unless three positive fractions sum to 1.

    Args:
        fractions: the fractions of the text for training, validation and test.
    """
    valid = len(fractions) == len(SPLITS) and min(fractions) > 0
    if not valid or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise UserError(
            f"fractions are {str(tuple(fractions))[:80]}; use {len(SPLITS)} positive numbers that "
            f"sum to 1, such as data.fractions={','.join(map(str, STANDARD_FRACTIONS))}"
        )


def split_lines(
    lines: Iterable[str], fractions: Sequence[float]
) -> dict[str, Iterator[tuple[int, str]]]:
    """Divides a text of N characters at floor(f N), where f is the sum of the fractions so far.

    Args:
        lines: the text, each line with its newline. The lines are read once for the length of the
            text, and once for each part.
        fractions: the fractions for training, validation and test.

    Returns:
        For each split its lines, each with its number. The first and last line may be cut.

    Example:
        >>> parts = split_lines(["abc\\n", "defghi"], (0.5, 0.3, 0.2))
        >>> {split: list(pieces) for split, pieces in parts.items()}
        {'train': [(1, 'abc\\n'), (2, 'd')], 'validation': [(2, 'efg')], 'test': [(2, 'hi')]}
    """
    first, second, _ = fractions
    length = sum(map(len, lines))
    # 0.7 + 0.2 is 0.8999999999999999: of ten characters, the border would come after eight.
    borders = (0, int(first * length), int(round(first + second, 12) * length), length)
    return {
        split: _part(lines, start, stop)
        for split, (start, stop) in zip(SPLITS, itertools.pairwise(borders), strict=True)
    }


def _part(lines: Iterable[str], start: int, stop: int) -> Iterator[tuple[int, str]]:
    """Yields the characters from `start` to `stop`."""
    position = 0
    for number, line in enumerate(lines, 1):
        if position >= stop:
            return
        part = line[max(start - position, 0) : stop - position]
        position += len(line)
        if part:
            yield number, part


def draw_missing(
    splits: Mapping[str, Stored], fractions: Mapping[str, float], corpus: str, drawn_by: str = ""
) -> dict[str, Stored]:
    """Returns three splits; draws each missing split from the training split.

    Args:
        splits: the splits that the corpus has; "train" is one of them.
        fractions: for each split, the fraction of the training split that it gets if it is missing.
        corpus: the name of the corpus, for errors.
        drawn_by: a field of the examples. If it is set, the distinct values of the field are drawn,
            so that no value occurs in two splits.

    Raises:
        UserError: a split is empty.
    """
    given, complete = splits["train"], dict(splits)
    if missing := [split for split in SPLITS if split not in splits]:
        groups = _groups(given, drawn_by)
        num_groups = len(given) if groups is None else int(groups.max(initial=-1)) + 1
        order = np.random.default_rng(_SEED).permutation(num_groups)
        for split in missing:
            count = round(fractions[split] * num_groups)
            drawn, order = order[:count], order[count:]
            rows = drawn if groups is None else np.flatnonzero(np.isin(groups, drawn))
            complete[split] = given.select(rows)
        left = np.sort(order) if groups is None else np.flatnonzero(np.isin(groups, order))
        complete["train"] = given.select(left)
    for split in SPLITS:
        if not len(complete[split]):
            raise UserError(
                f"split {split} of corpus {corpus} is empty; the training split has "
                f"{len(given)} examples, use a longer one"
            )
    return {split: complete[split] for split in SPLITS}


def _groups(examples: Stored, field: str) -> np.ndarray | None:
    """Returns, for each example, the index of its value among the sorted values of a field."""
    if not field:
        return None
    values = examples.column(field)
    number_of = {value: number for number, value in enumerate(sorted(set(values)))}
    return np.fromiter((number_of[value] for value in values), np.int64, len(values))
