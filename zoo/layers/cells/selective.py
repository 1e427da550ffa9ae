"""The selective state space model S6 of Mamba (Gu and Dao 2023, algorithm 2)."""

import math
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from zoo.layers.cells.base import Cell, Parameter, Params, State
from zoo.layers.fast.lookup import Lookup
from zoo.layers.linear import affine, product

Array = jax.Array


@dataclass(frozen=True)
class S6(Cell):
    """S6: each of the H units has N numbers as its state, and the input controls their dynamics.

    u, z = W x_t + b                            dt = softplus(W_dt u + b_dt)    [H]
    B_t, C_t = W_BC u                           [N] each, shared by all units
    x_t = exp(dt A) * x_{t-1} + dt B_t u        A = -exp(log_decay)             [H, N]
    h_t = (C_t' x_t + D * u) * silu(z)

    dt is large if the input matters and near zero if the input is ignored. W_dt has
    rank H / 16. A starts at -1, ..., -N, and dt between 0.001 and 0.1.

    Attributes:
        num_states: N.
    """

    num_states: int = 16
    reads_lookup = True

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """W, the two factors of W_dt, W_BC, A and D."""
        size, rank = self.size, max(1, self.size // 16)
        kernel, zeros = nn.initializers.glorot_uniform(), nn.initializers.zeros
        return {
            "input_kernel": Parameter(kernel, (input_size, 2 * size)),
            "bias": Parameter(zeros, (2 * size,)),
            "step_down": Parameter(kernel, (size, rank)),
            "step_up": Parameter(kernel, (rank, size)),
            "step_bias": Parameter(_step_bias, (size,)),
            "read_write_kernel": Parameter(kernel, (size, 2 * self.num_states)),
            "log_decay": Parameter(_log_decay, (size, self.num_states)),
            "skip": Parameter(nn.initializers.ones, (size,)),
        }

    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Returns zeros [B, H, N]."""
        return (jnp.zeros((batch_size, self.size, self.num_states), dtype),)

    def project(self, params: Params, inputs: Array | Lookup) -> dict[str, Array]:
        """u, z, dt [B, T, H]; B_t and C_t [B, T, N]."""
        both = affine(inputs, params["input_kernel"], params["bias"], self.matmul_dtype)
        u, z = jnp.split(both, 2, axis=-1)
        low = product(u, params["step_down"], self.matmul_dtype)
        step = affine(low, params["step_up"], params["step_bias"], self.matmul_dtype)
        both = product(u, params["read_write_kernel"], self.matmul_dtype)
        write, read = jnp.split(both, 2, axis=-1)
        return {"u": u, "z": z, "step": jax.nn.softplus(step), "write": write, "read": read}

    def step(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """Computes the equations above."""
        a, b = self._coefficients(params, projected)
        x = a * state[0] + b
        return (x,), self._output(params, x, projected)

    def coefficients(self, params: Params, projected: dict[str, Array]) -> tuple[State, State]:
        """exp(dt A) and dt B_t u, [B, T, H, N]."""
        a, b = self._coefficients(params, projected)
        return (a,), (b,)

    def read(self, params: Params, states: State, projected: dict[str, Array]) -> Array:
        """h_t."""
        return self._output(params, states[0], projected)

    def _coefficients(self, params: Params, projected: dict[str, Array]) -> tuple[Array, Array]:
        step, decay = projected["step"], -jnp.exp(params["log_decay"])
        decay = decay.reshape((1,) * (step.ndim - 1) + decay.shape)
        a = jnp.exp(step[..., None] * decay)
        return a, (step * projected["u"])[..., None] * projected["write"][..., None, :]

    def _output(self, params: Params, x: Array, projected: dict[str, Array]) -> Array:
        skip = params["skip"].reshape((1,) * (x.ndim - 2) + (-1,))
        y = (x * projected["read"][..., None, :]).sum(axis=-1) + skip * projected["u"]
        return y * jax.nn.silu(projected["z"])


def _log_decay(key: Array, shape: tuple[int, ...]) -> Array:
    del key
    return jnp.broadcast_to(jnp.log(jnp.arange(1.0, shape[1] + 1)), shape)


def _step_bias(key: Array, shape: tuple[int, ...]) -> Array:
    """b_dt such that softplus(b_dt) is log-uniform from 0.001 to 0.1."""
    step = jnp.exp(jax.random.uniform(key, shape, minval=math.log(1e-3), maxval=math.log(0.1)))
    return step + jnp.log(-jnp.expm1(-step))
