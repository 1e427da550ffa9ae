"""One time step of each recurrent cell, forward and backward, element by element.

Every cell is a matrix product followed by arithmetic on single elements:

    a_t = W x_t + b             the projected input, computed for all steps at once elsewhere
    s_t = U h_{t-1} (+ b_U)     the recurrent product, the only matrix product inside the loop
    carry_t = forward(a_t, s_t, carry_{t-1})

A `Cell` is that last line and its derivative. Arrays have the shape [..., H] for states and
[..., G*H] for the G blocks (gates) of a_t and s_t side by side, so that the same function serves
one step [B, H] and all steps at once [T, B, H]. The derivatives take what the forward pass kept
(`residuals`) and are written out, rather than left to autodiff, so that the loop over time stores
the activations only and never a Jacobian.

Sources: Elman 1990 (Elman network); Hochreiter and Schmidhuber 1997 with the forget gate of Gers et
al. 2000 (LSTM); Cho et al. 2014, eq. 5-8 (GRU), with the reset gate applied after the recurrent
product rather than before it, as cuDNN computes it.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from zoo.errors import UserError

Array = jax.Array
Carry = tuple[Array, ...]


class CellGradient(NamedTuple):
    """What one backward step gives.

    Attributes:
        projected: [..., G*H], derivative with respect to a_t.
        recurrent: [..., G*H], derivative with respect to s_t; the same array as `projected` where
            a_t and s_t are only ever added.
        previous: derivative with respect to carry_{t-1}, without the path through s_t.
    """

    projected: Array
    recurrent: Array
    previous: Carry


class Cell(NamedTuple):
    """One time step of a recurrent network.

    Attributes:
        num_gates: G, how many blocks of width H the matrix products have.
        num_states: how many arrays [..., H] the carry has; the first is h, the output.
        forward: (a_t, s_t, carry_{t-1}) -> (carry_t, residuals).
        backward: (residuals, carry_{t-1}, carry_t, gradient of carry_t) -> CellGradient.

    Example:
        >>> cell = get_cell("elman")
        >>> carry, _ = cell.forward(jnp.array([0.5]), jnp.array([-0.5]), (jnp.array([0.9]),))
        >>> float(carry[0][0])
        0.0
    """

    num_gates: int
    num_states: int
    forward: Callable[[Array, Array, Carry], tuple[Carry, Carry]]
    backward: Callable[[Carry, Carry, Carry, Carry], CellGradient]


def _elman(activation: Callable[[Array], Array], slope: Callable[[Array], Array]) -> Cell:
    """Elman network: h_t = g(a_t + s_t); `slope` is g' written in terms of h_t."""

    def forward(projected: Array, recurrent: Array, previous: Carry) -> tuple[Carry, Carry]:
        del previous  # enters through `recurrent` alone
        return (activation(projected + recurrent),), ()

    def backward(residuals: Carry, previous: Carry, carry: Carry, grad: Carry) -> CellGradient:
        (hidden,), (grad_hidden,) = carry, grad
        grad_sum = grad_hidden * slope(hidden)
        return CellGradient(grad_sum, grad_sum, (jnp.zeros_like(hidden),))

    return Cell(num_gates=1, num_states=1, forward=forward, backward=backward)


