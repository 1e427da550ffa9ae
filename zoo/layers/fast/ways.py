"""Chooses a faster way than the plain loop over time; all ways give the same results.

A cell that is linear in its state needs no loop, but some of these cells run faster with one. A
matrix cell computes many steps at once. A cell with a hand-written derivative has a faster backward
pass. Newton's method finds the states of any cell without a loop; it is rarely faster, so it runs
only on request.
"""

import math
from typing import Any

import jax

from zoo.errors import UserError
from zoo.layers.cells.base import Cell, Params, State
from zoo.layers.fast.derivative import Loop, run_derivative
from zoo.layers.fast.newton import Steps, find_states, read_outputs
from zoo.layers.fast.prefix_sum import linear_recurrence
from zoo.layers.sequence import Sequences

Array = jax.Array

NEWTON = ("newton", "quasi_newton")
SCANS = ("auto", "sequential", "parallel", *NEWTON)
_FEWEST_CHUNKED = 8  # fewer steps, such as those of generation, are not worth a chunk


def fast_way(
    cell: Cell, params: Params, sequence: Sequences, truncation: int, scan: str
) -> tuple[Array, State] | None:
    """Returns outputs [B, T, H] and the last real state; None if the plain loop is needed.

    Args:
        cell: the cell.
        params: its parameters.
        sequence: the sequences, in the direction of the run.
        truncation: k, in steps; 0 means no truncation.
        scan: one of SCANS, see `zoo.layers.recurrent.recurrence`.

    Raises:
        UserError: there is no such scan, or the scan is parallel and the cell does not allow it.
    """
    if scan not in SCANS:
        raise UserError(f"scan is {scan!r}; choose one of {', '.join(SCANS)}")
    num_steps: object = jax.tree.leaves(sequence.projected)[0].shape[1]
    # An exported program for any number of steps goes step by step.
    if scan != "sequential" and not truncation and isinstance(num_steps, int):
        coefficients = (
            cell.coefficients(params, sequence.projected)
            if cell.computes_its_step("coefficients")
            else None
        )
        if coefficients is not None:
            if scan == "auto" and _loop_is_faster(sequence):
                return None
            return _parallel(cell, params, *coefficients, sequence)
        if sequence.resets is None and (scan != "auto" or num_steps >= _FEWEST_CHUNKED):
            found = _by_chunks(cell, params, sequence)
            if found is not None:
                return found
    if scan in NEWTON and not truncation:
        return _by_newton(cell, params, sequence, scan)
    if scan in ("parallel", *NEWTON):
        raise UserError(
            f"{type(cell).__name__} cannot run in parallel; use scan='sequential' or 'auto'"
            + (", or no truncation" if truncation else "")
            + (", or no resets after the first step" if sequence.resets is not None else "")
        )
    if scan == "auto" and cell.computes_its_step("derivative") and cell.derivative is not None:
        return _by_derivative(cell, params, sequence, truncation)
    return None


def _loop_is_faster(sequence: Sequences) -> bool:
    """Returns whether the plain loop is faster than a prefix sum, for a cell that allows both.

    A prefix sum reads a_t and b_t of all steps from memory, several times. If the state of a step
    has more numbers than its input, the loop reads less, since it computes a_t and b_t from the
    input. On 2 cores this makes S6 and S4D 1.5 to 4 times as fast. On a GPU, the loop would wait
    for each of its steps.
    """
    numbers = sum(math.prod(array.shape[2:]) for array in jax.tree.leaves(sequence.projected))
    state = sum(math.prod(array.shape[1:]) for array in jax.tree.leaves(sequence.start))
    return jax.default_backend() == "cpu" and state > numbers


def _parallel(
    cell: Cell, params: Params, a: State, b: State, sequence: Sequences
) -> tuple[Array, State]:
    """Computes all steps at once, see `zoo.layers.fast.prefix_sum`."""
    lengths, resets = sequence.lengths, sequence.resets
    arrays = zip(a, b, sequence.start, sequence.initial, strict=True)
    each = [
        linear_recurrence(a_t, b_t, start, initial=initial, lengths=lengths, resets=resets)
        for a_t, b_t, start, initial in arrays
    ]
    outputs = cell.read(params, tuple(states for states, _ in each), sequence.projected)
    return sequence.without_padding(outputs), tuple(final for _, final in each)


def _by_chunks(cell: Cell, params: Params, sequence: Sequences) -> tuple[Array, State] | None:
    """Computes the steps of a matrix cell a chunk at a time, see `zoo.layers.fast.chunks`.

    Returns None if the cell has no form by chunks.
    """
    if not cell.computes_its_step("chunks"):
        return None
    found = cell.chunks(params, sequence.projected, sequence.start, sequence.real_steps())
    if found is None:
        return None
    outputs, final = found
    return sequence.without_padding(outputs), final


def _by_newton(cell: Cell, params: Params, sequence: Sequences, scan: str) -> tuple[Array, State]:
    """Finds all states by Newton's method, see `zoo.layers.fast.newton`, and their outputs."""
    projected, resets, _ = sequence.time_major()
    steps = Steps(params, projected, sequence.start, sequence.initial, resets)
    states = find_states(cell, steps, diagonal=scan == "quasi_newton").states
    outputs = read_outputs(cell, steps, states)
    return sequence.without_padding(outputs.swapaxes(0, 1)), sequence.last_real(states)


def _by_derivative(
    cell: Any, params: Params, sequence: Sequences, truncation: int
) -> tuple[Array, State]:
    """Runs the loop with the hand-written backward pass, see `zoo.layers.fast.derivative`."""
    projected, resets, _ = sequence.time_major()
    loop = Loop(
        projected,
        params["recurrent_kernel"],
        cell.recurrent_bias(params),
        sequence.start,
        sequence.initial,
        resets,
    )
    states = run_derivative(
        cell.derivative,
        loop,
        truncation=truncation,
        dtype=cell.matmul_dtype,
        steps_a_turn=_steps_a_turn(projected.shape[0]),
        rows_are_shared=jax.device_count() > 1,
    )
    return sequence.without_padding(states[0].swapaxes(0, 1)), sequence.last_real(states)


def _steps_a_turn(num_steps: int) -> int:
    """Returns the number of steps that one turn of the loop takes.

    On a GPU, eight to sixteen steps take a quarter less time; on a CPU one step is as fast. A
    divisor of the number of steps leaves no remainder, which would be compiled separately. A
    program for any number of steps always has a remainder.
    """
    if jax.default_backend() != "gpu":
        return 1
    if not isinstance(num_steps, int):
        return 8
    return max((turn for turn in range(8, 17) if num_steps % turn == 0), default=8)
