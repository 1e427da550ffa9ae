"""The common base of cells whose state is a matrix: heads with queries, keys, values and a gate.

    q_t, k_t, v_t = W x_t + b, in heads of d units
    S_t = ...                                   [d, d] for each head: from a key to a value
    y_t = S_t' q_t / sqrt(d)
    h_t = silu(W_g x_t + b_g) * norm(y_t)       norm: scales each head to a mean square of one

The norm and the gate belong to the layers in the papers (Sun et al. 2023, section 2.2; Yang et al.
2024, section 4.4). Without the norm, y_t would grow with the length of the text.

A cell runs step by step (`update`) or a chunk at a time (`matrix_steps`, see
zoo/layers/fast/chunks.py).

Axes: B rows, T time, N heads, d units of a head, H = N d.
"""

from dataclasses import dataclass
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from zoo.layers.cells.base import Cell, Parameter, Params, State
from zoo.layers.fast.chunks import MatrixSteps, run_chunks
from zoo.layers.fast.lookup import Lookup
from zoo.layers.initializers import Initializer, uniform
from zoo.layers.linear import affine

Array = jax.Array

_EPSILON = 1e-6
_HEAD = 64  # the default number of units of a head


@dataclass(frozen=True)
class MatrixCell(Cell):
    """A cell whose state is a matrix for each head.

    `input_kernel` [D, ...] and `bias` produce q, k, v, the output gate and the gates of the cell,
    in this order.

    Attributes:
        num_heads: N. 0 means heads of 64 units, or one head if 64 does not divide H.
        gates: the names of the cell's gates. Each has the kind "head" for one number per head, or
            "unit" for d numbers per head.
    """

    num_heads: int = 0

    reads_lookup = True
    gates: ClassVar[tuple[tuple[str, str], ...]] = ()

    @property
    def heads(self) -> int:
        """N."""
        if self.num_heads:
            return self.num_heads
        return max(1, self.size // _HEAD) if self.size % _HEAD == 0 else 1

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """`input_kernel` and `bias`."""
        init: Initializer = nn.initializers.glorot_uniform()
        if self.init_scale:
            init = uniform(self.init_scale)
        width = sum(self._widths())
        return {
            "input_kernel": Parameter(init, (input_size, width)),
            "bias": Parameter(nn.initializers.zeros, (width,)),
        }

    def _widths(self) -> list[int]:
        of = {"head": self.heads, "unit": self.size}
        return [self.size] * 4 + [of[kind] for _, kind in self.gates]

    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Returns zeros [B, N, d, d]."""
        d = self.size // self.heads
        return (jnp.zeros((batch_size, self.heads, d, d), dtype),)

    def project(self, params: Params, inputs: Array | Lookup) -> dict[str, Array]:
        """q, k, v and the gates by name: [B, T, N, d] or [B, T, N]; `gate` [B, T, H]."""
        flat = affine(inputs, params["input_kernel"], params["bias"], self.matmul_dtype)
        widths = self._widths()
        ends = [sum(widths[: at + 1]) for at in range(len(widths) - 1)]
        parts = jnp.split(flat, ends, axis=-1)
        names = ("q", "k", "v", "gate", *(name for name, _ in self.gates))
        found = dict(zip(names, parts, strict=True))
        for name in ("q", "k", "v", *(name for name, of in self.gates if of == "unit")):
            found[name] = found[name].reshape((*flat.shape[:-1], self.heads, -1))
        return found

    def step(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """Computes the next state, and h_t from y_t."""
        state, y = self.update(params, state, projected)
        return state, self.finish(y, projected["gate"])

    def update(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """Computes the next state, and y_t [B, N, d]."""
        raise NotImplementedError

    def matrix_steps(self, params: Params, projected: dict[str, Array]) -> MatrixSteps | None:
        """Returns the input of `zoo.layers.fast.chunks` if the state is a single matrix."""
        del params, projected
        return None

    def chunks(
        self, params: Params, projected: dict[str, Array], start: State, real: Array | None
    ) -> tuple[Array, State] | None:
        """Computes all steps, a chunk at a time."""
        steps = self.matrix_steps(params, projected)
        if steps is None:
            return None
        y, memory = run_chunks(steps, start[0], real)
        return self.finish(y, projected["gate"]), (memory,)

    def finish(self, y: Array, gate: Array) -> Array:
        """h_t [B, H] from y_t."""
        mean_square = jnp.square(y).mean(axis=-1, keepdims=True)
        normed = y * jax.lax.rsqrt(mean_square + _EPSILON)
        return jax.nn.silu(gate) * normed.reshape(gate.shape)


def outer(k: Array, v: Array) -> Array:
    """k v', [B, N, d, d]."""
    return k[..., :, None] * v[..., None, :]


def look_up(memory: Array, q: Array) -> Array:
    """S' q / sqrt(d), [B, N, d]."""
    return jnp.einsum("bnkv,bnk->bnv", memory, q) * q.shape[-1] ** -0.5


def unit_length(k: Array) -> Array:
    """k divided by its length."""
    return k * jax.lax.rsqrt(jnp.square(k).sum(axis=-1, keepdims=True) + _EPSILON)


def run_with_total(
    steps: MatrixSteps, memory: Array, total: Array, real: Array | None
) -> tuple[Array, Array, Array, Array]:
    """Runs chunks of the matrix S and of z, the decayed sum of the keys.

    z is computed as one more column of S, with the value 1 at every step.

    Args:
        steps: the steps of S.
        memory: [B, N, d, d], S before the first step.
        total: [B, N, d], z before the first step.
        real: the mask of real steps, see `zoo.layers.fast.chunks.run_chunks`.

    Returns:
        S_t' q_t [B, T, N, d], z_t' q_t [B, T, N, 1], and S and z after the last step.
    """
    ones = jnp.ones_like(steps.v[..., :1])
    start = jnp.concatenate([memory, total[..., None]], axis=-1)
    wider = steps._replace(v=jnp.concatenate([steps.v, ones], axis=-1))
    y, final = run_chunks(wider, start, real)
    return y[..., :-1], y[..., -1:], final[..., :-1], final[..., -1]
