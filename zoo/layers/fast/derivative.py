"""A loop over time with a hand-written backward pass.

    s_t     = U h_{t-1} + b_U                         inside the loop
    state_t = derivative.forward(a_t, s_t, state_{t-1})

The backward pass runs the same loop from the end and keeps d a_t and d s_t. After the loop it
computes the weight gradient as one product over all steps, dU = sum_t h_{t-1}' ds_t. So nothing of
the size of U is added up inside the loop. The forward pass stores only activations, never a
Jacobian.

**Truncation.** With truncation k, no step waits for a gradient from more than k steps ahead. So the
backward pass has no loop over time, but k sweeps, each over all steps at once.

Axes: B rows, T time, H units, G gates.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from zoo.layers.linear import product, sum_of_products
from zoo.layers.masks import select

Array = jax.Array
States = tuple[Array, ...]


class CellGradient(NamedTuple):
    """The gradients of one backward step.

    Attributes:
        projected: [..., G*H], the gradient with respect to a_t.
        recurrent: [..., G*H], the gradient with respect to s_t. It is the same array as `projected`
            if the cell only uses the sum of a_t and s_t.
        previous: the gradient with respect to state_{t-1}, without the path through s_t.
    """

    projected: Array
    recurrent: Array
    previous: States


class Derivative(NamedTuple):
    """One elementwise step of a cell, and its derivative.

    States have the shape [..., H], and a_t and s_t have the shape [..., G*H]. So the same functions
    serve one step [B, H] and all steps at once [T, B, H].

    Attributes:
        forward: (a_t, s_t, state_{t-1}) -> (state_t, residuals); the first state is h_t.
        backward: (residuals, state_{t-1}, state_t, gradient of state_t) -> CellGradient.
    """

    forward: Callable[[Array, Array, States], tuple[States, States]]
    backward: Callable[[States, States, States, States], CellGradient]


class Loop(NamedTuple):
    """The inputs of the loop.

    Attributes:
        projected: [T, B, G*H], a_t.
        kernel: [H, G*H], U.
        recurrent_bias: [G*H], b_U; None means no bias.
        start: arrays [B, H], the state before the first step.
        initial: arrays [B, H], the state after a reset.
        resets: bool[T, B], True if a row is reset before a step; None means no resets.
    """

    projected: Array
    kernel: Array
    recurrent_bias: Array | None
    start: States
    initial: States
    resets: Array | None


class _Static(NamedTuple):
    """The static settings of the compiled program; truncation 0 means no truncation."""

    cell: Derivative
    truncation: int
    dtype: str | None
    steps_a_turn: int
    rows_are_shared: bool


def _add(first: States, second: States) -> States:
    return jax.tree.map(jnp.add, first, second)


def run_derivative(
    derivative: Derivative,
    loop: Loop,
    *,
    truncation: int = 0,
    dtype: str | None = None,
    steps_a_turn: int = 1,
    rows_are_shared: bool = False,
) -> States:
    """Returns the states after every step.

    Args:
        derivative: the step of the cell, with its derivative.
        loop: the inputs of the loop.
        truncation: k, see above; 0 means no truncation.
        dtype: the precision of the products, see `zoo.layers.linear.product`.
        steps_a_turn: the number of steps that one turn of the loop takes.
        rows_are_shared: whether the rows B are spread over several devices.

    Returns:
        The arrays of the states, [T, B, H] each.
    """
    static = _Static(derivative, truncation, dtype, steps_a_turn, rows_are_shared)
    return _run(static, loop)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run(static: _Static, loop: Loop) -> States:
    """Returns the states after every step, arrays [T, B, H]."""
    return _run_keeping(static, loop)[0]


def _run_keeping(static: _Static, loop: Loop) -> tuple[States, tuple]:
    """Returns the states, and the values that the backward pass needs."""
    rounded = loop.kernel
    # The kernel is rounded once per call; the compiler would round it in every turn of the loop.
    if static.dtype is not None:
        rounded = lax.optimization_barrier(loop.kernel.astype(static.dtype))

    def step(previous: States, now: tuple[Array, Array | None]) -> tuple[States, tuple]:
        projected, reset = now
        if reset is not None:
            previous = select(reset, loop.initial, previous)
        recurrent = product(previous[0], rounded, static.dtype)
        if loop.recurrent_bias is not None:
            recurrent = recurrent + loop.recurrent_bias[None, :]
        following, residuals = static.cell.forward(projected, recurrent, previous)
        return following, (following, residuals)

    now = (loop.projected, loop.resets)
    _, (states, residuals) = lax.scan(step, loop.start, now, unroll=static.steps_a_turn)
    kept = loop._replace(projected=loop.projected[:0])  # the backward pass reads no a_t
    return states, (kept, states, residuals)


def _run_backward(static: _Static, kept: tuple, grad_states: States) -> tuple[Loop]:
    """Returns the gradients with respect to all inputs of the loop."""
    loop, states, residuals = kept
    previous = tuple(
        jnp.concatenate([first[None], state[:-1]])
        for first, state in zip(loop.start, states, strict=True)
    )
    if loop.resets is not None:
        previous = select(loop.resets, tuple(array[None] for array in loop.initial), previous)
    walk = _walk_back if static.truncation == 0 else _sweep_back
    steps = _Steps(previous, states, residuals, loop.resets, grad_states)
    projected, recurrent, start, initial = walk(static, loop.kernel, steps)
    kernel = sum_of_products(
        previous[0], recurrent, static.dtype, rows_are_shared=static.rows_are_shared
    )
    bias = None if loop.recurrent_bias is None else recurrent.sum(axis=(0, 1))
    return (Loop(projected, kernel, bias, start, initial, None),)


_run.defvjp(_run_keeping, _run_backward)


class _Steps(NamedTuple):
    """All steps of a forward pass, arrays [T, B, ...], and the gradient of their states."""

    previous: States
    states: States
    residuals: States
    resets: Array | None
    grad_states: States


def _transposed(static: _Static, kernel: Array) -> Array:
    """Returns U', transposed and rounded once, so that the loop reads it in order."""
    return lax.optimization_barrier(kernel.astype(static.dtype or kernel.dtype).T)


