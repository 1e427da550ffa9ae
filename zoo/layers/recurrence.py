"""The only scan over time: it runs any cell over a sequence and differentiates it by hand.

    a_t     = W x_t + b                              all t at once: one product over [B*T, D]
    s_t     = U h_{t-1} + b_U                        inside the loop
    carry_t = cell.forward(a_t, s_t, carry_{t-1})

The backward pass walks the same loop from the end. It keeps d a_t and d s_t, and after the loop
takes the weight gradients as one product over all steps, dU = sum_t h_{t-1}' ds_t, so that nothing
the size of U is added up inside the loop.

**Truncation.** With `window` k, the loss at step t reaches the parameters as used in the steps
t, t-1, ..., t-k+1 and no further back (truncated backpropagation through time; Williams and Peng
1990, with a loss at every step). k = 1 holds every previous state constant, which is plain
backpropagation (BP). Since nothing then waits for a gradient from further than k steps ahead, the
truncated pass has no loop over time: k sweeps, each over all steps at once.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from zoo.layers.cells import Carry, Cell
from zoo.layers.linear import affine, product, sum_of_products
from zoo.layers.lookup import Lookup
from zoo.layers.pooling import real_steps

Array = jax.Array


class Weights(NamedTuple):
    """The parameters of one layer.

    Attributes:
        input_kernel: W, [D, G*H].
        recurrent_kernel: U, [H, G*H].
        bias: b, [G*H].
        recurrent_bias: b_U, [G*H], or None for none.
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array
    recurrent_bias: Array | None = None


class Recurrence(NamedTuple):
    """What running a layer over a sequence gives.

    Attributes:
        outputs: [B, T, H], h_t; zero at padding.
        carry: arrays [B, H], the state after the last real token of each row (in the direction
            of travel).
    """

    outputs: Array
    carry: Carry


def recurrence(
    cell: Cell,
    inputs: Array | Lookup,
    weights: Weights,
    carry: Carry | None = None,
    *,
    initial: Carry | None = None,
    lengths: Array | None = None,
    resets: Array | None = None,
    reverse: bool = False,
    window: int = 0,
    dtype: str | None = None,
) -> Recurrence:
    """Runs a cell over a batch of sequences.

    Args:
        cell: one time step, from `zoo.layers.cells`.
        inputs: [B, T, D], or embeddings that are not looked up yet.
        weights: the layer's parameters.
        carry: arrays [B, H], the state before the first step; None for `initial`.
        initial: arrays [B, H], the state that a reset returns to; None for zeros.
        lengths: int32[B], how many steps of each row are real, at least 1; None for all T. What
            follows is padding: it changes no real output, no carry and no gradient.
        resets: bool[B, R] with R <= T; True at [b, t] puts row b back to `initial` before step t.
        reverse: start at each row's last real token and walk to its first.
        window: truncation k of the backward pass in steps; 0, or k >= T, for none.
        dtype: precision of the products, see `zoo.layers.linear.product`.

    Returns:
        The outputs, in the order of the inputs also when reversed, and the final carry.

    Example:
        >>> from zoo.layers.cells import get_cell
        >>> weights = Weights(jnp.zeros((3, 4)), jnp.eye(4), jnp.full(4, 0.5))
        >>> result = recurrence(get_cell("elman_relu"), jnp.zeros((2, 5, 3)), weights)
        >>> result.outputs[0, :, 0].tolist()
        [0.5, 1.0, 1.5, 2.0, 2.5]
    """
    batch, steps, _ = inputs.shape
    hidden = weights.recurrent_kernel.shape[0]
    if initial is None:
        initial = tuple(jnp.zeros((batch, hidden), inputs.dtype) for _ in range(cell.num_states))
    if reverse:
        inputs = reverse_sequences(inputs, lengths)
        resets = None if resets is None else reverse_sequences(widen_resets(resets, steps), lengths)
    projected = affine(inputs, weights.input_kernel, weights.bias, dtype).swapaxes(0, 1)
    carry = initial if carry is None else carry
    if resets is not None and resets.shape[1] == 1:  # outside the loop, where it costs nothing
        carry, resets = _select(resets[:, 0], initial, carry), None
    if resets is not None:
        resets = widen_resets(resets, steps).swapaxes(0, 1)
    static = _Static(cell, window if 0 < window < steps else 0, dtype)
    states = _run(
        static,
        projected,
        weights.recurrent_kernel,
        weights.recurrent_bias,
        carry,
        initial,
        resets,
    )
    outputs, final = _real_part(states, lengths)
    return Recurrence(reverse_sequences(outputs, lengths) if reverse else outputs, final)


