"""The time mixing of RWKV-7, a matrix that decays and is corrected (Peng et al. 2025)."""

from dataclasses import dataclass
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from zoo.layers.cells.base import Inputs, Parameter, Params, State
from zoo.layers.cells.heads import MatrixCell, outer, unit_length
from zoo.layers.fast.chunks import MatrixSteps, run_chunks
from zoo.layers.initializers import Initializer, uniform
from zoo.layers.linear import affine, product
from zoo.layers.masks import take_step

Array = jax.Array

_PARTS = ("r", "k", "v", "w", "a", "g")
_STRONGEST_DECAY = 0.6065306597126334  # exp(-1/2)
_NORM_EPSILON = 64e-5


class _Parts(NamedTuple):
    """r, k~, v, log w, c, a * c and g of the equations of RWKV7; [B, N, d], and g [B, H]."""

    r: Array
    added: Array
    v: Array
    log_w: Array
    removed: Array
    rewritten: Array
    g: Array


@dataclass(frozen=True)
class RWKV7(MatrixCell):
    """A generalised delta rule: each unit of the key decays and is corrected at its own rate.

    x^p_t = x_t + m_p * (x_{t-1} - x_t)     p: r, k, v, w, a, g; x_0 = 0 (token shift)
    r, k, v = W_r x^r, W_k x^k, W_v x^v
    w = exp(-exp(-1/2) logistic(W_w2 tanh(W_w1 x^w) + b_w))     decay, from exp(-exp(-1/2)) to 1
    a = logistic(W_a2 W_a1 x^a + b_a)       the fraction of the old value that is removed
    g = W_g2 logistic(W_g1 x^g)             output gate
    c = k * s_k / |k * s_k|                 the key that is removed; the length is per head
    k~ = k * (1 + s_a * (a - 1))            the key that is added
    S_t = (diag(w) - (a * c) c') S_{t-1} + k~ v'                for each head
    h_t = W_o (g * (norm(S_t' r) + (r' (u * k~)) v))            norm: per head, scaled, shifted

    (Peng et al. 2025, section 4.) This is the form of the first layer. In that network, later
    layers also read the values of the first layer; a cell here sees only its own layer. The kernels
    of the products with x stand side by side in `input_kernel`, and m_p in the rows of `mix`. The
    part of x_t in the next step is linear in x_t, so the state holds it after the product. m, b_w,
    s_k = 0.85 and s_a = 1 start as in the authors' first layer; W_w1, W_a1, W_g1 and u start at
    zero. The pairs W_1, W_2 have the middle width H / 8.
    """

    reads_lookup = False

    @property
    def rank(self) -> int:
        """The middle width of the low-rank products."""
        return max(2, self.size // 8)

    def _widths(self) -> list[int]:
        return [self.size] * 3 + [self.rank] * 3

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """Returns all parameters of the equations."""
        h, rank, heads = self.size, self.rank, self.heads
        ones, zeros, normal = nn.initializers.ones, nn.initializers.zeros, nn.initializers
        square: Initializer = normal.glorot_uniform()
        if self.init_scale:
            square = uniform(self.init_scale)
        up = normal.orthogonal(0.1)
        return {
            "input_kernel": Parameter(self._init_kernel, (input_size, sum(self._widths()))),
            "mix": Parameter(_init_mix, (len(_PARTS), input_size)),
            "decay_up": Parameter(up, (rank, h)),
            "decay_bias": Parameter(_init_decay_bias, (h,)),
            "rate_up": Parameter(up, (rank, h)),
            "rate_bias": Parameter(zeros, (h,)),
            "gate_up": Parameter(up, (rank, h)),
            "removed_scale": Parameter(normal.constant(0.85), (h,)),
            "added_scale": Parameter(ones, (h,)),
            "bonus": Parameter(zeros, (heads, h // heads)),
            "norm_scale": Parameter(ones, (h,)),
            "norm_bias": Parameter(zeros, (h,)),
            "output_kernel": Parameter(square, (h, h)),
        }

    def _init_kernel(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Returns W_r, W_k, W_v by `init_scale`, and zeros for the first kernels of the pairs."""
        init: Initializer = nn.initializers.glorot_uniform()
        if self.init_scale:
            init = uniform(self.init_scale)
        square = init(key, (shape[0], 3 * self.size))
        return jnp.concatenate([square, jnp.zeros((shape[0], 3 * self.rank))], axis=1)

    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Returns zeros for S, and for the part of the previous input in r, k, v, w, a and g."""
        (memory,) = super().initial_state(batch_size, dtype)
        return memory, jnp.zeros((batch_size, sum(self._widths())), dtype)

    def project(self, params: Params, inputs: Inputs) -> dict[str, Array]:
        """Returns W_p (x - m_p * x) for this step and W_p (m_p * x) for the next, [B, T, ...]."""
        kernel = params["input_kernel"]
        mixed = kernel * self._widen(params["mix"]).T
        both = jnp.concatenate([kernel - mixed, mixed], axis=1)
        now, following = jnp.split(product(inputs, both, self.matmul_dtype), 2, axis=-1)
        return {"now": now, "following": following}

    def _widen(self, mix: Array) -> Array:
        """Repeats m_p [6, D] for each column of W_p."""
        widths = self._widths()
        return jnp.repeat(mix, jnp.array(widths), axis=0, total_repeat_length=sum(widths))

    def step(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """Computes the equations above."""
        memory, before = state
        parts = self._parts(params, projected["now"] + before)
        returned = jnp.einsum("bnkv,bnk->bnv", memory, parts.removed)
        memory = jnp.exp(parts.log_w)[..., None] * memory - outer(parts.rewritten, returned)
        memory = memory + outer(parts.added, parts.v)
        y = jnp.einsum("bnkv,bnk->bnv", memory, parts.r)
        return (memory, projected["following"]), self._output(params, y, parts)

    def chunks(
        self, params: Params, projected: dict[str, Array], start: State, real: Array | None
    ) -> tuple[Array, State]:
        """Computes all steps, a chunk at a time: only the matrix needs the steps in their order."""
        memory, first = start
        now, following = projected["now"], projected["following"]
        before = jnp.concatenate([first[:, None], following], axis=1)
        rows, num_steps = now.shape[:2]
        flat = self._parts(params, (now + before[:, :-1]).reshape((-1, now.shape[-1])))
        parts = jax.tree.map(lambda x: x.reshape((rows, num_steps, *x.shape[1:])), flat)
        rewriting = (parts.removed, parts.rewritten)
        steps = MatrixSteps(parts.r, parts.added, parts.v, parts.log_w, rewriting=rewriting)
        y, memory = run_chunks(steps, memory, real)
        outputs = self._output(params, y.reshape((-1, *y.shape[2:])), flat)
        last = before[:, -1] if real is None else take_step(before, real.sum(axis=1))
        return outputs.reshape((rows, num_steps, -1)), (memory, last)

    def _parts(self, params: Params, mixed: Array) -> _Parts:
        """Returns the parts of one step; `mixed` [B, ...] has the W_p x^p side by side."""
        widths = self._widths()
        ends = [sum(widths[: at + 1]) for at in range(len(widths) - 1)]
        r, k, v, w, a, g = jnp.split(mixed, ends, axis=-1)
        dtype = self.matmul_dtype
        w = affine(jnp.tanh(w), params["decay_up"], params["decay_bias"], dtype)
        a = jax.nn.sigmoid(affine(a, params["rate_up"], params["rate_bias"], dtype))
        g = product(jax.nn.sigmoid(g), params["gate_up"], dtype)
        removed = self.normalise(self._split(k * params["removed_scale"][None]))
        added = k * (1 + params["added_scale"][None] * (a - 1))
        log_w = -_STRONGEST_DECAY * jax.nn.sigmoid(w)
        r, v, log_w, a, added = map(self._split, (r, v, log_w, a, added))
        return _Parts(r, added, v, log_w, removed, a * removed, g)

    def _output(self, params: Params, y: Array, parts: _Parts) -> Array:
        """Returns h_t from S_t' r_t [B, N, d]."""
        alike = (parts.r * params["bonus"][None] * parts.added).sum(axis=-1, keepdims=True)
        read = self._norm(params, y) + (alike * parts.v).reshape(parts.g.shape)
        return product(parts.g * read, params["output_kernel"], self.matmul_dtype)

    def _split(self, x: Array) -> Array:
        """Reshapes [B, H] to [B, N, d]."""
        return x.reshape((x.shape[0], self.heads, -1))

    def normalise(self, k: Array) -> Array:
        """Returns keys of length one."""
        return unit_length(k)

    def _norm(self, params: Params, y: Array) -> Array:
        """Normalises each head of y [B, N, d] to mean 0 and variance 1; scales and shifts it."""
        centred = y - y.mean(axis=-1, keepdims=True)
        variance = jnp.square(centred).mean(axis=-1, keepdims=True)
        normed = (centred * jax.lax.rsqrt(variance + _NORM_EPSILON)).reshape((y.shape[0], -1))
        return normed * params["norm_scale"][None] + params["norm_bias"][None]


def _init_mix(key: Array, shape: tuple[int, ...]) -> Array:
    """1 - (i / D)^p for input i, with the p that the authors give each part."""
    del key
    powers = jnp.array([0.2, 0.7, 0.7, 0.9, 0.9, 0.2])
    return 1 - (jnp.arange(shape[1], dtype=float) / shape[1])[None] ** powers[:, None]


def _init_decay_bias(key: Array, shape: tuple[int, ...]) -> Array:
    """Returns values from -6.5 to -1.5 over the units; the first units are slow."""
    del key
    (size,) = shape
    return -6.5 + 5 * (jnp.arange(size, dtype=float) / max(size - 1, 1)) ** 0.85
