"""Tasks that need counting, a stack, or copying, generated from their definitions.

The first thirteen tasks are from Delétang et al. (2023), who order them by the Chomsky hierarchy:
regular (a finite number of states is enough), deterministic context-free (a stack is needed) and
context-sensitive (a tape is needed). The word problems of the groups A5 and S5 are from Merrill et
al. (2024). No network of fixed depth whose states do not act on each other can solve them for every
length, unless TC0 equals NC1.

A network reads the inputs and then a QUERY for each answer, which it gives at that step. In the
word problems it answers after every input instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from math import isqrt
from typing import NamedTuple

import numpy as np

Draw = np.random.Generator
Examples = tuple[np.ndarray, np.ndarray]  # inputs [B, n] and answers [B, m]
Sampler = Callable[[Draw, int, int], Examples]

QUERY = 120  # after all symbols of all tasks
NUM_SYMBOLS = 128
NO_ANSWER = -1  # the target of a step without an answer
END = 2  # the end of a stack, below its last symbol


@dataclass(frozen=True)
class CountingTask:
    """A task: how its examples are drawn, and what is asked.

    Attributes:
        sample: a function from (generator, number of examples B, length n) to inputs and answers.
        num_answers: the number of different answers, so that guessing gives 1 / num_answers.
        every_step: whether an answer follows every input, and not only the last one.
    """

    sample: Sampler
    num_answers: int
    every_step: bool = False


class Batch(NamedTuple):
    """The inputs of a network, and the answers that it should give.

    Attributes:
        inputs: int32[B, T].
        targets: int32[B, T], NO_ANSWER at steps without an answer.
    """

    inputs: np.ndarray
    targets: np.ndarray


def make_batch(
    task: CountingTask, draw: Draw, num_rows: int, length: int, last_only: bool = False
) -> Batch:
    """Returns examples of one length as a network reads them.

    Args:
        task: the task.
        draw: the generator of random numbers.
        num_rows: B.
        length: n, the number of inputs; some tasks take one fewer, or at least three.
        last_only: whether a task with an answer at every step asks only for the last answer.

    Example:
        >>> batch = make_batch(TASKS["reverse_string"], np.random.default_rng(0), 1, 3)
        >>> batch.inputs.tolist(), batch.targets.tolist()
        ([[1, 1, 1, 120, 120, 120]], [[-1, -1, -1, 1, 1, 1]])
    """
    inputs, answers = task.sample(draw, num_rows, length)
    if task.every_step:
        if last_only:
            answers = np.where(np.arange(answers.shape[1]) < answers.shape[1] - 1, -1, answers)
        return Batch(inputs.astype(np.int32), answers.astype(np.int32))
    queries = np.full(answers.shape, QUERY)
    nothing = np.full(inputs.shape, NO_ANSWER)
    return Batch(
        np.concatenate([inputs, queries], axis=1).astype(np.int32),
        np.concatenate([nothing, answers], axis=1).astype(np.int32),
    )


def even_pairs(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks whether the number of places with 01 or 10 is even. Regular."""
    bits = draw.integers(2, size=(num_rows, length))
    changes = (bits[:, 1:] != bits[:, :-1]).sum(axis=1, keepdims=True)
    return bits, (changes % 2 == 0).astype(int)


