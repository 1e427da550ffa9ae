"""The gated recurrent unit (Cho et al. 2014, eq. 5-8).

The reset gate is applied after the recurrent product rather than before it, as in cuDNN.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.cells.base import Parameter, Params, State
from zoo.layers.cells.gated import GatedCell
from zoo.layers.fast.derivative import CellGradient, Derivative, States

Array = jax.Array


@dataclass(frozen=True)
class GRU(GatedCell):
    """The GRU; the blocks of a_t = W x_t + b and s_t = U h_{t-1} are r, z, n in this order.

    r = logistic(a_r + s_r)
    z = logistic(a_z + s_z)
    n = tanh(a_n + r * (s_n + b_n'))
    h_t = (1 - z) * n + z * h_{t-1}

    b_n' is the parameter `candidate_bias` [H]; b_n is a block of b.
    """

    num_gates = 3

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """W, U, b and b_n'."""
        candidate_bias = Parameter(nn.initializers.zeros, (self.size,))
        return {"candidate_bias": candidate_bias, **super().parameters(input_size)}

    def combine(
        self, params: Params, state: State, projected: Array, recurrent: Array
    ) -> tuple[State, Array]:
        """Computes the equations above."""
        (h,) = state
        a_r, a_z, a_n = jnp.split(projected, 3, axis=-1)
        s_r, s_z, s_n = jnp.split(recurrent, 3, axis=-1)
        r = jax.nn.sigmoid(a_r + s_r)
        z = jax.nn.sigmoid(a_z + s_z)
        n = jnp.tanh(a_n + r * (s_n + params["candidate_bias"][None]))
        h = (1 - z) * n + z * h
        return (h,), h

    def recurrent_bias(self, params: Params) -> Array:
        """b_n', after zeros for the blocks r and z."""
        return jnp.pad(params["candidate_bias"], (2 * self.size, 0))

    @property
    def derivative(self) -> Derivative:
        """One step with its derivative, which uses the gates of the forward pass."""
        return _DERIVATIVE


def _forward(projected: Array, recurrent: Array, previous: States) -> tuple[States, States]:
    size = projected.shape[-1] // 3
    gates = jax.nn.sigmoid(projected[..., : 2 * size] + recurrent[..., : 2 * size])
    r, z = jnp.split(gates, 2, axis=-1)
    candidate_recurrent = recurrent[..., 2 * size :]
    n = jnp.tanh(projected[..., 2 * size :] + r * candidate_recurrent)
    return ((1 - z) * n + z * previous[0],), (r, z, n, candidate_recurrent)


def _backward(residuals: States, previous: States, states: States, grad: States) -> CellGradient:
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


_DERIVATIVE = Derivative(_forward, _backward)
