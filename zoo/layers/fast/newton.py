"""Newton's method over time, which finds all states of a non-linear cell at once.

    h_t = f_t(h_{t-1}),  t = 1..T               f_t is the cell's step with the inputs of step t
    J_t = df_t/dh at the previous guess of h_{t-1}
    h_t <- J_t h_{t-1} + (f_t(g_{t-1}) - J_t g_{t-1})           g: the previous guess of all states

(DEER; Lim et al. 2024, eq. 5 and 6.) Each round evaluates all steps at once and solves a linear
recurrence by a parallel prefix sum. After k rounds the first k states are exact, for any first
guess. So T rounds always suffice, and a few rounds suffice if the cell forgets. The quasi-Newton
form (Gonzalez et al. 2024) keeps only the diagonal of J_t. A round then needs T H numbers instead
of T H^2, but more rounds are needed.

The gradient of the states is again a linear recurrence, dh_t = J_t dh_{t-1} + df_t, with the full
J_t. So both forms have the same gradient as the loop.

Axes: T time, B rows, N numbers of the state.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from zoo.layers.cells.base import Cell, Params, Projected, State
from zoo.layers.masks import select

Array = jax.Array

# The largest change of a state in the last round; relative to the state if it is above 1.
_TOLERANCE = 1e-6


class Steps(NamedTuple):
    """The inputs of the steps, except the state.

    Attributes:
        params: the parameters of the cell.
        projected: [T, B, ...], the projected inputs.
        start: arrays [B, ...], the state before the first step.
        initial: arrays [B, ...], the state after a reset.
        resets: bool[T, B], True if a row is reset before a step; None means no resets.
    """

    params: Params
    projected: Projected
    start: State
    initial: State
    resets: Array | None


class Found(NamedTuple):
    """The states of all steps, arrays [T, B, ...], and the number of rounds, an int32."""

    states: State
    rounds: Array


def find_states(cell: Cell, steps: Steps, *, diagonal: bool = False) -> Found:
    """Returns the states after every step, which equal the loop's states up to rounding.

    Args:
        cell: a cell whose state has only real numbers.
        steps: the inputs of the steps.
        diagonal: whether rounds use only the diagonal of the Jacobian.

    Example:
        >>> from zoo.layers.cells import make_cell
        >>> cell = make_cell("elman", 2)
        >>> params = {"recurrent_kernel": jnp.array([[0.5, -0.4], [0.3, 0.2]])}
        >>> start = (jnp.zeros((1, 2)),)
        >>> found = find_states(cell, Steps(params, jnp.ones((9, 1, 2)), start, start, None))
        >>> found.states[0].shape, int(found.rounds) < 9
        ((9, 1, 2), True)
    """
    states, rounds = _solve(_Static(cell, diagonal), steps)
    return Found(states, rounds)


def read_outputs(cell: Cell, steps: Steps, states: State) -> Array:
    """Returns the outputs h_t of every step [T, B, H], from the states after every step."""
    before = jax.tree.map(
        lambda first, state: jnp.concatenate([first[None], state[:-1]]), steps.start, states
    )
    one = partial(_step, cell, steps)
    return jax.vmap(lambda *now: one(*now)[1])(before, steps.projected, steps.resets)


def _step(
    cell: Cell, steps: Steps, state: State, projected: Projected, reset: Array | None
) -> tuple[State, Array]:
    if reset is not None:
        state = select(reset, steps.initial, state)
    return cell.step(steps.params, state, projected)


class _Static(NamedTuple):
    cell: Cell
    diagonal: bool


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _solve(static: _Static, steps: Steps) -> tuple[State, Array]:
    return _rounds(static, steps)


def _solve_keeping(static: _Static, steps: Steps) -> tuple[tuple[State, Array], tuple]:
    states, rounds = _rounds(static, steps)
    return (states, rounds), (steps, states)


def _solve_backward(static: _Static, kept: tuple, grads: tuple[State, Array]) -> tuple[Steps]:
    steps, states = kept
    linear = partial(_linearised, static.cell, states=states)
    _, pull_back = jax.vjp(linear, steps)
    return pull_back(grads[0])


_solve.defvjp(_solve_keeping, _solve_backward)


def _rounds(static: _Static, steps: Steps) -> tuple[State, Array]:
    flat, restore = _flat_step(static.cell, steps)
    num_steps = jax.tree.leaves(steps.projected)[0].shape[0]
    start = _flatten(steps.start)
    find_slope = _diagonal if static.diagonal else _jacobian
    combine = _after_diagonal if static.diagonal else _after

    def go_on(now: tuple[Array, Array, Array]) -> Array:
        _, change, number = now
        return (change > _TOLERANCE) & (number < num_steps)

    def one_round(now: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        guess, _, number = now
        before = jnp.concatenate([start[None], guess[:-1]])
        found, slope = flat(before), find_slope(flat, before)
        offset = found - _times(slope, before)
        offset = offset.at[0].set(found[0])  # the first step has no step before it
        slope = slope.at[0].set(0)
        _, states = lax.associative_scan(combine, (slope, offset))
        states = jnp.where(jnp.isfinite(states), states, 0)  # far guesses may overflow
        size = jnp.maximum(1, jnp.abs(states))
        return states, jnp.max(jnp.abs(states - guess) / size), number + 1

    guess = jnp.zeros((num_steps, *start.shape), start.dtype)
    first = (guess, jnp.array(jnp.inf, start.dtype), jnp.int32(0))
    states, _, number = lax.while_loop(go_on, one_round, first)
    return jax.vmap(restore)(states), number


def _linearised(cell: Cell, steps: Steps, *, states: State) -> State:
    """Returns the given states, which must be exact, with their derivatives."""
    flat, restore = _flat_step(cell, steps)
    start = _flatten(steps.start)
    given = jax.vmap(_flatten)(states)
    before = jnp.concatenate([start[None], given[:-1]])
    slope = lax.stop_gradient(_jacobian(flat, before)).at[0].set(0)
    offset = flat(before) - _times(slope, lax.stop_gradient(before))
    _, found = lax.associative_scan(_after, (slope, offset))
    return jax.vmap(restore)(found)


def _flat_step(
    cell: Cell, steps: Steps
) -> tuple[Callable[[Array], Array], Callable[[Array], State]]:
    """Returns all steps as a function of flat states [T, B, N], and the inverse of `_flatten`."""
    _, restore_row = ravel_pytree(jax.tree.map(lambda array: array[0], steps.start))
    restore = jax.vmap(restore_row)

    def one(before: Array, projected: Projected, reset: Array | None) -> Array:
        return _flatten(_step(cell, steps, restore(before), projected, reset)[0])

    def all_steps(before: Array) -> Array:
        return jax.vmap(one)(before, steps.projected, steps.resets)

    return all_steps, restore


def _flatten(state: State) -> Array:
    """Flattens arrays [B, ...] to [B, N]."""
    return jax.vmap(lambda row: ravel_pytree(row)[0])(state)


def _jacobian(flat: Callable[[Array], Array], at: Array) -> Array:
    """Returns [T, B, N, N] with df_n/dh_m at [n, m]; rows do not depend on each other."""

    def along(unit: Array) -> Array:
        return jax.jvp(flat, (at,), (jnp.broadcast_to(unit, at.shape),))[1]

    columns = jax.vmap(along)(jnp.eye(at.shape[-1], dtype=at.dtype))
    return jnp.moveaxis(columns, 0, -1)


def _diagonal(flat: Callable[[Array], Array], at: Array) -> Array:
    """Returns [T, B, N] with df_n/dh_n, unit by unit, so that no full Jacobian is made."""

    def along(index: Array) -> Array:
        unit = jnp.zeros(at.shape[-1], at.dtype).at[index].set(1)
        return jax.jvp(flat, (at,), (jnp.broadcast_to(unit, at.shape),))[1][..., index]

    return jnp.moveaxis(lax.map(along, jnp.arange(at.shape[-1])), 0, -1)


def _times(slope: Array, states: Array) -> Array:
    if slope.ndim == states.ndim:
        return slope * states
    return jnp.einsum("...nm,...m->...n", slope, states)


def _after(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Combines two steps: A'' = A' A, b'' = A' b + b'."""
    return second[0] @ first[0], _times(second[0], first[1]) + second[1]


def _after_diagonal(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    return second[0] * first[0], second[0] * first[1] + second[1]
