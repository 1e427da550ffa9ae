"""The Elman network, the simple recurrent network (Elman 1990)."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zoo.layers.cells.base import Params, State
from zoo.layers.cells.gated import GatedCell
from zoo.layers.fast.derivative import CellGradient, Derivative, States

Array = jax.Array


@dataclass(frozen=True)
class Elman(GatedCell):
    """h_t = g(W x_t + U h_{t-1} + b).

    Attributes:
        activation: g, which is tanh, relu or logistic.

    Example:
        >>> cell = Elman(size=1)
        >>> params = {"recurrent_kernel": jnp.eye(1)}
        >>> _, output = cell.step(params, (jnp.array([[0.5]]),), jnp.array([[-0.5]]))
        >>> output.item()
        0.0
    """

    activation: str = "tanh"
    num_gates = 1

    def combine(
        self, params: Params, state: State, projected: Array, recurrent: Array
    ) -> tuple[State, Array]:
        """Computes the equation above."""
        del params, state
        h = ACTIVATIONS[self.activation](projected + recurrent)
        return (h,), h

    @property
    def derivative(self) -> Derivative:
        """One step with its derivative, where g' is a function of h_t."""
        return _DERIVATIVES[self.activation]


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "logistic": jax.nn.sigmoid,
}

_SLOPES: dict[str, Callable[[Array], Array]] = {
    "tanh": lambda h: 1 - h * h,
    "relu": lambda h: (h > 0).astype(h.dtype),
    "logistic": lambda h: h * (1 - h),
}


def _derivative(
    activation: Callable[[Array], Array], slope: Callable[[Array], Array]
) -> Derivative:
    def forward(projected: Array, recurrent: Array, previous: States) -> tuple[States, States]:
        del previous  # enters only through `recurrent`
        return (activation(projected + recurrent),), ()

    def backward(residuals: States, previous: States, states: States, grad: States) -> CellGradient:
        (hidden,), (grad_hidden,) = states, grad
        grad_sum = grad_hidden * slope(hidden)
        return CellGradient(grad_sum, grad_sum, (jnp.zeros_like(hidden),))

    return Derivative(forward, backward)


_DERIVATIVES = {name: _derivative(ACTIVATIONS[name], _SLOPES[name]) for name in ACTIVATIONS}
