"""Cells whose next state is linear in the previous state, so that no step waits for another.

    h_t = a_t * h_{t-1} + b_t           element by element; a_t and b_t depend only on the input

No gate sees the state, so there is no recurrent matrix, and all steps can be computed at once
(`zoo.layers.fast.prefix_sum`). Each block of W x_t + b has a letter.

Sources: Feng et al. 2024, sections 3.1 and 3.2 (minGRU, minLSTM); De et al. 2024, eq. 1-4 (RG-LRU).
"""

from dataclasses import dataclass
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from zoo.layers.cells.base import Cell, Parameter, Params, State
from zoo.layers.fast.lookup import Lookup
from zoo.layers.initializers import Initializer, uniform
from zoo.layers.linear import affine

Array = jax.Array

_SMALLEST = 1e-12
_SHARPNESS = 8.0  # c in De et al.: the largest effect of a gate on the decay


class LinearCell(Cell):
    """A linear cell with the parameters `input_kernel` W [D, G*H] and `bias` b [G*H].

    Attributes:
        num_gates: G.
    """

    num_gates: ClassVar[int]
    reads_lookup = True

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """W and b."""
        init: Initializer = nn.initializers.glorot_uniform()
        if self.init_scale:
            init = uniform(self.init_scale)
        width = self.num_gates * self.size
        return {
            "input_kernel": Parameter(init, (input_size, width)),
            "bias": Parameter(nn.initializers.zeros, (width,)),
        }

    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Returns zeros."""
        return (jnp.zeros((batch_size, self.size), dtype),)

    def project(self, params: Params, inputs: Array | Lookup) -> Array:
        """W x_t + b, [B, T, G*H]."""
        return affine(inputs, params["input_kernel"], params["bias"], self.matmul_dtype)

    def step(self, params: Params, state: State, projected: Array) -> tuple[State, Array]:
        """Computes h_t; subclasses give a_t and b_t of one step [B, H] or of all [B, T, H]."""
        (h,), found = state, self.coefficients(params, projected)
        assert found is not None
        ((a,), (b,)) = found
        h = a * h + b
        return (h,), h


@dataclass(frozen=True)
class MinGRU(LinearCell):
    """z = logistic(.)    h_t = (1 - z) * h_{t-1} + z * n."""

    num_gates = 2

    def coefficients(self, params: Params, projected: Array) -> tuple[State, State]:
        """a = 1 - z, b = z * n."""
        z, n = jnp.split(projected, 2, axis=-1)
        z = jax.nn.sigmoid(z)
        return (1 - z,), (z * n,)


@dataclass(frozen=True)
class MinLSTM(LinearCell):
    """f, i = logistic(.)    h_t = f / (f + i) * h_{t-1} + i / (f + i) * n."""

    num_gates = 3

    def coefficients(self, params: Params, projected: Array) -> tuple[State, State]:
        """a = f / (f + i) = logistic(log f - log i), which never divides by 0."""
        f, i, n = jnp.split(projected, 3, axis=-1)
        keep = jax.nn.sigmoid(jax.nn.log_sigmoid(f) - jax.nn.log_sigmoid(i))
        return (keep,), ((1 - keep) * n,)


@dataclass(frozen=True)
class RGLRU(LinearCell):
    """The real-gated linear recurrent unit; the blocks are r, i, n, and s is a parameter.

    r, i = logistic(.)
    a = exp(-8 softplus(s) * r)
    h_t = a * h_{t-1} + sqrt(1 - a^2) * i * n

    s is `decay` [H]. It starts such that a for r = 1 is uniform from 0.9 to 0.999.
    """

    num_gates = 3

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """W, b and s."""
        return super().parameters(input_size) | {"decay": Parameter(_init_decay, (self.size,))}

    def coefficients(self, params: Params, projected: Array) -> tuple[State, State]:
        """a and sqrt(1 - a^2) * i * n, which is accurate even if a is nearly 1."""
        r, i, n = jnp.split(projected, 3, axis=-1)
        rate = _SHARPNESS * jax.nn.softplus(params["decay"])
        log_a = -jax.nn.sigmoid(r) * rate.reshape((1,) * (r.ndim - 1) + (-1,))
        left = jnp.maximum(-jnp.expm1(2 * log_a), _SMALLEST)  # the root has no derivative at r = 0
        return (jnp.exp(log_a),), (jnp.sqrt(left) * jax.nn.sigmoid(i) * n,)


def _init_decay(key: Array, shape: tuple[int, ...]) -> Array:
    """s such that exp(-8 softplus(s)) is uniform from 0.9 to 0.999."""
    a = jax.random.uniform(key, shape, minval=0.9, maxval=0.999)
    return jnp.log(jnp.expm1(-jnp.log(a) / _SHARPNESS))
