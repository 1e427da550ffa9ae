"""Cells without a recurrent matrix; a gate sees the input and at most its own element of the state.

Sources: Bradbury et al. 2017 (QRNN); Lei et al. 2018 (SRU).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zoo.layers.cells.base import Parameter, Params, Projected, State
from zoo.layers.cells.linear import LinearCell
from zoo.layers.initializers import uniform

Array = jax.Array


@dataclass(frozen=True)
class QRNN(LinearCell):
    """The QRNN with fo-pooling and a window of one input; the blocks of W x_t + b are z, f, o.

    c_t = f * c_{t-1} + (1 - f) * tanh(z)       f = logistic(.)
    h_t = o * c_t                               o = logistic(.)

    (Bradbury et al. 2017, eq. 4.) The state is c.
    """

    num_gates = 3

    def step(self, params: Params, state: State, projected: Array) -> tuple[State, Array]:
        """Computes the equations above."""
        (c,) = state
        z, f, o = jnp.split(projected, 3, axis=-1)
        f = jax.nn.sigmoid(f)
        c = f * c + (1 - f) * jnp.tanh(z)
        return (c,), jax.nn.sigmoid(o) * c

    def coefficients(self, params: Params, projected: Array) -> tuple[State, State]:
        """a = f, b = (1 - f) * tanh(z)."""
        z, f, _ = jnp.split(projected, 3, axis=-1)
        f = jax.nn.sigmoid(f)
        return (f,), ((1 - f) * jnp.tanh(z),)

    def read(self, params: Params, states: State, projected: Array) -> Array:
        """h_t = o * c_t."""
        return jax.nn.sigmoid(jnp.split(projected, 3, axis=-1)[2]) * states[0]


@dataclass(frozen=True)
class SRU(LinearCell):
    """The simple recurrent unit; the blocks of W x_t + b are u, f, r, s.

    f = logistic(. + v_f * c_{t-1})             r = logistic(. + v_r * c_{t-1})
    c_t = f * c_{t-1} + (1 - f) * u
    h_t = r * tanh(c_t) + (1 - r) * s           s: the input, projected to the width of the state

    (Lei et al. 2018, eq. 1 to 4, where the output has c_t itself. The tanh is an option of the
    authors' code.) v_f and v_r are `forget_vector` and `reset_vector`, each [H].
    """

    num_gates = 4

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """W, b, v_f and v_r."""
        init = uniform(self.init_scale or self.size**-0.5)
        vectors = ("forget_vector", "reset_vector")
        more = {name: Parameter(init, (self.size,)) for name in vectors}
        return super().parameters(input_size) | more

    def step(self, params: Params, state: State, projected: Projected) -> tuple[State, Array]:
        """Computes the equations above."""
        (c,) = state
        u, f, r, s = jnp.split(projected, 4, axis=-1)
        f = jax.nn.sigmoid(f + params["forget_vector"][None] * c)
        r = jax.nn.sigmoid(r + params["reset_vector"][None] * c)
        c = f * c + (1 - f) * u
        return (c,), r * jnp.tanh(c) + (1 - r) * s