def parity_check(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks whether the number of ones is odd. Regular."""
    bits = draw.integers(2, size=(num_rows, length))
    return bits, bits.sum(axis=1, keepdims=True) % 2


def cycle_navigation(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks where a walk on a ring of five ends; moves are 0: stay, 1: on, 2: back. Regular."""
    moves = draw.integers(3, size=(num_rows, length))
    steps = np.array([0, 1, -1])[moves]
    return moves, steps.sum(axis=1, keepdims=True) % 5


def modular_arithmetic(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks for the value modulo 5 of digits with + (5), - (6) and * (7) between them. Regular.

    Products come first, as usual. An even length is made odd by one input less.
    """
    digits = draw.integers(5, size=(num_rows, (length + 1) // 2))
    operators = draw.integers(5, 8, size=(num_rows, digits.shape[1] - 1))
    inputs = np.empty((num_rows, 2 * digits.shape[1] - 1), int)
    inputs[:, ::2], inputs[:, 1::2] = digits, operators
    total, term = np.zeros(num_rows, int), digits[:, 0].copy()
    for digit, operator in zip(digits.T[1:], operators.T, strict=True):
        is_product = operator == 7
        total = np.where(is_product, total, total + term)
        sign = np.where(operator == 6, -1, 1)
        term = np.where(is_product, term * digit, sign * digit) % 5
    return inputs, ((total + term) % 5)[:, None]


def stack_manipulation(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks what is on a stack of bits, from the top, after pops (3) and pushes of 0 (4) or 1 (5).

    END follows the lowest bit, and no answer is asked after it. A pop from an empty stack does
    nothing. Deterministic context-free.
    """
    num_bits = int(draw.integers(1, length)) if length > 1 else 1
    bits = draw.integers(2, size=(num_rows, num_bits))
    actions = draw.integers(3, 6, size=(num_rows, length - num_bits))
    answers = np.full((num_rows, length + 1), NO_ANSWER)
    for row in range(num_rows):
        stack = bits[row].tolist()
        for action in actions[row].tolist():
            if action > 3:
                stack.append(action - 4)
            elif stack:
                stack.pop()
        answers[row, : len(stack) + 1] = [*stack[::-1], END]
    return np.concatenate([bits, actions], axis=1), answers


def reverse_string(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks for the bits from the last to the first. Deterministic context-free."""
    bits = draw.integers(2, size=(num_rows, length))
    return bits, bits[:, ::-1]


def duplicate_string(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks for the bits, twice. Context-sensitive."""
    bits = draw.integers(2, size=(num_rows, length))
    return bits, np.concatenate([bits, bits], axis=1)


def missing_duplicate(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks for a hidden bit (2) among bits that are given twice. Context-sensitive.

    An odd length is made even by one input less; the length 1 becomes 2.
    """
    half = draw.integers(2, size=(num_rows, max(1, length // 2)))
    inputs = np.concatenate([half, half], axis=1)
    hidden = draw.integers(inputs.shape[1], size=num_rows)
    rows = np.arange(num_rows)
    answers = inputs[rows, hidden][:, None]
    inputs[rows, hidden] = 2
    return inputs, answers


def odds_first(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks for the first, third, fifth bit and so on, then the others. Context-sensitive."""
    bits = draw.integers(2, size=(num_rows, length))
    return bits, np.concatenate([bits[:, ::2], bits[:, 1::2]], axis=1)


def bucket_sort(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks for the sorted order of symbols from 0 to 4. Context-sensitive."""
    symbols = draw.integers(5, size=(num_rows, length))
    return symbols, np.sort(symbols, axis=1)


def binary_addition(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks for the sum of two binary numbers, low bit first, with 2 between. Context-sensitive."""
    first, second, inputs = _two_numbers(draw, num_rows, length)
    width = max(first.shape[1], second.shape[1]) + 1
    return inputs, _bits_of([a + b for a, b in _values(first, second)], width)


def binary_multiplication(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks for the product of two numbers, given as in `binary_addition`. Context-sensitive."""
    first, second, inputs = _two_numbers(draw, num_rows, length)
    width = first.shape[1] + second.shape[1]
    return inputs, _bits_of([a * b for a, b in _values(first, second)], width)


def compute_sqrt(draw: Draw, num_rows: int, length: int) -> Examples:
    """Asks for the rounded-down root of a binary number, highest bit first. Context-sensitive."""
    bits = draw.integers(2, size=(num_rows, length))
    roots = [isqrt(_value(row[::-1])) for row in bits]
    return bits, _bits_of(roots, (length + 1) // 2)[:, ::-1]


def _two_numbers(draw: Draw, num_rows: int, length: int) -> tuple[np.ndarray, ...]:
    """Returns two numbers with length - 1 bits in all, at least one bit each; and both joined."""
    num_bits = max(length, 3) - 1
    width = int(draw.integers(1, num_bits))
    bits = draw.integers(2, size=(num_rows, num_bits))
    between = np.full((num_rows, 1), 2)
    first, second = bits[:, :width], bits[:, width:]
    return first, second, np.concatenate([first, between, second], axis=1)


def _values(first: np.ndarray, second: np.ndarray) -> list[tuple[int, int]]:
    return [(_value(a), _value(b)) for a, b in zip(first, second, strict=True)]


def _value(bits: np.ndarray) -> int:
    """Returns the number whose bits are given, lowest first; a Python integer of any size."""
    return sum(bit << place for place, bit in enumerate(bits.tolist()))


def _bits_of(numbers: list[int], width: int) -> np.ndarray:
    """Returns bits [B, width], the lowest bit first."""
    return np.array([[number >> place & 1 for place in range(width)] for number in numbers])


def _word_problem(elements: list[tuple[int, ...]]) -> Sampler:
    """Returns the task of a group of permutations: the product so far, at each step."""
    number = {element: index for index, element in enumerate(elements)}
    table = np.array(
        [[number[tuple(a[i] for i in b)] for b in elements] for a in elements]  # first b, then a
    )

    def sample(draw: Draw, num_rows: int, length: int) -> Examples:
        inputs = draw.integers(len(elements), size=(num_rows, length))
        answers = inputs.copy()
        for step in range(1, length):
            answers[:, step] = table[inputs[:, step], answers[:, step - 1]]
        return inputs, answers

    return sample


def _is_even(permutation: tuple[int, ...]) -> bool:
    swaps = sum(a > b for i, a in enumerate(permutation) for b in permutation[i + 1 :])
    return swaps % 2 == 0


SYMMETRIC = list(permutations(range(5)))
ALTERNATING = [element for element in SYMMETRIC if _is_even(element)]

TASKS = {
    "even_pairs": CountingTask(even_pairs, 2),
    "parity_check": CountingTask(parity_check, 2),
    "cycle_navigation": CountingTask(cycle_navigation, 5),
    "modular_arithmetic": CountingTask(modular_arithmetic, 5),
    "stack_manipulation": CountingTask(stack_manipulation, 2),
    "reverse_string": CountingTask(reverse_string, 2),
    "duplicate_string": CountingTask(duplicate_string, 2),
    "missing_duplicate": CountingTask(missing_duplicate, 2),
    "odds_first": CountingTask(odds_first, 2),
    "bucket_sort": CountingTask(bucket_sort, 5),
    "binary_addition": CountingTask(binary_addition, 2),
    "binary_multiplication": CountingTask(binary_multiplication, 2),
    "compute_sqrt": CountingTask(compute_sqrt, 2),
    "word_problem_a5": CountingTask(_word_problem(ALTERNATING), 60, every_step=True),
    "word_problem_s5": CountingTask(_word_problem(SYMMETRIC), 120, every_step=True),
}
