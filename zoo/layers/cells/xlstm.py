"""LSTMs with exponential gates: mLSTM, whose memory is a matrix, and sLSTM (Beck et al. 2024).

An input gate exp(i) has no upper bound, so a late input can outweigh all inputs before it. To keep
outputs small, both cells divide by a sum that grows with the gates. To keep every number finite,
they carry m, the largest exponent of all gates so far, each lowered by the forget gates after it,
and divide memory and sum by exp(m). Their quotient, the output, stays as it is.
"""

from dataclasses import dataclass
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from zoo.layers.cells.base import Cell, Parameter, Params, State
from zoo.layers.cells.heads import MatrixCell, outer, run_with_total
from zoo.layers.fast.chunks import MatrixSteps
from zoo.layers.fast.lookup import Lookup
from zoo.layers.initializers import Initializer, uniform
from zoo.layers.linear import affine, product

Array = jax.Array

_EPSILON = 1e-6


@dataclass(frozen=True)
class MLSTM(MatrixCell):
    """The mLSTM: a matrix memory C of keys and values, with an input gate and a forget gate.

    i_t = w_i x_t + b_i
    f_t = logistic(w_f x_t + b_f)
    m_t = max(log f_t + m_{t-1}, i_t)
    I_t = exp(i_t - m_t)
    F_t = exp(log f_t + m_{t-1} - m_t)
    C_t = F_t C_{t-1} + I_t k_t v_t^T / sqrt(d)
    n_t = F_t n_{t-1} + I_t k_t / sqrt(d)
    y_t = C_t^T q_t / max(|n_t^T q_t|, exp(-m_t))

    These are eq. 19 to 27 of Beck et al. for each head of d units. heads.py has the queries q_t,
    keys k_t and values v_t, the output gate, and h_t from y_t. The state is C [B, N, d, d],
    n [B, N, d] and m [B, N], all zeros at first.
    """

    gates = (("input", "head"), ("forget", "head"))
    fixed_states = (1, 2)  # n and m

    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Returns zeros for C, n and m."""
        (memory,) = super().initial_state(batch_size, dtype)
        return memory, memory[..., 0], memory[..., 0, 0]

    def update(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """Computes the equations above."""
        memory, total, largest = state
        kept = jax.nn.log_sigmoid(projected["forget"]) + largest
        following = jnp.maximum(kept, projected["input"])
        f = jnp.exp(kept - following)[..., None]
        i = jnp.exp(projected["input"] - following)[..., None]
        k, q = projected["k"] * projected["k"].shape[-1] ** -0.5, projected["q"]
        memory = f[..., None] * memory + outer(i * k, projected["v"])
        total = f * total + i * k
        weight = jnp.abs((total * q).sum(axis=-1, keepdims=True))
        weight = jnp.maximum(weight, jnp.exp(-following)[..., None]) + _EPSILON
        return (memory, total, following), jnp.einsum("bnkv,bnk->bnv", memory, q) / weight

    def chunks(
        self, params: Params, projected: dict[str, Array], start: State, real: Array | None
    ) -> tuple[Array, State]:
        """Computes all steps, a chunk at a time. All m_t come first: they give f' and i'."""
        memory, total, first = start
        i, log_f = projected["input"], jax.nn.log_sigmoid(projected["forget"])
        if real is not None:
            i = jnp.where(real[..., None], i, -jnp.inf)
            log_f = jnp.where(real[..., None], log_f, 0)
        largest = _largest_exponents(i, log_f, first)
        before = jnp.concatenate([first[:, None], largest[:, :-1]], axis=1)
        log_decay = (log_f + before - largest)[..., None]
        k = projected["k"] * projected["k"].shape[-1] ** -0.5
        k = k * jnp.exp(i - largest)[..., None]
        steps = MatrixSteps(projected["q"], k, projected["v"], log_decay)
        y, weight, memory, total = run_with_total(steps, memory, total, real)
        weight = jnp.maximum(jnp.abs(weight), jnp.exp(-largest)[..., None]) + _EPSILON
        return self.finish(y / weight, projected["gate"]), (memory, total, largest[:, -1])


def _largest_exponents(i: Array, log_f: Array, first: Array) -> Array:
    """m_t = max(log f_t + m_{t-1}, i_t) for all steps [B, T, N], by a parallel prefix maximum."""

    def after(one: tuple[Array, Array], two: tuple[Array, Array]) -> tuple[Array, Array]:
        return one[0] + two[0], jnp.maximum(one[1] + two[0], two[1])

    i = i.at[:, 0].set(jnp.maximum(i[:, 0], log_f[:, 0] + first))
    _, largest = jax.lax.associative_scan(after, (log_f, i), axis=1)
    return largest


@dataclass(frozen=True)
class SLSTM(Cell):
    """The sLSTM: an exponential input gate, and a recurrence within each head.

    i, f, z, o = W x_t + R h_{t-1} + b          R: within each head
    m_t = max(log logistic(f) + m_{t-1}, i)
    i' = exp(i - m_t)                           f' = exp(log logistic(f) + m_{t-1} - m_t)
    c_t = f' c_{t-1} + i' tanh(z)               n_t = f' n_{t-1} + i'
    h_t = logistic(o) * c_t / n_t

    (eq. 8 to 17.) R is `recurrent_kernel` [N, d, 4 d]. b starts at zero, and at forget_bias for f.

    Attributes:
        num_heads: N. A single head sees all of h, as in an LSTM.
    """

    num_heads: int = 1
    recurrent_weights = ("recurrent_kernel",)
    fixed_states = (2, 3)  # n and m
    reads_lookup = True

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """W, R and b."""
        d = self.size // self.num_heads
        into: Initializer = nn.initializers.glorot_uniform()
        within: Initializer = uniform(d**-0.5)
        if self.init_scale:
            into = within = uniform(self.init_scale)
        return {
            "input_kernel": Parameter(into, (input_size, 4 * self.size)),
            "recurrent_kernel": Parameter(within, (self.num_heads, d, 4 * d)),
            "bias": Parameter(self._init_bias, (4 * self.size,)),
        }

    def _init_bias(self, key: Array, shape: tuple[int, ...]) -> Array:
        del key
        return jnp.zeros(shape).at[self.size : 2 * self.size].set(self.forget_bias)

    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Returns zeros for h, c, n and m."""
        return tuple(jnp.zeros((batch_size, self.size), dtype) for _ in range(4))

    def project(self, params: Params, inputs: Array | Lookup) -> Array:
        """W x_t + b, [B, T, 4 H]."""
        return affine(inputs, params["input_kernel"], params["bias"], self.matmul_dtype)

    def step(self, params: Params, state: State, projected: Array) -> tuple[State, Array]:
        """Computes the equations above."""
        h, c, n, m = state
        i, f, z, o = jnp.split(projected, 4, axis=-1)
        heads = h.reshape((h.shape[0], self.num_heads, -1))
        within = jax.vmap(partial(product, dtype=self.matmul_dtype), in_axes=(1, 0), out_axes=1)
        recurrent = within(heads, params["recurrent_kernel"])
        i, f, z, o = (
            own + part.reshape(own.shape)
            for own, part in zip((i, f, z, o), jnp.split(recurrent, 4, axis=-1), strict=True)
        )
        kept = jax.nn.log_sigmoid(f) + m
        first = n == 0  # before the first input there is nothing to keep
        m = jnp.where(first, i, jnp.maximum(kept, i))
        i, f = jnp.exp(i - m), jnp.exp(jnp.where(first, 0.0, kept - m))
        c = f * c + i * jnp.tanh(z)
        n = f * n + i
        h = jax.nn.sigmoid(o) * c / n
        return (h, c, n, m), h
