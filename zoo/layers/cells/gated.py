"""The common base of the Elman network, the GRU and the LSTM: two matrix products and gates.

    a_t = W x_t + b             all steps at once
    s_t = U h_{t-1}             the only product inside the loop over time

a_t and s_t have G blocks (gates) of width H side by side. A cell combines them element by element.
The state is a tuple of arrays [B, H], and the first array is the output h_t.
"""

from abc import abstractmethod
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from zoo.layers.cells.base import Cell, Parameter, Params, State
from zoo.layers.fast.lookup import Lookup
from zoo.layers.initializers import Initializer, orthogonal_blocks, uniform
from zoo.layers.linear import affine, product

Array = jax.Array


class GatedCell(Cell):
    """A cell with the parameters `input_kernel` W, `recurrent_kernel` U and `bias` b.

    W has the shape [D, G*H], U [H, G*H] and b [G*H]. W starts Glorot uniform and each H x H block
    of U orthogonal, or both start uniform in (-init_scale, init_scale).

    Attributes:
        num_gates: G.
        num_states: the number of arrays [B, H] of the state.
    """

    num_gates: ClassVar[int]
    num_states: ClassVar[int] = 1
    recurrent_weights = ("recurrent_kernel",)
    reads_lookup = True

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """W, U and b."""
        width = self.num_gates * self.size
        input_init: Initializer = nn.initializers.glorot_uniform()
        recurrent_init: Initializer = orthogonal_blocks
        if self.init_scale:
            input_init = recurrent_init = uniform(self.init_scale)
        return {
            "input_kernel": Parameter(input_init, (input_size, width)),
            "recurrent_kernel": Parameter(recurrent_init, (self.size, width)),
            "bias": Parameter(self.init_bias, (width,)),
        }

    def init_bias(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Returns the initial value of b, which is zero."""
        del key
        return jnp.zeros(shape)

    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Returns zeros."""
        return tuple(jnp.zeros((batch_size, self.size), dtype) for _ in range(self.num_states))

    def project(self, params: Params, inputs: Array | Lookup) -> Array:
        """a_t, [B, T, G*H]."""
        return affine(inputs, params["input_kernel"], params["bias"], self.matmul_dtype)

    def recurrent_product(self, params: Params, hidden: Array) -> Array:
        """s_t, [B, G*H]."""
        return product(hidden, params["recurrent_kernel"], self.matmul_dtype)

    def step(self, params: Params, state: State, projected: Array) -> tuple[State, Array]:
        """Computes s_t, and combines it with a_t and the state."""
        return self.combine(params, state, projected, self.recurrent_product(params, state[0]))

    @abstractmethod
    def combine(
        self, params: Params, state: State, projected: Array, recurrent: Array
    ) -> tuple[State, Array]:
        """Computes the next state and the output [B, H] from a_t, s_t and the state before."""

    def recurrent_bias(self, params: Params) -> Array | None:
        """Returns the bias [G*H] that `derivative` adds to s_t; None means no bias."""
        del params
        return None