def _real_part(states: Carry, lengths: Array | None) -> tuple[Array, Carry]:
    """Of states [T, B, H] the outputs [B, T, H], zero at padding, and the last real states."""
    outputs = states[0].swapaxes(0, 1)
    if lengths is None:
        return outputs, tuple(state[-1] for state in states)
    real = real_steps(outputs, lengths)[..., None]
    final = tuple(state[lengths - 1, jnp.arange(lengths.shape[0])] for state in states)
    return jnp.where(real, outputs, 0), final


def reverse_sequences(x: Any, lengths: Array | None) -> Any:
    """Reverses the first lengths[b] steps of each row b and leaves its padding where it is.

    Args:
        x: [B, T, ...], or a `Lookup`, of which the rows are reversed.
        lengths: int32[B]; None for T.

    Returns:
        [B, T, ...].

    Example:
        >>> reverse_sequences(jnp.array([[1, 2, 3, 0], [4, 5, 6, 7]]), jnp.array([3, 4])).tolist()
        [[3, 2, 1, 0], [7, 6, 5, 4]]
    """
    if isinstance(x, Lookup):
        return x.replace(rows=reverse_sequences(x.rows, lengths))
    if lengths is None:
        return x[:, ::-1]
    steps = jnp.arange(x.shape[1])[None, :]
    index = jnp.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return x[jnp.arange(x.shape[0])[:, None], index]


class _Static(NamedTuple):
    """The settings that shape the compiled program; window 0 is no truncation."""

    cell: Cell
    window: int
    dtype: str | None


def widen_resets(resets: Array, steps: int) -> Array:
    """Resets bool[B, R] as bool[B, T]: none after step R."""
    return jnp.pad(resets, ((0, 0), (0, steps - resets.shape[1])))


def _select(mask: Array, where_true: Carry, where_false: Carry) -> Carry:
    """Per row or per step and row: mask [..., B] chooses between arrays [..., B, H]."""
    return tuple(
        jnp.where(mask[..., None], a, b) for a, b in zip(where_true, where_false, strict=True)
    )


def _add(first: Carry, second: Carry) -> Carry:
    return jax.tree.map(jnp.add, first, second)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run(
    static: _Static,
    projected: Array,
    kernel: Array,
    recurrent_bias: Array | None,
    carry: Carry,
    initial: Carry,
    resets: Array | None,
) -> Carry:
    """The states after every step, arrays [T, B, H], from a_t [T, B, G*H]; resets bool[T, B]."""
    return _run_keeping(static, projected, kernel, recurrent_bias, carry, initial, resets)[0]


def _steps_a_turn(num_steps: int) -> int:
    """Steps that one turn of the loop takes: eight to sixteen cost a GPU a quarter less.

    A CPU takes as long with one. A number that divides all steps leaves no rest, which would be
    compiled and run apart.
    """
    if jax.default_backend() != "gpu":
        return 1
    return max((turn for turn in range(8, 17) if num_steps % turn == 0), default=8)


def _run_keeping(
    static: _Static,
    projected: Array,
    kernel: Array,
    recurrent_bias: Array | None,
    carry: Carry,
    initial: Carry,
    resets: Array | None,
) -> tuple[Carry, tuple]:
    """The states, and what the backward pass needs."""
    rounded = lax.optimization_barrier(kernel.astype(static.dtype or kernel.dtype))

    def step(previous: Carry, now: tuple[Array, Array | None]) -> tuple[Carry, tuple]:
        projected_now, reset = now
        if reset is not None:
            previous = _select(reset, initial, previous)
        recurrent = product(previous[0], rounded, static.dtype)
        if recurrent_bias is not None:
            recurrent = recurrent + recurrent_bias[None, :]
        following, residuals = static.cell.forward(projected_now, recurrent, previous)
        return following, (following, residuals)

    _, (states, residuals) = lax.scan(
        step, carry, (projected, resets), unroll=_steps_a_turn(len(projected))
    )
    return states, (kernel, recurrent_bias, carry, initial, resets, states, residuals)


def _run_backward(static: _Static, kept: tuple, grad_states: Carry) -> tuple:
    """The gradients of every argument of `_run` but the static one."""
    kernel, recurrent_bias, carry, initial, resets, states, residuals = kept
    previous = tuple(
        jnp.concatenate([first[None], state[:-1]])
        for first, state in zip(carry, states, strict=True)
    )
    if resets is not None:
        previous = _select(resets, tuple(array[None] for array in initial), previous)
    walk = _walk_back if static.window == 0 else _sweep_back
    steps = _Steps(previous, states, residuals, resets, grad_states)
    grad_projected, grad_recurrent, grad_carry, grad_initial = walk(static, kernel, steps)
    grad_kernel = sum_of_products(previous[0], grad_recurrent, static.dtype)
    grad_bias = None if recurrent_bias is None else grad_recurrent.sum(axis=(0, 1))
    return grad_projected, grad_kernel, grad_bias, grad_carry, grad_initial, None


