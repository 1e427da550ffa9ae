"""Long short-term memory with a forget gate, without and with peepholes.

Sources: Hochreiter and Schmidhuber 1997; Gers et al. 2000 (forget gate); Gers et al. 2002
(peepholes).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax

from zoo.layers.cells.base import Parameter, Params, State
from zoo.layers.cells.gated import GatedCell
from zoo.layers.fast.derivative import CellGradient, Derivative, States
from zoo.layers.initializers import uniform

Array = jax.Array


@dataclass(frozen=True)
class LSTM(GatedCell):
    """The LSTM; the blocks of W x_t + U h_{t-1} + b are i, f, g, o in this order.

    i = logistic(.)   f = logistic(.)   g = tanh(.)   o = logistic(.)
    c_t = f * c_{t-1} + i * g
    h_t = o * tanh(c_t)

    The block f of b starts at forget_bias, so that the memory is kept at the beginning of training
    (Jozefowicz et al. 2015).
    """

    num_gates = 4
    num_states = 2

    def init_bias(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Returns zeros, and forget_bias for the forget gates."""
        return super().init_bias(key, shape).at[self.size : 2 * self.size].set(self.forget_bias)

    def combine(
        self, params: Params, state: State, projected: Array, recurrent: Array
    ) -> tuple[State, Array]:
        """Computes the equations above."""
        del params
        _, c = state
        i, f, g, o = jnp.split(projected + recurrent, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    @property
    def derivative(self) -> Derivative | None:
        """One step with its derivative, which uses the gates of the forward pass."""
        return _DERIVATIVE


@dataclass(frozen=True)
class PeepholeLSTM(LSTM):
    """An LSTM whose gates see the memory: i and f see c_{t-1}, and o sees c_t.

    i = logistic(. + p_i * c_{t-1})     f = logistic(. + p_f * c_{t-1})     g = tanh(.)
    c_t = f * c_{t-1} + i * g
    o = logistic(. + p_o * c_t)
    h_t = o * tanh(c_t)

    p_i, p_f and p_o are the parameters `input_peephole`, `forget_peephole` and `output_peephole`,
    each [H].
    """

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """Returns the parameters of the LSTM and the peepholes."""
        init = uniform(self.init_scale or self.size**-0.5)
        names = ("input_peephole", "forget_peephole", "output_peephole")
        peepholes = {name: Parameter(init, (self.size,)) for name in names}
        return super().parameters(input_size) | peepholes

    def combine(
        self, params: Params, state: State, projected: Array, recurrent: Array
    ) -> tuple[State, Array]:
        """Computes the equations above."""
        _, c = state
        i, f, g, o = jnp.split(projected + recurrent, 4, axis=-1)
        i = jax.nn.sigmoid(i + params["input_peephole"][None] * c)
        f = jax.nn.sigmoid(f + params["forget_peephole"][None] * c)
        c = f * c + i * jnp.tanh(g)
        o = jax.nn.sigmoid(o + params["output_peephole"][None] * c)
        h = o * jnp.tanh(c)
        return (h, c), h


def _logistic_and_tanh(x: Array, tanh_block: int, num_blocks: int) -> Array:
    """Returns tanh of one block of x [..., num_blocks*H] and the logistic function of the others.

    With logistic(x) = tanh(x / 2) / 2 + 1/2, one tanh over the whole array gives both functions.
    The barrier prevents the compiler from computing this tanh again for each gate. On a CPU this
    would cost more than the matrix product.
    """
    is_tanh = jnp.repeat(jnp.arange(num_blocks) == tanh_block, x.shape[-1] // num_blocks)
    is_tanh = is_tanh.reshape((1,) * (x.ndim - 1) + (-1,))
    scale = jnp.where(is_tanh, 1.0, 0.5).astype(x.dtype)
    offset = jnp.where(is_tanh, 0.0, 0.5).astype(x.dtype)
    return lax.optimization_barrier(jnp.tanh(x * scale) * scale + offset)


def _forward(projected: Array, recurrent: Array, previous: States) -> tuple[States, States]:
    gates = _logistic_and_tanh(projected + recurrent, tanh_block=2, num_blocks=4)
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    memory = f * previous[1] + i * g
    return (o * jnp.tanh(memory), memory), (gates,)


def _backward(residuals: States, previous: States, states: States, grad: States) -> CellGradient:
    i, f, g, o = jnp.split(residuals[0], 4, axis=-1)
    grad_hidden, grad_memory = grad
    squashed = jnp.tanh(states[1])
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


_DERIVATIVE = Derivative(_forward, _backward)
