"""Truncated backpropagation through time, for any cell.

With truncation k, the gradient of the loss at step t reaches the parameters in the steps t, t-1,
..., t-k+1, and no earlier steps (Williams and Peng 1990, with a loss at every step). With k = 1
every previous state is a constant, which is plain backpropagation (BP).

Axes: B rows, T time.
"""

import jax
import jax.numpy as jnp
from jax import lax

from zoo.layers.cells.base import Cell, Params, State
from zoo.layers.masks import select
from zoo.layers.sequence import Sequences
from zoo.types import PyTree

Array = jax.Array


def run_truncated(
    cell: Cell, params: Params, sequence: Sequences, truncation: int
) -> tuple[Array, State]:
    """Computes each step's output by its own run over the last k steps; all runs are parallel.

    The run for step t starts at step t - k + 1, or at the first step if t is too small. The state
    that it starts from is held constant. Cells with a hand-written derivative do not use this
    function, see `zoo.layers.fast.derivative`.
    """
    projected, resets, _ = sequence.time_major()
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
    outputs = sequence.without_padding(outputs[-1].swapaxes(0, 1))
    return outputs, sequence.last_real(state)


def _entering_states(cell: Cell, params: Params, sequence: Sequences) -> State:
    """Returns the state before every step, after its reset: arrays [T, B, ...]."""

    def step(state: State, now: tuple) -> tuple[State, State]:
        projected, reset, _ = now
        entering = state if reset is None else select(reset, sequence.initial, state)
        return cell.step(params, entering, projected)[0], entering

    return lax.scan(step, sequence.start, sequence.time_major())[1]


def _repeat(tree: PyTree, num_steps: int) -> PyTree:
    """Repeats arrays [B, ...] to [T, B, ...]."""
    return jax.tree.map(lambda array: jnp.broadcast_to(array, (num_steps, *array.shape)), tree)


def _fold(tree: PyTree) -> PyTree:
    """Reshapes arrays [T, B, ...] to [T*B, ...]."""
    return jax.tree.map(lambda array: array.reshape((-1, *array.shape[2:])), tree)


def _unfold(tree: PyTree, num_steps: int) -> PyTree:
    """Reshapes arrays [T*B, ...] to [T, B, ...]."""
    return jax.tree.map(lambda array: array.reshape((num_steps, -1, *array.shape[1:])), tree)
