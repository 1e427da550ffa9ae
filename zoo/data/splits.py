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
    splits: Mapping[str, Stored],
    fractions: Mapping[str, float],
    corpus: str,
    *,
    drawn_by: str = "",
    known_by: str = "",
    advice: str = "use a longer one",
) -> dict[str, Stored]:
    """Returns three splits; draws each missing split from the training split.

    Args:
        splits: the splits that the corpus has; "train" is one of them.
        fractions: for each split, the fraction of the training split that it gets if it is missing.
        corpus: the name of the corpus, for errors.
        drawn_by: a field of the examples. If it is set, the distinct values of the field are drawn,
            so that no value occurs in two splits.
        known_by: a field with several values, such as the labels of a text. If it is set, a drawn
            example with a value that no training example has stays in the training split.
        advice: what to do if the training split has too few examples to draw from.

    Raises:
        UserError: a split is empty.
    """
    given, complete = splits["train"], dict(splits)
    missing = [split for split in SPLITS if split not in splits]
    if missing:
        groups = _groups(given, drawn_by)
        num_groups = len(given) if groups is None else int(groups.max(initial=-1)) + 1
        order = np.random.default_rng(_SEED).permutation(num_groups)
        drawn_rows = {}
        for split in missing:
            count = round(fractions[split] * num_groups)
            drawn, order = order[:count], order[count:]
            rows = drawn if groups is None else np.flatnonzero(np.isin(groups, drawn))
            drawn_rows[split] = rows
        left = np.sort(order) if groups is None else np.flatnonzero(np.isin(groups, order))
        if known_by:
            drawn_rows, left = _with_known_values(given, drawn_rows, left, known_by)
        complete["train"] = given.select(left)
        complete |= {split: given.select(rows) for split, rows in drawn_rows.items()}
    for split in SPLITS:
        if not len(complete[split]):
            reason = f"the training split has too few examples ({len(given):,}); {advice}"
            if missing and drawn_by and num_groups < len(given):
                reason = (
                    f"the field {drawn_by} of the {len(given):,} training examples has too few "
                    f"different values ({num_groups:,}); add others, as no value may be in two "
                    "splits"
                )
            if known_by and split in missing and round(fractions[split] * len(given)):
                reason = (
                    f"the {known_by} of the examples that were drawn for it occur nowhere else; "
                    f"use {known_by} that many examples have"
                )
            raise UserError(f"split {split} of corpus {corpus} is empty; {reason}")
    return {split: complete[split] for split in SPLITS}


def _with_known_values(
    given: Stored, drawn: Mapping[str, np.ndarray], left: np.ndarray, field: str
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Returns the rows of splits, after drawn rows with unknown values went back to training.

    Args:
        given: all examples.
        drawn: for each drawn split, the indices of its rows.
        left: the indices of the other rows, which are the training split.
        field: the field with the values of an example.
    """
    known = {value for values in given.select(left).column(field) for value in values}
    back: list[int] = []
    staying = {}
    for split, order in drawn.items():
        places = np.argsort(order)  # neighbours lie in one record, which is read once
        rows = order[places]
        stays = np.ones(len(rows), bool)
        for place, values in zip(places, given.select(rows).column(field), strict=True):
            if not known.issuperset(values):
                known.update(values)
                stays[place] = False
        staying[split] = order[stays]
        back.extend(order[~stays].tolist())
    return staying, np.sort(np.concatenate([left, np.array(back, left.dtype)]))


def _groups(examples: Stored, field: str) -> np.ndarray | None:
    """Returns, for each example, the index of its value among the sorted values of a field."""
    if not field:
        return None
    values = examples.column(field)
    number_of = {value: number for number, value in enumerate(sorted(set(values)))}
    return np.fromiter((number_of[value] for value in values), np.int64, len(values))
