"""Linear recurrences with a complex factor for each unit, which is the same at every step.

    x_t = a x_{t-1} + B u_t             a: complex, |a| < 1
    h_t = Re(C x_t) + D u_t

The factor a rotates and shrinks each number of the state x [N]. It is trained and does not depend
on the input. Sources: Orvieto et al. 2023 (LRU); Gu et al. 2022 (S4D); Smith et al. 2023 (S5).

Axis: N complex numbers of the state.
"""

import math
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from zoo.layers.cells.base import Cell, Inputs, Parameter, Params, State
from zoo.layers.linear import affine, product

Array = jax.Array


def _turning(log_shrink: Array, angle: Array) -> Array:
    """exp(log_shrink + i angle)."""
    return jnp.exp(lax.complex(log_shrink, angle))


def _complex_zeros(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Returns complex zeros; `dtype` is the dtype of the real and imaginary parts."""
    zeros = jnp.zeros(shape, dtype)
    return lax.complex(zeros, zeros)


@dataclass(frozen=True)
class LRU(Cell):
    """The linear recurrent unit.

    a = exp(-exp(nu) + i exp(theta))
    x_t = a * x_{t-1} + exp(gamma) * (B u_t)
    h_t = Re(C x_t) + D u_t

    (Orvieto et al. 2023, section 3.) a starts uniformly by area on a ring with |a| from 0.9 to
    0.999 and an angle from 0 to pi/10. exp(gamma) starts at sqrt(1 - r^2) for all numbers, where
    r^2 is the middle of |a|^2 on the ring; in the paper each number has its own |a|. B is
    `input_real` and `input_imag` [D, N], C is `output_real` and `output_imag` [N, H], D is
    `skip_kernel` [D, H], and N = H.
    """

    @property
    def num_numbers(self) -> int:
        """N."""
        return self.size

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """nu, theta, gamma, B, C and D."""
        size = self.size
        return {
            "nu": Parameter(_ring_nu, (size,)),
            "theta": Parameter(_ring_theta, (size,)),
            "gamma": Parameter(_ring_gamma, (size,)),
            **self._maps(input_size, size**-0.5),
        }

    def _maps(self, input_size: int, output_scale: float) -> dict[str, Parameter]:
        """B, C and D; C starts with the standard deviation `output_scale`."""
        numbers, size = self.num_numbers, self.size
        into = nn.initializers.normal((2 * input_size) ** -0.5)
        out = nn.initializers.normal(output_scale)
        return {
            "input_real": Parameter(into, (input_size, numbers)),
            "input_imag": Parameter(into, (input_size, numbers)),
            "output_real": Parameter(out, (numbers, size)),
            "output_imag": Parameter(out, (numbers, size)),
            "skip_kernel": Parameter(nn.initializers.glorot_uniform(), (input_size, size)),
        }

    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Returns zeros."""
        return (_complex_zeros((batch_size, self.num_numbers), dtype),)

    def project(self, params: Params, inputs: Inputs) -> tuple[Array, Array]:
        """exp(gamma) * (B u_t), complex, and D u_t."""
        real, imag, skip = (
            product(inputs, params[name], self.matmul_dtype)
            for name in ("input_real", "input_imag", "skip_kernel")
        )
        return self._scale(params)[None, None] * lax.complex(real, imag), skip

    def step(
        self, params: Params, state: State, projected: tuple[Array, Array]
    ) -> tuple[State, Array]:
        """Computes the equations above."""
        (x,), (into, skip) = state, projected
        x = self._decay(params)[None] * x + into
        return (x,), self._output(params, x) + skip

    def coefficients(self, params: Params, projected: tuple[Array, Array]) -> tuple[State, State]:
        """a and exp(gamma) * (B u_t)."""
        into, _ = projected
        return (jnp.broadcast_to(self._decay(params), into.shape),), (into,)

    def read(self, params: Params, states: State, projected: tuple[Array, Array]) -> Array:
        """h_t."""
        return self._output(params, states[0]) + projected[1]

    def _decay(self, params: Params) -> Array:
        return _turning(-jnp.exp(params["nu"]), jnp.exp(params["theta"]))

    def _scale(self, params: Params) -> Array:
        scale = jnp.exp(params["gamma"])
        return lax.complex(scale, jnp.zeros_like(scale))

    def _output(self, params: Params, x: Array) -> Array:
        """Re(C x)."""
        real = product(x.real, params["output_real"], self.matmul_dtype)
        return real - product(x.imag, params["output_imag"], self.matmul_dtype)


def _ring_nu(key: Array, shape: tuple[int, ...]) -> Array:
    """|a| = exp(-exp(nu)), uniform by area between two circles."""
    squared = jax.random.uniform(key, shape, minval=0.9**2, maxval=0.999**2)
    return jnp.log(-0.5 * jnp.log(squared))


def _ring_theta(key: Array, shape: tuple[int, ...]) -> Array:
    return jnp.log(jax.random.uniform(key, shape, minval=1e-4, maxval=math.pi / 10))


def _ring_gamma(key: Array, shape: tuple[int, ...]) -> Array:
    """log sqrt(1 - |a|^2) for the middle of the ring, because nu of each unit is not known here."""
    del key
    return jnp.full(shape, 0.5 * math.log(1 - (0.9**2 + 0.999**2) / 2))


@dataclass(frozen=True)
class S5(LRU):
    """One state space for all units together, while S4D has one for each unit.

    a = exp(A dt)
    x_t = a * x_{t-1} + ((a - 1) / A) * (B u_t)         (zero-order hold)
    h_t = 2 Re(C x_t) + D u_t

    (Smith et al. 2023.) Each number of x represents itself and its conjugate, so that N = H / 2. A
    = -exp(log_decay) + i frequency starts at the eigenvalues of the normal part of HiPPO, and dt =
    exp(log_step) [N] between 0.001 and 0.1. B, C and D are as in the LRU.
    """

    @property
    def num_numbers(self) -> int:
        """N."""
        return (self.size + 1) // 2

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """A, dt, B, C and D."""
        numbers = self.num_numbers
        return {
            "log_decay": Parameter(nn.initializers.constant(math.log(0.5)), (numbers,)),
            "frequency": Parameter(_hippo_frequency, (numbers,)),
            "log_step": Parameter(_log_step, (numbers,)),
            **self._maps(input_size, (2 * numbers) ** -0.5),
        }

    def _decay(self, params: Params) -> Array:
        step = jnp.exp(params["log_step"])
        return _turning(-jnp.exp(params["log_decay"]) * step, params["frequency"] * step)

    def _scale(self, params: Params) -> Array:
        rate = lax.complex(-jnp.exp(params["log_decay"]), params["frequency"])
        return (self._decay(params) - 1) / rate

    def _output(self, params: Params, x: Array) -> Array:
        """2 Re(C x)."""
        return 2 * super()._output(params, x)


def _hippo_frequency(key: Array, shape: tuple[int, ...]) -> Array:
    """Returns the positive imaginary parts of the normal part of HiPPO-LegS (size 2 N), sorted."""
    del key
    root = np.sqrt(2 * np.arange(2 * shape[0]) + 1.0)
    lower = np.tril(np.outer(root, root), -1)
    values = np.linalg.eigvalsh(0.5j * (lower - lower.T))
    return jnp.asarray(values[shape[0] :], float)


@dataclass(frozen=True)
class S4D(Cell):
    """The diagonal state space model, with N complex numbers for each unit.

    a = exp(A dt)      b = (a - 1) / A          (zero-order hold)
    x_t = a * x_{t-1} + b u_t                   u = W x'_t + bias: H units
    h_t = 2 Re(sum_n C_n x_tn) + D * u_t

    (Gu et al. 2022.) A = -exp(log_decay) + i frequency starts at -1/2 + i pi n (S4D-Lin), and dt =
    exp(log_step) between 0.001 and 0.1.

    Attributes:
        num_states: N, the number of complex numbers of each unit.
    """

    num_states: int = 16

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """W and its bias, A, dt, C and D."""
        shape = (self.size, self.num_states)
        normal, zeros = nn.initializers.normal(0.5**0.5), nn.initializers.zeros
        return {
            "input_kernel": Parameter(nn.initializers.glorot_uniform(), (input_size, self.size)),
            "bias": Parameter(zeros, (self.size,)),
            "log_decay": Parameter(nn.initializers.constant(math.log(0.5)), shape),
            "frequency": Parameter(_s4d_frequency, shape),
            "log_step": Parameter(_log_step, (self.size,)),
            "output_real": Parameter(normal, shape),
            "output_imag": Parameter(normal, shape),
            "skip": Parameter(nn.initializers.normal(1.0), (self.size,)),
        }

    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Returns zeros."""
        shape = (batch_size, self.size, self.num_states)
        return (_complex_zeros(shape, dtype),)

    def project(self, params: Params, inputs: Inputs) -> Array:
        """u, [B, T, H]."""
        return affine(inputs, params["input_kernel"], params["bias"], self.matmul_dtype)

    def step(self, params: Params, state: State, projected: Array) -> tuple[State, Array]:
        """Computes the equations above."""
        a, b = self._discretised(params)
        x = a[None] * state[0] + b[None] * projected[..., None].astype(b.dtype)
        return (x,), self._output(params, x) + params["skip"][None] * projected

    def coefficients(self, params: Params, projected: Array) -> tuple[State, State]:
        """a and b u_t."""
        a, b = self._discretised(params)
        into = b[None, None] * projected[..., None].astype(b.dtype)
        return (jnp.broadcast_to(a, into.shape),), (into,)

    def read(self, params: Params, states: State, projected: Array) -> Array:
        """h_t."""
        return self._output(params, states[0]) + params["skip"][None, None] * projected

    def _discretised(self, params: Params) -> tuple[Array, Array]:
        decay, frequency = jnp.exp(params["log_decay"]), params["frequency"]
        step = jnp.exp(params["log_step"])[:, None]
        a = _turning(-decay * step, frequency * step)
        return a, (a - 1) / lax.complex(-decay, frequency)

    def _output(self, params: Params, x: Array) -> Array:
        """2 Re(sum_n C_n x_n)."""
        real = jnp.einsum("...hn,hn->...h", x.real, params["output_real"])
        return 2 * (real - jnp.einsum("...hn,hn->...h", x.imag, params["output_imag"]))


def _s4d_frequency(key: Array, shape: tuple[int, ...]) -> Array:
    del key
    return jnp.broadcast_to(math.pi * jnp.arange(shape[1], dtype=float), shape)


def _log_step(key: Array, shape: tuple[int, ...]) -> Array:
    return jax.random.uniform(key, shape, minval=math.log(1e-3), maxval=math.log(0.1))
