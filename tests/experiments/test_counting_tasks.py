"""The counting tasks, each beside the few lines of plain Python that define it."""

from collections.abc import Callable
from itertools import permutations
from math import isqrt, prod

import numpy as np
import pytest

from experiments.counting_tasks import NO_ANSWER, NUM_SYMBOLS, QUERY, TASKS, make_batch


def stack(row: list[int]) -> list[int]:
    kept: list[int] = []
    for symbol in row:
        kept = kept[:-1] if symbol == 3 else [*kept, symbol if symbol < 2 else symbol - 4]
    return [*reversed(kept), 2]


def cycle(row: list[int]) -> list[int]:
    return [(row.count(1) - row.count(2)) % 5]


def arithmetic(row: list[int]) -> list[int]:
    text = "".join(str(s) if s < 5 else "+-*"[s - 5] for s in row)
    terms = text.replace("-", "+-1*").split("+")
    return [sum(prod(map(int, term.split("*"))) for term in terms) % 5]


def missing(row: list[int]) -> list[int]:
    place = row.index(2)
    return [row[place - len(row) // 2]]  # counted from the end where that is negative


def number(bits: list[int]) -> int:
    return int("".join(map(str, reversed(bits))), 2)


def bits(value: int, width: int) -> list[int]:
    return [int(digit) for digit in reversed(format(value, f"0{width}b"))]


def addition(row: list[int]) -> list[int]:
    a, b = row[: row.index(2)], row[row.index(2) + 1 :]
    return bits(number(a) + number(b), max(len(a), len(b)) + 1)


def multiplication(row: list[int]) -> list[int]:
    a, b = row[: row.index(2)], row[row.index(2) + 1 :]
    return bits(number(a) * number(b), len(a) + len(b))


def root(row: list[int]) -> list[int]:
    return bits(isqrt(number(row[::-1])), (len(row) + 1) // 2)[::-1]


def products(group: list[tuple[int, ...]]) -> Callable[[list[int]], list[int]]:
    def word(row: list[int]) -> list[int]:
        total, found = tuple(range(5)), []
        for index in row:
            total = tuple(group[index][place] for place in total)
            found.append(group.index(total))
        return found

    return word


def sign(permutation: tuple[int, ...]) -> int:
    return round(float(np.linalg.det(np.eye(5)[list(permutation)])))


S5 = list(permutations(range(5)))
RULES = {
    "even_pairs": lambda row: [int((str(row).count("0, 1") + str(row).count("1, 0")) % 2 == 0)],
    "parity_check": lambda row: [row.count(1) % 2],
    "cycle_navigation": cycle,
    "modular_arithmetic": arithmetic,
    "stack_manipulation": stack,
    "reverse_string": lambda row: row[::-1],
    "duplicate_string": lambda row: row * 2,
    "missing_duplicate": missing,
    "odds_first": lambda row: row[::2] + row[1::2],
    "bucket_sort": sorted,
    "binary_addition": addition,
    "binary_multiplication": multiplication,
    "compute_sqrt": root,
    "word_problem_a5": products([element for element in S5 if sign(element) == 1]),
    "word_problem_s5": products(S5),
}


def test_every_task_has_a_rule() -> None:
    assert RULES.keys() == TASKS.keys()


@pytest.mark.parametrize("length", [1, 2, 3, 8, 41])
@pytest.mark.parametrize("name", RULES)
def test_answers_are_those_of_the_rule(name: str, length: int) -> None:
    task, rows = TASKS[name], 40
    batch = make_batch(task, np.random.default_rng(length), rows, length)
    assert batch.inputs.shape == batch.targets.shape
    assert batch.inputs.shape[0] == rows
    assert batch.inputs.max() < NUM_SYMBOLS
    for tokens, targets in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        inputs = [token for token in tokens if token != QUERY]
        asked = targets if task.every_step else targets[len(inputs) :]
        wanted = RULES[name](inputs)
        assert asked[: len(wanted)] == wanted
        assert set(asked[len(wanted) :]) <= {NO_ANSWER}
        if not task.every_step:
            assert tokens[: len(inputs)] == inputs
            assert set(targets[: len(inputs)]) <= {NO_ANSWER}
    if length > 3:
        assert len({tuple(row) for row in batch.inputs.tolist()}) > rows // 2


@pytest.mark.parametrize("name", RULES)
def test_answers_come_as_often_as_they_should_by_chance(name: str) -> None:
    task = TASKS[name]
    targets = make_batch(task, np.random.default_rng(3), 500, 30).targets
    asked = targets[targets != NO_ANSWER]
    assert asked.max() < max(task.num_answers, 3)
    assert len(set(asked.tolist())) >= task.num_answers


def test_the_last_answer_alone_can_be_asked_of_a_word_problem() -> None:
    task = TASKS["word_problem_a5"]
    every, last = (
        make_batch(task, np.random.default_rng(5), 3, 7, last_only=only) for only in (False, True)
    )
    assert (every.inputs == last.inputs).all()
    assert (last.targets[:, :-1] == NO_ANSWER).all()
    assert (last.targets[:, -1] == every.targets[:, -1]).all()