def _logistic_and_tanh(x: Array, tanh_block: int, num_blocks: int) -> Array:
    """The logistic function on every block of x [..., num_blocks*H] but one, which gets tanh.

    logistic(x) = tanh(x / 2) / 2 + 1/2 makes both one tanh over the whole array. The barrier keeps
    the compiler from computing that tanh again for each gate that reads from it, which on a CPU
    costs more than the matrix product does.
    """
    is_tanh = jnp.repeat(jnp.arange(num_blocks) == tanh_block, x.shape[-1] // num_blocks)
    is_tanh = is_tanh.reshape((1,) * (x.ndim - 1) + (-1,))
    scale = jnp.where(is_tanh, 1.0, 0.5).astype(x.dtype)
    offset = jnp.where(is_tanh, 0.0, 0.5).astype(x.dtype)
    return lax.optimization_barrier(jnp.tanh(x * scale) * scale + offset)


def _lstm_forward(projected: Array, recurrent: Array, previous: Carry) -> tuple[Carry, Carry]:
    """Long short-term memory; the blocks of a_t + s_t are i, f, g, o in this order.

    i = logistic(.)   f = logistic(.)   g = tanh(.)   o = logistic(.)
    c_t = f * c_{t-1} + i * g
    h_t = o * tanh(c_t)
    """
    gates = _logistic_and_tanh(projected + recurrent, tanh_block=2, num_blocks=4)
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    memory = f * previous[1] + i * g
    return (o * jnp.tanh(memory), memory), (gates,)


def _lstm_backward(residuals: Carry, previous: Carry, carry: Carry, grad: Carry) -> CellGradient:
    i, f, g, o = jnp.split(residuals[0], 4, axis=-1)
    grad_hidden, grad_memory = grad
    squashed = jnp.tanh(carry[1])
    grad_memory = grad_memory + grad_hidden * o * (1 - squashed * squashed)
    grad_sum = jnp.concatenate(
        [
            grad_memory * g * i * (1 - i),
            grad_memory * previous[1] * f * (1 - f),
            grad_memory * i * (1 - g * g),
            grad_hidden * squashed * o * (1 - o),
        ],
        axis=-1,
    )
    return CellGradient(grad_sum, grad_sum, (jnp.zeros_like(grad_hidden), grad_memory * f))


def _gru_forward(projected: Array, recurrent: Array, previous: Carry) -> tuple[Carry, Carry]:
    """Gated recurrent unit; the blocks of a_t and s_t are r, z, n in this order.

    r = logistic(a_r + s_r)   z = logistic(a_z + s_z)   n = tanh(a_n + r * s_n)
    h_t = (1 - z) * n + z * h_{t-1}
    """
    size = projected.shape[-1] // 3
    gates = jax.nn.sigmoid(projected[..., : 2 * size] + recurrent[..., : 2 * size])
    r, z = jnp.split(gates, 2, axis=-1)
    candidate_recurrent = recurrent[..., 2 * size :]
    n = jnp.tanh(projected[..., 2 * size :] + r * candidate_recurrent)
    return ((1 - z) * n + z * previous[0],), (r, z, n, candidate_recurrent)


def _gru_backward(residuals: Carry, previous: Carry, carry: Carry, grad: Carry) -> CellGradient:
    r, z, n, candidate_recurrent = residuals
    (grad_hidden,) = grad
    grad_n = grad_hidden * (1 - z) * (1 - n * n)
    grad_r = grad_n * candidate_recurrent * r * (1 - r)
    grad_z = grad_hidden * (previous[0] - n) * z * (1 - z)
    return CellGradient(
        projected=jnp.concatenate([grad_r, grad_z, grad_n], axis=-1),
        recurrent=jnp.concatenate([grad_r, grad_z, grad_n * r], axis=-1),
        previous=(grad_hidden * z,),
    )


CELLS: dict[str, Cell] = {
    "elman": _elman(jnp.tanh, lambda h: 1 - h * h),
    "elman_relu": _elman(jax.nn.relu, lambda h: (h > 0).astype(h.dtype)),
    "elman_logistic": _elman(jax.nn.sigmoid, lambda h: h * (1 - h)),
    "gru": Cell(num_gates=3, num_states=1, forward=_gru_forward, backward=_gru_backward),
    "lstm": Cell(num_gates=4, num_states=2, forward=_lstm_forward, backward=_lstm_backward),
}


def get_cell(name: str) -> Cell:
    """The cell of that name.

    Raises:
        UserError: if there is no such cell; the message lists those there are.

    Example:
        >>> get_cell("lstm").num_gates
        4
        >>> get_cell("lstmm")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        zoo.errors.UserError: no cell is called 'lstmm'; choose one of elman, ..., gru, lstm
    """
    if name not in CELLS:
        raise UserError(f"no cell is called {name!r}; choose one of {', '.join(CELLS)}")
    return CELLS[name]