_run.defvjp(_run_keeping, _run_backward)


class _Steps(NamedTuple):
    """All steps of a forward pass, arrays [T, B, ...], and the gradient of what they gave."""

    previous: Carry
    states: Carry
    residuals: Carry
    resets: Array | None
    grad_states: Carry


def _transposed(static: _Static, kernel: Array) -> Array:
    """U', laid out and rounded once, so that the product in the loop reads it in order."""
    return lax.optimization_barrier(kernel.astype(static.dtype or kernel.dtype).T)


def _one_back(
    static: _Static, kernel_transposed: Array, step: _Steps, grad: Carry
) -> tuple[Array, Array, Carry]:
    """Through the cell at one step (or at all steps): d a_t, d s_t and d carry_{t-1}."""
    cell_gradient = static.cell.backward(step.residuals, step.previous, step.states, grad)
    recurrent = cell_gradient.recurrent
    flat = recurrent.reshape((-1, recurrent.shape[-1]))
    through_product = product(flat, kernel_transposed, static.dtype)
    hidden = cell_gradient.previous[0] + through_product.reshape(cell_gradient.previous[0].shape)
    return cell_gradient.projected, recurrent, (hidden, *cell_gradient.previous[1:])


def _walk_back(static: _Static, kernel: Array, steps: _Steps) -> tuple[Array, Array, Carry, Carry]:
    """Full backpropagation through time: one backward scan."""
    kernel_transposed = _transposed(static, kernel)
    zeros = tuple(jnp.zeros(state.shape[1:], state.dtype) for state in steps.states)

    def back(grads: tuple[Carry, Carry], step: _Steps) -> tuple[tuple[Carry, Carry], tuple]:
        grad, grad_initial = grads
        grad = _add(grad, step.grad_states)
        projected, recurrent, grad = _one_back(static, kernel_transposed, step, grad)
        if step.resets is not None:
            grad_initial = _add(grad_initial, _select(step.resets, grad, zeros))
            grad = _select(step.resets, zeros, grad)
        shared = recurrent is projected  # stored once where the two are one array
        return (grad, grad_initial), (projected, None if shared else recurrent)

    (grad, grad_initial), (projected, recurrent) = lax.scan(
        back, (zeros, zeros), steps, reverse=True, unroll=_steps_a_turn(len(steps.states[0]))
    )
    return projected, projected if recurrent is None else recurrent, grad, grad_initial


def _sweep_back(static: _Static, kernel: Array, steps: _Steps) -> tuple[Array, Array, Carry, Carry]:
    """Truncated backpropagation: `window` sweeps, each moving every step's loss one step back.

    Sweep j holds at step t the gradient of the loss at step t + j; the sum over sweeps is what
    step t is charged.
    """
    kernel_transposed = _transposed(static, kernel)
    cell = static.cell
    zeros = tuple(jnp.zeros(state.shape[1:], state.dtype) for state in steps.states)

    def sweep(_: int, state: tuple) -> tuple:
        grad, projected, recurrent, grad_carry, grad_initial = state
        more_projected, more_recurrent, grad = _one_back(static, kernel_transposed, steps, grad)
        if steps.resets is not None:
            nothing = tuple(array[None] for array in zeros)
            stopped = _select(steps.resets, grad, nothing)
            grad_initial = _add(grad_initial, tuple(array.sum(axis=0) for array in stopped))
            grad = _select(steps.resets, nothing, grad)
        grad_carry = _add(grad_carry, tuple(array[0] for array in grad))
        grad = tuple(jnp.concatenate([array[1:], jnp.zeros_like(array[:1])]) for array in grad)
        return (
            grad,
            projected + more_projected,
            recurrent + more_recurrent,
            grad_carry,
            grad_initial,
        )

    none = jnp.zeros((*steps.states[0].shape[:-1], kernel.shape[1]), kernel.dtype)
    state = (steps.grad_states, none, none, zeros, zeros)
    grad, projected, recurrent, grad_carry, grad_initial = lax.fori_loop(
        0, static.window - 1, sweep, state
    )
    last = cell.backward(steps.residuals, steps.previous, steps.states, grad)
    return projected + last.projected, recurrent + last.recurrent, grad_carry, grad_initial
