"""The contract of a recurrent cell: its parameters, its state, and one step in time.

    x'_t        = project(params, x_t)                the part without the state, for all steps
    state_t, h_t = step(params, state_{t-1}, x'_t)    the equations, as they are printed

A cell needs these two functions, its `parameters` and its `initial_state`. `zoo.layers.recurrent`
runs the cell over a batch of sequences, with padding, resets, both directions and truncation, and
JAX differentiates it. Three optional members make a cell faster and change its numbers only by
rounding. `derivative` is a hand-written derivative of one step. `coefficients` is for a cell that
is linear in its state. `chunks` is for a cell whose state is a matrix. They are not used for a
subclass that changes the step alone, because they compute the step of the class that it changes.

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
Inputs = Any  # an array [B, T, D], or a Lookup that replaces it
State = Any  # a pytree of arrays [B, ...]
Projected = Any  # a pytree of arrays, [B, T, ...] for all steps or [B, ...] for one step

_STEPS = ("step", "combine", "recurrent_product")  # the last two are those of a GatedCell


class Parameter(NamedTuple):
    """A parameter before it has a value.

    Attributes:
        init: the function (random key, shape) -> initial value.
        shape: the shape of the array.
    """

    init: Callable[[Array, tuple[int, ...]], Array]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Cell(ABC):
    """A recurrent cell of H units; docs/add_a_cell.md shows how to write one.

    Attributes:
        size: H, the width of the output.
        init_scale: kernels start uniform in (-init_scale, init_scale); 0 means the cell's own
            initialization. State space models, whose kernels have to fit each other, always start
            in their own way.
        forget_bias: the initial bias of the forget gates of an LSTM, its variants and an sLSTM. The
            biases of other gates start at zero, or as the cell says.
        matmul_dtype: the precision of the products, see `zoo.layers.linear.product`; None means the
            precision of the parameters.
        recurrent_weights: the names of the parameters that multiply the state. Weight dropout drops
            elements of them.
        fixed_states: the positions of those arrays in the state that always start at the values of
            `initial_state`, for example a sum that the output is divided by. Other arrays may be
            learned, or computed by an encoder, see zoo/layers/start.py.
        reads_lookup: whether `project` accepts a `Lookup`, as `zoo.layers.linear.affine` does.
    """

    size: int
    init_scale: float = 0.0
    forget_bias: float = 1.0
    matmul_dtype: str | None = None

    recurrent_weights: ClassVar[tuple[str, ...]] = ()
    fixed_states: ClassVar[tuple[int, ...]] = ()
    reads_lookup: ClassVar[bool] = False

    @abstractmethod
    def parameters(self, input_size: int) -> dict[str, Parameter]:
        """Returns all parameters by name, for inputs with D features."""

    @abstractmethod
    def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
        """Returns the state before the first step if it is not learned: arrays [B, ...]."""

    @abstractmethod
    def project(self, params: Params, inputs: Inputs) -> Projected:
        """Returns the inputs [B, T, D] in the form that the steps read: arrays [B, T, ...]."""

    @abstractmethod
    def step(self, params: Params, state: State, projected: Projected) -> tuple[State, Array]:
        """Computes one step in time: the next state, and the output [B, H]."""

    @property
    def derivative(self) -> Derivative | None:
        """One step and its hand-written derivative; None means that JAX derives it."""
        return None

    def coefficients(self, params: Params, projected: Projected) -> tuple[State, State] | None:
        """Returns a_t and b_t of a cell with state_t = a_t * state_{t-1} + b_t, elementwise.

        They allow a prefix sum to compute all steps at once. Each is a tuple of arrays [B, T, ...],
        one for each array [B, ...] of the state. None means that the cell has another form.
        """
        del params, projected
        return None

    def read(self, params: Params, states: State, projected: Projected) -> Array:
        """Returns the outputs [B, T, H] of a cell with `coefficients` from its states."""
        del params, projected
        return states[0]

    def chunks(
        self, params: Params, projected: Projected, start: State, real: Array | None
    ) -> tuple[Array, State] | None:
        """Computes many steps at once, if the cell has such a form; otherwise returns None.

        Args:
            params: the cell's parameters.
            projected: arrays [B, T, ...].
            start: the state before the first step.
            real: bool[B, T], False at padding, which must not change the state; None means that
                there is no padding.

        Returns:
            The outputs [B, T, H], with any values at padding, and the state after the last step.
        """
        del params, projected, start, real
        return None

    @classmethod
    def computes_its_step(cls, form: str) -> bool:
        """Returns whether a faster form computes the step of this class, and not one of a base.

        Args:
            form: "derivative", "coefficients" or "chunks".
        """
        for one in cls.__mro__:
            if form in vars(one):
                return True
            if any(name in vars(one) for name in _STEPS):
                return False
        return False
