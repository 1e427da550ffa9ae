"""Cells whose state is a matrix, to which each step adds an outer product (see also heads.py).

    S_t = decay_t * S_{t-1} + k_t v_t'

Sources: Katharopoulos et al. 2020, eq. 16 to 20 (linear attention); Sun et al. 2023, eq. 6
(RetNet, here without the rotation of q and k by their position); Yang et al. 2024, section 4.1
(gated linear attention).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from zoo.layers.cells.base import Params, State
from zoo.layers.cells.heads import MatrixCell, look_up, outer, run_with_total
from zoo.layers.fast.chunks import MatrixSteps

Array = jax.Array

_SLOWNESS = 16.0  # Yang et al. take the 16th root of the gates, so that they forget slowly
_EPSILON = 1e-10


@dataclass(frozen=True)
class LinearAttention(MatrixCell):
    """Linear attention: y_t is a mean of all values so far, weighted by products of q and k.

    S_t = S_{t-1} + f(k_t) v_t'         z_t = z_{t-1} + f(k_t)          f(a) = elu(a) + 1
    y_t = S_t' f(q_t) / (z_t' f(q_t))
    """

    fixed_states = (1,)  # z

    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Returns zeros for S and z."""
        (memory,) = super().initial_state(batch_size, dtype)
        return memory, memory[..., 0]

    def update(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """Computes the equations above."""
        memory, total = state
        k, q = self.features(projected["k"]), self.features(projected["q"])
        memory, total = memory + outer(k, projected["v"]), total + k
        weight = (total * q).sum(axis=-1, keepdims=True) * q.shape[-1] ** -0.5
        return (memory, total), look_up(memory, q) / (weight + _EPSILON)

    def features(self, x: Array) -> Array:
        """f, which makes q and k positive."""
        return jax.nn.elu(x) + 1

    def chunks(
        self, params: Params, projected: dict[str, Array], start: State, real: Array | None
    ) -> tuple[Array, State]:
        """Computes all steps, a chunk at a time."""
        k, v = self.features(projected["k"]), projected["v"]
        q = self.features(projected["q"]) * k.shape[-1] ** -0.5
        steps = MatrixSteps(q, k, v, jnp.zeros_like(k[..., :1]))
        memory, total = start
        y, weight, memory, total = run_with_total(steps, memory, total, real)
        return self.finish(y / (weight + _EPSILON), projected["gate"]), (memory, total)


@dataclass(frozen=True)
class RetNet(MatrixCell):
    """RetNet: every head forgets at its own fixed rate.

    S_t = g S_{t-1} + k_t v_t'          g = 1 - 2^(-5-n) for head n = 0, 1, ...
    """

    def update(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """Computes the equation above."""
        pace = self.pace(state[0].dtype)[None, :, None, None]
        memory = pace * state[0] + outer(projected["k"], projected["v"])
        return (memory,), look_up(memory, projected["q"])

    def pace(self, dtype: DTypeLike) -> Array:
        """g of each head."""
        return 1 - 2.0 ** (-5 - jnp.arange(self.heads, dtype=dtype))

    def matrix_steps(self, params: Params, projected: dict[str, Array]) -> MatrixSteps:
        """q, k, v and log g."""
        k = projected["k"]
        log_decay = jnp.log(self.pace(k.dtype))[None, None, :, None]
        log_decay = jnp.broadcast_to(log_decay, (*k.shape[:-1], 1))
        return MatrixSteps(projected["q"] * k.shape[-1] ** -0.5, k, projected["v"], log_decay)


@dataclass(frozen=True)
class GatedLinearAttention(MatrixCell):
    """Gated linear attention: the input decides how much each row of the matrix forgets.

    S_t = diag(a_t) S_{t-1} + k_t v_t'          a_t = logistic(.)^(1/16)
    """

    gates = (("decay", "unit"),)

    def update(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """Computes the equation above."""
        decay = jnp.exp(self.log_decay(projected["decay"]))
        memory = decay[..., None] * state[0] + outer(projected["k"], projected["v"])
        return (memory,), look_up(memory, projected["q"])

    def matrix_steps(self, params: Params, projected: dict[str, Array]) -> MatrixSteps:
        """q, k, v and log a_t."""
        q, k, v = projected["q"], projected["k"], projected["v"]
        return MatrixSteps(q * k.shape[-1] ** -0.5, k, v, self.log_decay(projected["decay"]))

    def log_decay(self, decay: Array) -> Array:
        """log a_t."""
        return jax.nn.log_sigmoid(decay) / _SLOWNESS
