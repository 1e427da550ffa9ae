"""The mogrifier: input and state gate each other before the cell reads them (Melis et al. 2020)."""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax
from jax.typing import DTypeLike

from zoo.layers.cells.base import Cell, Inputs, Parameter, Params, State
from zoo.layers.cells.gated import GatedCell
from zoo.layers.cells.lstm import LSTM
from zoo.layers.initializers import uniform
from zoo.layers.linear import affine

Array = jax.Array


@dataclass(frozen=True)
class Mogrifier(Cell):
    """A cell around an inner cell; x_t and h_{t-1} first scale each other in turns (eq. 1 and 2).

    for r = 1, ..., rounds:
        x = 2 logistic(Q_r h + q_r) * x     where r is odd
        h = 2 logistic(R_r x + r_r) * h     where r is even
    state_t, h_t = inner(x, h)

    The scaled h takes the place of h_{t-1} in the products of the inner cell alone. A GRU also
    keeps a share of h_{t-1} as its memory; if that were scaled, by up to 4 at each step, it could
    grow without bound.

    Q_r [H, D] and R_r [D, H] are `round_1_kernel`, `round_2_kernel`, ..., and their biases are
    `round_1_bias`, .... They start small, so that nothing is scaled at first. Since x depends on
    the state, no product can be computed for all steps at once.

    Attributes:
        inner: a class or function that makes the inner cell, which must be a `GatedCell`.
        rounds: the number of rounds.
    """

    inner: Callable[..., GatedCell] = LSTM
    rounds: int = 5

    @property
    def recurrent_weights(self) -> tuple[str, ...]:  # type: ignore[override]
        """The recurrent weights of the inner cell."""
        return self._inner.recurrent_weights

    @property
    def _inner(self) -> GatedCell:
        return self.inner(
            size=self.size,
            init_scale=self.init_scale,
            forget_bias=self.forget_bias,
            matmul_dtype=self.matmul_dtype,
        )

    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """Returns the parameters of the inner cell and of the rounds."""
        parameters = self._inner.parameters(input_size)
        for number in range(1, self.rounds + 1):
            shape = (self.size, input_size) if number % 2 else (input_size, self.size)
            init = uniform(self.init_scale or 0.1 * shape[0] ** -0.5)
            parameters[f"round_{number}_kernel"] = Parameter(init, shape)
            parameters[f"round_{number}_bias"] = Parameter(nn.initializers.zeros, shape[1:])
        return parameters

    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Returns the initial state of the inner cell."""
        return self._inner.initial_state(batch_size, dtype)

    def project(self, params: Params, inputs: Inputs) -> Array:
        """Returns x_t unchanged."""
        del params
        return inputs

    def step(self, params: Params, state: State, projected: Array) -> tuple[State, Array]:
        """Computes the rounds, and then a step of the inner cell."""
        x, h = projected, state[0]
        for number in range(1, self.rounds + 1):
            kernel, bias = params[f"round_{number}_kernel"], params[f"round_{number}_bias"]
            if number % 2:
                x = 2 * jax.nn.sigmoid(affine(h, kernel, bias, self.matmul_dtype)) * x
            else:
                h = 2 * jax.nn.sigmoid(affine(x, kernel, bias, self.matmul_dtype)) * h
        inner = self._inner
        recurrent = inner.recurrent_product(params, h)
        return inner.combine(params, state, inner.project(params, x), recurrent)
