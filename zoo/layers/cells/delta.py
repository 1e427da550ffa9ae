"""Cells whose state is a matrix that every step corrects (see heads.py for the rest).

    S_t = (I - beta_t k_t k_t') S_{t-1} + beta_t k_t v_t'       |k_t| = 1

The value that S returns for the key k_t moves towards v_t by the fraction beta_t. This is the delta
rule (Widrow and Hoff 1960), one step of gradient descent on |S' k - v|^2. The matrix in front of S
has the eigenvalue 1 - beta_t along k_t. With beta_t from 0 to 1 it only forgets. With beta_t from 0
to 2 it may be negative and change a sign, as counting modulo two needs (Grazzi et al. 2025).

Sources: Schlag et al. 2021 and Yang et al. 2024b (DeltaNet); Yang et al. 2025, eq. 10 (gated).
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from zoo.layers.cells.base import Parameter, Params, State
from zoo.layers.cells.heads import MatrixCell, look_up, outer, unit_length
from zoo.layers.fast.chunks import MatrixSteps

Array = jax.Array


@dataclass(frozen=True)
class DeltaNet(MatrixCell):
    """The delta rule above, with beta_t = largest_beta * logistic(.) and q_t of length one.

    Attributes:
        largest_beta: 1 for eigenvalues from 0 to 1, or 2 for eigenvalues from -1 to 1.
    """

    largest_beta: float = 1.0
    gates: ClassVar[tuple[tuple[str, str], ...]] = (("beta", "head"),)

    def update(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """Computes the equation above."""
        q, k = self.normalise(projected["q"]), self.normalise(projected["k"])
        memory = self.correct(state[0], k, projected["v"], self.rate(projected["beta"]))
        return (memory,), look_up(memory, q)

    def matrix_steps(self, params: Params, projected: dict[str, Array]) -> MatrixSteps:
        """q, k, v and beta_t."""
        q, k = self.normalise(projected["q"]), self.normalise(projected["k"])
        beta = self.rate(projected["beta"])[..., None]
        q = q * k.shape[-1] ** -0.5
        return MatrixSteps(q, k, projected["v"], jnp.zeros_like(beta), beta)

    def rate(self, beta: Array) -> Array:
        """beta_t."""
        return self.largest_beta * jax.nn.sigmoid(beta)

    def normalise(self, k: Array) -> Array:
        """k of length one."""
        return unit_length(k)

    def correct(self, memory: Array, k: Array, v: Array, beta: Array) -> Array:
        """S_t, from k_t and v_t [B, N, d] and beta_t [B, N]."""
        returned = jnp.einsum("bnkv,bnk->bnv", memory, k)
        return memory + outer(k, beta[..., None] * (v - returned))


@dataclass(frozen=True)
class GatedDeltaNet(DeltaNet):
    """A DeltaNet whose whole matrix decays before it is corrected.

    S_t = (I - beta_t k_t k_t') a_t S_{t-1} + beta_t k_t v_t'
    a_t = exp(-exp(A) softplus(. - 4))

    The 4 makes a_t start near one, so that the matrix is kept. A is the parameter `log_pace` [N].
    It starts between 0 and log 16, as in Mamba.
    """

    gates = (("beta", "head"), ("decay", "head"))

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """Returns the parameters of the DeltaNet, and A."""
        return super().parameters(input_size) | {"log_pace": Parameter(_log_pace, (self.heads,))}

    def update(
        self, params: Params, state: State, projected: dict[str, Array]
    ) -> tuple[State, Array]:
        """Computes the equation above."""
        decay = jnp.exp(self.log_decay(params, projected["decay"]))
        return super().update(params, (decay[..., None, None] * state[0],), projected)

    def log_decay(self, params: Params, decay: Array) -> Array:
        """log a_t."""
        pace = jnp.exp(params["log_pace"]).reshape((1,) * (decay.ndim - 1) + (-1,))
        return -pace * jax.nn.softplus(decay - 4.0)

    def matrix_steps(self, params: Params, projected: dict[str, Array]) -> MatrixSteps:
        """q, k, v, beta_t and log a_t."""
        steps = super().matrix_steps(params, projected)
        return steps._replace(log_decay=self.log_decay(params, projected["decay"])[..., None])


def _log_pace(key: Array, shape: tuple[int, ...]) -> Array:
    return jnp.log(jax.random.uniform(key, shape, minval=1.0, maxval=16.0))
