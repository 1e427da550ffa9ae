"""Runs any cell over a batch of sequences.

    x'          = cell.project(params, x)                         all t at once
    state_t, h_t = cell.step(params, state_{t-1}, x'_t)           one loop over time

A cell that is linear in its state needs no loop, a matrix cell takes many steps at once, and a cell
with a derivative written by hand has a faster backward pass; all give what the loop gives (see
`zoo.layers.fast`).

**Truncation.** With `truncation` k, the loss at step t reaches the parameters as used in the steps
t, t-1, ..., t-k+1 and no further back (truncated backpropagation through time; Williams and Peng
1990, with a loss at every step). k = 1 holds every previous state constant, which is plain
backpropagation (BP).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from zoo.errors import UserError
from zoo.layers.cells.base import Cell, Params, Projected, State
from zoo.layers.fast.derivative import run_derivative
from zoo.layers.fast.lookup import Lookup, take
from zoo.layers.fast.prefix_sum import linear_recurrence
from zoo.layers.masks import real_steps, reverse_sequences, select, widen_resets

Array = jax.Array

SCANS = ("auto", "sequential", "parallel")
_FEWEST_CHUNKED = 8  # steps


class Recurrence(NamedTuple):
    """What running a layer over a sequence gives.

    Attributes:
        outputs: [B, T, H], h_t; zero at padding.
        carry: the state after the last real token of each row (in the direction of travel).
    """

    outputs: Array
    carry: State


class _Sequence(NamedTuple):
    """What a cell is run over: `projected` [B, T, ...], `start` and `initial` [B, ...]."""

    projected: Projected
    start: State
    initial: State
    lengths: Array | None
    resets: Array | None


def recurrence(
    cell: Cell,
    params: Params,
    inputs: Array | Lookup,
    carry: State | None = None,
    *,
    initial: State | None = None,
    lengths: Array | None = None,
    resets: Array | None = None,
    reverse: bool = False,
    truncation: int = 0,
    scan: str = "auto",
) -> Recurrence:
    """Runs a cell over a batch of sequences.

    Args:
        cell: from `zoo.layers.cells`.
        params: the cell's parameters.
        inputs: [B, T, D], or embeddings that are not looked up yet.
        carry: arrays [B, ...], the state before the first step; None for `initial`.
        initial: arrays [B, ...], the state that a reset returns to; None for the cell's own.
        lengths: int32[B], how many steps of each row are real, at least 1; None for all T. What
            follows is padding: it changes no real output, no carry and no gradient.
        resets: bool[B, R] with R <= T; True at [b, t] puts row b back to `initial` before step t.
        reverse: start at each row's last real token and walk to its first.
        truncation: k, of the backward pass, in steps; 0, or k >= T, for none.
        scan: sequential for the plain loop; parallel for many steps at once, which linear cells
            and most matrix cells can; auto for the fastest that the cell has.

    Returns:
        The outputs, in the order of the inputs also when reversed, and the final carry.

    Raises:
        UserError: the cell can't be run so.

    Example:
        >>> from zoo.layers.cells import make_cell
        >>> cell = make_cell("elman_relu", size=4)
        >>> params = {"input_kernel": jnp.zeros((3, 4)), "recurrent_kernel": jnp.eye(4)}
        >>> params["bias"] = jnp.full(4, 0.5)
        >>> recurrence(cell, params, jnp.zeros((2, 5, 3))).outputs[0, :, 0].tolist()
        [0.5, 1.0, 1.5, 2.0, 2.5]
    """
    batch, steps, _ = inputs.shape
    if initial is None:
        initial = cell.initial_state(batch, inputs.dtype)
    if reverse:
        inputs = reverse_sequences(inputs, lengths)
        resets = None if resets is None else reverse_sequences(widen_resets(resets, steps), lengths)
    if isinstance(inputs, Lookup) and not cell.reads_lookup:
        inputs = take(inputs)
    start = initial if carry is None else carry
    if resets is not None and resets.shape[1] == 1:  # outside the loop, where it costs nothing
        start, resets = select(resets[:, 0], initial, start), None
    if resets is not None:
        resets = widen_resets(resets, steps)
    sequence = _Sequence(cell.project(params, inputs), start, initial, lengths, resets)
    truncation = truncation if 0 < truncation < steps else 0
    outputs, final = _run(cell, params, sequence, truncation, scan)
    return Recurrence(reverse_sequences(outputs, lengths) if reverse else outputs, final)


def _run(
    cell: Cell, params: Params, sequence: _Sequence, truncation: int, scan: str
) -> tuple[Array, State]:
    """Outputs [B, T, H] and the last real state, in the order of travel."""
    if scan not in SCANS:
        raise UserError(f"scan is {scan!r}; choose one of {', '.join(SCANS)}")
    if scan != "sequential" and not truncation:
        coefficients = cell.coefficients(params, sequence.projected)
        if coefficients is not None:
            return _parallel(cell, params, *coefficients, sequence)
        found = _by_chunks(cell, params, sequence, scan)
        if found is not None:
            return found
    if scan == "parallel":
        raise UserError(
            f"{type(cell).__name__} can't be run in parallel; use scan='sequential' or 'auto'"
            + (", or no truncation" if truncation else "")
            + (", or no resets after the first step" if sequence.resets is not None else "")
        )
    if scan == "auto" and cell.derivative is not None:
        return _by_derivative(cell, params, sequence, truncation)
    if truncation:
        return _truncated(cell, params, sequence, truncation)
    return _sequential(cell, params, sequence)


def _parallel(
    cell: Cell, params: Params, a: State, b: State, sequence: _Sequence
) -> tuple[Array, State]:
    """All steps at once, see `zoo.layers.fast.prefix_sum`."""
    lengths, resets = sequence.lengths, sequence.resets
    arrays = zip(a, b, sequence.start, sequence.initial, strict=True)
    each = [
        linear_recurrence(a_t, b_t, start, initial=initial, lengths=lengths, resets=resets)
        for a_t, b_t, start, initial in arrays
    ]
    outputs = cell.read(params, tuple(states for states, _ in each), sequence.projected)
    if lengths is not None:
        outputs = jnp.where(real_steps(outputs, lengths)[..., None], outputs, 0)
    return outputs, tuple(final for _, final in each)


def _by_chunks(
    cell: Cell, params: Params, sequence: _Sequence, scan: str
) -> tuple[Array, State] | None:
    """A matrix cell's steps a chunk at a time, see `zoo.layers.fast.chunks`; None if it can't be.

    Resets inside a sequence, and sequences whose number of steps is not known, go step by step;
    so do short ones, such as the single steps of generation, unless `scan` asks for it.
    """
    lengths = sequence.lengths
    some = jax.tree.leaves(sequence.projected)[0]
    steps: Any = some.shape[1]
    if sequence.resets is not None or not isinstance(steps, int):
        return None
    if scan == "auto" and steps < _FEWEST_CHUNKED:
        return None
    real = None if lengths is None else real_steps(some, lengths)
    found = cell.chunks(params, sequence.projected, sequence.start, real)
    if found is None or real is None:
        return found
    outputs, final = found
    return jnp.where(real[..., None], outputs, 0), final


def _by_derivative(
    cell: Any, params: Params, sequence: _Sequence, truncation: int
) -> tuple[Array, State]:
    """The loop with the backward pass written by hand, see `zoo.layers.fast.derivative`."""
    states = run_derivative(
        cell.derivative,
        sequence.projected.swapaxes(0, 1),
        params["recurrent_kernel"],
        cell.recurrent_bias(params),
        sequence.start,
        sequence.initial,
        None if sequence.resets is None else sequence.resets.swapaxes(0, 1),
        truncation=truncation,
        dtype=cell.matmul_dtype,
    )
    outputs, lengths = states[0].swapaxes(0, 1), sequence.lengths
    if lengths is None:
        return outputs, jax.tree.map(lambda state: state[-1], states)
    real = real_steps(outputs, lengths)[..., None]
    return jnp.where(real, outputs, 0), _last_real(states, lengths)


def _sequential(cell: Cell, params: Params, sequence: _Sequence) -> tuple[Array, State]:
    """The plain loop, as JAX differentiates it."""
    initial = sequence.initial

    def step(state: State, now: tuple) -> tuple[State, Array]:
        projected, reset, real = now
        entering = state if reset is None else select(reset, initial, state)
        following, output = cell.step(params, entering, projected)
        if real is None:
            return following, output
        return select(real, following, state), select(real, output, jnp.zeros_like(output))

    final, outputs = lax.scan(step, sequence.start, _time_major(sequence))
    return outputs.swapaxes(0, 1), final


def _truncated(
    cell: Cell, params: Params, sequence: _Sequence, truncation: int
) -> tuple[Array, State]:
    """Every step's output from a run of its own over the last k steps, all of them side by side.

    The run for step t starts at step t - k + 1 from the state there, held constant; where there
    are not so many steps before t, at the beginning.
    """
    projected, resets, real = _time_major(sequence)
    entering = lax.stop_gradient(_entering_states(cell, params, sequence))
    num_steps, batch = jax.tree.leaves(entering)[0].shape[:2]
    times = jnp.arange(num_steps)
    first = jnp.maximum(times - truncation + 1, 0)
    start, initial = _repeat((sequence.start, sequence.initial), num_steps)
    from_the_start = jnp.broadcast_to((times < truncation - 1)[:, None], (num_steps, batch))
    state = select(from_the_start, start, jax.tree.map(lambda array: array[first], entering))

    def sweep(state: State, number: Array) -> tuple[State, Array]:
        at = times - truncation + 1 + number
        index, active = jnp.maximum(at, 0), jnp.broadcast_to((at >= 0)[:, None], (num_steps, batch))
        before = state
        if resets is not None:
            before = select(resets[index] & (number > 0), initial, state)
        inputs = jax.tree.map(lambda array: array[index], projected)
        following, output = cell.step(params, _fold(before), _fold(inputs))
        following, output = _unfold((following, output), num_steps)
        return select(active, following, state), output

    state, outputs = lax.scan(sweep, state, jnp.arange(truncation))
    outputs = outputs[-1]
    lengths = sequence.lengths
    if lengths is None or real is None:
        return outputs.swapaxes(0, 1), jax.tree.map(lambda array: array[-1], state)
    outputs = select(real, outputs, jnp.zeros_like(outputs))
    return outputs.swapaxes(0, 1), _last_real(state, lengths)


def _entering_states(cell: Cell, params: Params, sequence: _Sequence) -> State:
    """The state that every step starts from, after its reset: arrays [T, B, ...]."""

    def step(state: State, now: tuple) -> tuple[State, State]:
        projected, reset, _ = now
        entering = state if reset is None else select(reset, sequence.initial, state)
        return cell.step(params, entering, projected)[0], entering

    return lax.scan(step, sequence.start, _time_major(sequence))[1]


def _time_major(sequence: _Sequence) -> tuple[Projected, Array | None, Array | None]:
    """What every step reads: its inputs, its resets and whether it is real, [T, B, ...]."""
    projected = jax.tree.map(lambda array: array.swapaxes(0, 1), sequence.projected)
    resets, lengths = sequence.resets, sequence.lengths
    real = None
    if lengths is not None:
        real = real_steps(jax.tree.leaves(sequence.projected)[0], lengths).swapaxes(0, 1)
    return projected, None if resets is None else resets.swapaxes(0, 1), real


def _repeat(tree: Any, num_steps: int) -> Any:
    """Arrays [B, ...] as [T, B, ...]."""
    return jax.tree.map(lambda array: jnp.broadcast_to(array, (num_steps, *array.shape)), tree)


def _fold(tree: Any) -> Any:
    """Arrays [T, B, ...] as [T*B, ...]."""
    return jax.tree.map(lambda array: array.reshape((-1, *array.shape[2:])), tree)


def _unfold(tree: Any, num_steps: int) -> Any:
    """Arrays [T*B, ...] as [T, B, ...]."""
    return jax.tree.map(lambda array: array.reshape((num_steps, -1, *array.shape[1:])), tree)


def _last_real(states: State, lengths: Array) -> State:
    """Of states [T, B, ...] those after each row's last real step."""
    return jax.tree.map(lambda state: state[lengths - 1, jnp.arange(lengths.shape[0])], states)
