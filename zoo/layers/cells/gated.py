"""What Elman's network, the GRU and the LSTM share: two matrix products, and gates made of them.

    a_t = W x_t + b             all steps at once
    s_t = U h_{t-1}             the only product inside the loop over time

a_t and s_t hold G blocks (gates) of width H side by side; what a cell makes of them is arithmetic
on single elements. The state is a tuple of arrays [B, H], of which the first is the output h_t.
"""

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
    """A cell whose parameters are `input_kernel` W [D, G*H], `recurrent_kernel` U [H, G*H], `bias`.

    W starts Glorot uniform and each H x H block of U orthogonal, or both uniform in +-init_scale.

    Attributes:
        num_gates: G.
        num_states: how many arrays [B, H] the state has.
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
        """Where b starts: at zero."""
        del key
        return jnp.zeros(shape)

    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Zeros."""
        return tuple(jnp.zeros((batch_size, self.size), dtype) for _ in range(self.num_states))

    def project(self, params: Params, inputs: Array | Lookup) -> Array:
        """a_t, [B, T, G*H]."""
        return affine(inputs, params["input_kernel"], params["bias"], self.matmul_dtype)

    def recurrent_product(self, params: Params, hidden: Array) -> Array:
        """s_t, [B, G*H]."""
        return product(hidden, params["recurrent_kernel"], self.matmul_dtype)

    def recurrent_bias(self, params: Params) -> Array | None:
        """What `derivative` takes as added to s_t, [G*H]; None for nothing."""
        del params
        return None