def _one_back(
    static: _Static, kernel_transposed: Array, step: _Steps, grad: States
) -> tuple[Array, Array, States]:
    """Returns d a_t, d s_t and d state_{t-1} of one step (or of all steps)."""
    cell_gradient = static.cell.backward(step.residuals, step.previous, step.states, grad)
    recurrent = cell_gradient.recurrent
    flat = recurrent.reshape((-1, recurrent.shape[-1]))
    through_product = product(flat, kernel_transposed, static.dtype)
    hidden = cell_gradient.previous[0] + through_product.reshape(cell_gradient.previous[0].shape)
    return cell_gradient.projected, recurrent, (hidden, *cell_gradient.previous[1:])


def _walk_back(
    static: _Static, kernel: Array, steps: _Steps
) -> tuple[Array, Array, States, States]:
    """Runs full backpropagation through time in one backward scan."""
    kernel_transposed = _transposed(static, kernel)
    zeros = tuple(jnp.zeros(state.shape[1:], state.dtype) for state in steps.states)

    def back(grads: tuple[States, States], step: _Steps) -> tuple[tuple[States, States], tuple]:
        grad, grad_initial = grads
        grad = _add(grad, step.grad_states)
        projected, recurrent, grad = _one_back(static, kernel_transposed, step, grad)
        if step.resets is not None:
            grad_initial = _add(grad_initial, select(step.resets, grad, zeros))
            grad = select(step.resets, zeros, grad)
        shared = recurrent is projected  # if both are the same array, it is stored once
        return (grad, grad_initial), (projected, None if shared else recurrent)

    (grad, grad_initial), (projected, recurrent) = lax.scan(
        back, (zeros, zeros), steps, reverse=True, unroll=static.steps_a_turn
    )
    return projected, projected if recurrent is None else recurrent, grad, grad_initial


def _sweep_back(
    static: _Static, kernel: Array, steps: _Steps
) -> tuple[Array, Array, States, States]:
    """Runs truncated backpropagation in `truncation` sweeps over all steps.

    Each sweep moves the gradient of every loss one step back. Sweep j has at step t the gradient of
    the loss at step t + j. The sum over sweeps is the gradient at step t.
    """
    kernel_transposed = _transposed(static, kernel)
    cell = static.cell
    zeros = tuple(jnp.zeros(state.shape[1:], state.dtype) for state in steps.states)

    def sweep(_: int, state: tuple) -> tuple:
        grad, projected, recurrent, grad_start, grad_initial = state
        more_projected, more_recurrent, grad = _one_back(static, kernel_transposed, steps, grad)
        if steps.resets is not None:
            nothing = tuple(array[None] for array in zeros)
            stopped = select(steps.resets, grad, nothing)
            grad_initial = _add(grad_initial, tuple(array.sum(axis=0) for array in stopped))
            grad = select(steps.resets, nothing, grad)
        grad_start = _add(grad_start, tuple(array[0] for array in grad))
        grad = tuple(jnp.concatenate([array[1:], jnp.zeros_like(array[:1])]) for array in grad)
        return (
            grad,
            projected + more_projected,
            recurrent + more_recurrent,
            grad_start,
            grad_initial,
        )

    none = jnp.zeros((*steps.states[0].shape[:-1], kernel.shape[1]), kernel.dtype)
    state = (steps.grad_states, none, none, zeros, zeros)
    grad, projected, recurrent, grad_start, grad_initial = lax.fori_loop(
        0, static.truncation - 1, sweep, state
    )
    last = cell.backward(steps.residuals, steps.previous, steps.states, grad)
    return projected + last.projected, recurrent + last.recurrent, grad_start, grad_initial
