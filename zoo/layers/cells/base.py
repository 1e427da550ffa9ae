"""The contract of a recurrent cell: its parameters, its state, and one step in time.

    x'_t        = project(params, x_t)                what needs no state, for all steps at once
    state_t, h_t = step(params, state_{t-1}, x'_t)    the equations, as they are printed

That is all that a cell has to say; `zoo.layers.recurrent` runs it over a batch of sequences, with
padding, resets, both directions and truncation, and JAX differentiates it. Three optional members
make a cell fast and change no number beyond rounding: `derivative`, one step's derivative written
by hand; `coefficients`, for a cell that is linear in its state; and `chunks`, for a cell whose
state is a matrix.

Axes: B rows, T time, D input features, H units.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
from jax.typing import DTypeLike

from zoo.layers.fast.derivative import Derivative

Array = jax.Array
Params = Mapping[str, Array]
Inputs = Any  # an array [B, T, D], or a Lookup that stands for it
State = Any  # a pytree of arrays [B, ...]
Projected = Any  # a pytree of arrays [B, T, ...] of all steps, [B, ...] of one


class Parameter(NamedTuple):
    """A parameter before it has a value.

    Attributes:
        init: (random key, shape) -> its first value.
        shape: of the array.
    """

    init: Callable[[Array, tuple[int, ...]], Array]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Cell(ABC):
    """One recurrent cell of H units. docs/add_a_cell.md shows how to write one.

    Attributes:
        size: H, width of the output.
        init_scale: kernels start uniform in +-init_scale; 0 for the cell's own start.
        forget_bias: start of the bias of a forget gate, of the cells that have one.
        matmul_dtype: precision of the products, see `zoo.layers.linear.product`; None for the
            parameters' own.
        recurrent_weights: names of the parameters that multiply the state, which weight dropout
            drops.
        reads_lookup: whether `project` takes embeddings that are not looked up yet, as
            `zoo.layers.linear.affine` does.
    """

    size: int
    init_scale: float = 0.0
    forget_bias: float = 1.0
    matmul_dtype: str | None = None

    recurrent_weights: ClassVar[tuple[str, ...]] = ()
    reads_lookup: ClassVar[bool] = False

    @abstractmethod
    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """All parameters, by name, for inputs of D features."""

    @abstractmethod
    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """The state before the first step, where none is learned: arrays [B, ...]."""

    @abstractmethod
    def project(self, params: Params, inputs: Inputs) -> Projected:
        """What a step reads of the inputs [B, T, D]: arrays [B, T, ...]."""

    @abstractmethod
    def step(self, params: Params, state: State, projected: Projected) -> tuple[State, Array]:
        """One step in time: the next state, and the output [B, H]."""

    @property
    def derivative(self) -> Derivative | None:
        """One step and its derivative written by hand; None to leave it to JAX."""
        return None

    def coefficients(self, params: Params, projected: Projected) -> tuple[State, State] | None:
        """a_t and b_t of a cell with state_t = a_t * state_{t-1} + b_t, element by element.

        They let all steps be computed at once, by a prefix sum. Each is a tuple of arrays
        [B, T, ...] as the state is of arrays [B, ...]. None for a cell that is not of that form.
        """
        del params, projected
        return None

    def read(self, params: Params, states: State, projected: Projected) -> Array:
        """The outputs [B, T, H] of a cell with `coefficients`, from its states [B, T, ...]."""
        del params, projected
        return states[0]

    def chunks(
        self, params: Params, projected: Projected, start: State, real: Array | None
    ) -> tuple[Array, State] | None:
        """All steps, many of them at once, of a cell that has such a form; None for others.

        Args:
            params: the cell's parameters.
            projected: arrays [B, T, ...].
            start: the state before the first step.
            real: bool[B, T], False at padding, which must leave the state as it is; None for none.

        Returns:
            The outputs [B, T, H], with any values at padding, and the state after the last step.
        """
        del params, projected, start, real
        return None
