"""A matrix as the state, to which every step adds one outer product (see heads.py for the rest).

    S_t = decay_t * S_{t-1} + k_t v_t'

Sources: Katharopoulos et al. 2020, eq. 16 to 20 (linear attention); Sun et al. 2023, eq. 6
(RetNet); Yang et al. 2024, section 4.1 (gated linear attention).
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from zoo.layers.cells.base import Params, State
from zoo.layers.cells.heads import MatrixCell, look_up, outer

Array = jax.Array

_SLOWNESS = 16.0  # the root that Yang et al. take of the gates, so that they forget slowly


@dataclass(frozen=True)
class LinearAttention(MatrixCell):
    """Nothing is forgotten, and y_t is a mean of values, weighted by positive products of keys.

    S_t = S_{t-1} + f(k_t) v_t'         z_t = z_{t-1} + f(k_t)          f(a) = elu(a) + 1
    y_t = S_t' f(q_t) / (z_t' f(q_t))
    """

    def initial_state(self, batch_size: int, dtype: Any = float) -> State:
        """S and z, zeros."""
        (memory,) = super().initial_state(batch_size, dtype)
        return memory, memory[..., 0]

    def update(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """The equations above."""
        memory, total = state
        k, q = jax.nn.elu(projected["k"]) + 1, jax.nn.elu(projected["q"]) + 1
        return self.attend((memory, total), q, k, projected["v"])

    def attend(self, state: State, q: Array, k: Array, v: Array) -> tuple[State, Array]:
        """The step for positive q and k."""
        memory, total = state
        memory, total = memory + outer(k, v), total + k
        weight = (total * q).sum(axis=-1, keepdims=True) * q.shape[-1] ** -0.5
        return (memory, total), look_up(memory, q) / (weight + 1e-10)


@dataclass(frozen=True)
class RetNet(MatrixCell):
    """Every head forgets at a pace of its own, which is not trained.

    S_t = g S_{t-1} + k_t v_t'          g = 1 - 2^(-5-n) for head n = 0, 1, ...
    """

    def update(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """The equation above."""
        numbers = jnp.arange(self.heads, dtype=state[0].dtype)
        pace = (1 - 2.0 ** (-5 - numbers))[None, :, None, None]
        memory = pace * state[0] + outer(projected["k"], projected["v"])
        return (memory,), look_up(memory, projected["q"])


@dataclass(frozen=True)
class GatedLinearAttention(MatrixCell):
    """Each row of the matrix, a unit of the key, forgets as the input says.

    S_t = diag(a_t) S_{t-1} + k_t v_t'          a_t = logistic(.)^(1/16)
    """

    gates = (("decay", "unit"),)

    def update(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """The equation above."""
        decay = jnp.exp(self.log_decay(projected["decay"]))
        memory = decay[..., None] * state[0] + outer(projected["k"], projected["v"])
        return (memory,), look_up(memory, projected["q"])

    def log_decay(self, decay: Array) -> Array:
        """log a_t."""
        return jax.nn.log_sigmoid(decay) / _SLOWNESS
