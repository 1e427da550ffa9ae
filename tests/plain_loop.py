"""The documented equations of every cell in a plain loop over time, and random problems for it.

The equations are written from the docstrings of zoo/layers, not from their code. `xp` is NumPy, for
values, or jax.numpy, so that autodiff of the loop gives gradients to compare with.
"""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zoo.layers.cells import make_cell
from zoo.layers.recurrent import Recurrence, recurrence


def logistic(xp: ModuleType, x: Any) -> Any:
    return 1 / (1 + xp.exp(-x))


def elman(xp: ModuleType, a: Any, s: Any, carry: tuple) -> tuple:
    return (xp.tanh(a + s),)


def elman_relu(xp: ModuleType, a: Any, s: Any, carry: tuple) -> tuple:
    return (xp.maximum(a + s, 0),)


def elman_logistic(xp: ModuleType, a: Any, s: Any, carry: tuple) -> tuple:
    return (logistic(xp, a + s),)


def gru(xp: ModuleType, a: Any, s: Any, carry: tuple) -> tuple:
    (a_r, a_z, a_n), (s_r, s_z, s_n) = xp.split(a, 3, axis=-1), xp.split(s, 3, axis=-1)
    r = logistic(xp, a_r + s_r)
    z = logistic(xp, a_z + s_z)
    n = xp.tanh(a_n + r * s_n)
    return ((1 - z) * n + z * carry[0],)


def lstm(xp: ModuleType, a: Any, s: Any, carry: tuple) -> tuple:
    a_i, a_f, a_g, a_o = xp.split(a + s, 4, axis=-1)
    c = logistic(xp, a_f) * carry[1] + logistic(xp, a_i) * xp.tanh(a_g)
    return logistic(xp, a_o) * xp.tanh(c), c


class CellEquations(NamedTuple):
    """One row of the table of cells: step(xp, a_t, s_t, carry) -> carry."""

    num_gates: int
    num_states: int
    step: Callable[[ModuleType, Any, Any, tuple], tuple]


EQUATIONS = {
    "elman": CellEquations(1, 1, elman),
    "elman_relu": CellEquations(1, 1, elman_relu),
    "elman_logistic": CellEquations(1, 1, elman_logistic),
    "gru": CellEquations(3, 1, gru),
    "lstm": CellEquations(4, 2, lstm),
}


class Weights(NamedTuple):
    """W [D, G*H], U [H, G*H], b [G*H], and b_n [H] inside a GRU's reset gate; else None."""

    input_kernel: Any
    recurrent_kernel: Any
    bias: Any
    candidate_bias: Any = None

    def params(self) -> dict[str, Any]:
        """By the names of `zoo.layers.cells`."""
        return {name: array for name, array in self._asdict().items() if array is not None}


class Problem(NamedTuple):
    """The differentiable arguments of a recurrence."""

    inputs: Any
    weights: Weights
    carry: tuple
    initial: tuple


LENGTHS = np.array([5, 3, 1])
RESETS = np.array([[0, 0, 0, 1, 0], [1, 0, 0, 0, 0], [0, 0, 1, 0, 0]], bool)  # the last in padding


def random_problem(
    name: str, batch: int = 3, steps: int = 5, features: int = 4, hidden: int = 3
) -> Problem:
    """Random NumPy arrays, float64, the same ones in every call."""
    draw = np.random.default_rng(7).normal
    width = EQUATIONS[name].num_gates * hidden
    states = [draw(size=(batch, hidden)) for _ in range(2 * EQUATIONS[name].num_states)]
    return Problem(
        inputs=draw(size=(batch, steps, features)),
        weights=Weights(
            0.6 * draw(size=(features, width)),
            0.6 * draw(size=(hidden, width)),
            0.3 * draw(size=width),
            0.3 * draw(size=hidden) if name == "gru" else None,
        ),
        carry=tuple(states[::2]),
        initial=tuple(states[1::2]),
    )


def random_gradient(name: str, batch: int = 3, steps: int = 5, hidden: int = 3) -> Recurrence:
    """A random gradient of the outputs and of the final carry, NumPy float64."""
    draw = np.random.default_rng(8).normal
    states = tuple(draw(size=(batch, hidden)) for _ in range(EQUATIONS[name].num_states))
    return Recurrence(draw(size=(batch, steps, hidden)), states)


def recurrent_sum(xp: ModuleType, weights: Weights, hidden: Any) -> Any:
    """s_t of a state [B, H]."""
    s = hidden @ weights.recurrent_kernel
    if weights.candidate_bias is None:
        return s
    size = hidden.shape[-1]
    return xp.concatenate([s[:, : 2 * size], s[:, 2 * size :] + weights.candidate_bias[None]], 1)


def unroll(
    xp: ModuleType,
    name: str,
    problem: Problem,
    lengths: Any,
    resets: Any,
    *,
    reverse: bool = False,
    hold: Callable[[int, Any], Any] = lambda step, tree: tree,
) -> Recurrence:
    """The loop: at padding the state stays as it is and the output is zero.

    Args:
        xp: numpy or jax.numpy.
        name: a cell.
        problem: see Problem.
        lengths: [B].
        resets: bool[B, T].
        reverse: walk from the last step to the first.
        hold: called with the index of a step, in the order of travel, and with what belongs to that
            step; for gradients it may make that constant. The start belongs to step -1.
    """
    cell, carry, outputs = EQUATIONS[name], problem.carry, {}
    times = range(problem.inputs.shape[1])
    for step, t in enumerate(reversed(times) if reverse else times):
        real, reset = (t < lengths)[:, None], resets[:, t][:, None]
        entering = tuple(xp.where(reset, i, c) for i, c in zip(problem.initial, carry, strict=True))
        entering = hold(step - 1, entering)
        weights, x = hold(step, (problem.weights, problem.inputs[:, t]))
        a = x @ weights.input_kernel + weights.bias[None, :]
        s = recurrent_sum(xp, weights, entering[0])
        following = cell.step(xp, a, s, entering)
        carry = tuple(xp.where(real, new, old) for new, old in zip(following, carry, strict=True))
        outputs[t] = xp.where(real, following[0], 0)
    return Recurrence(xp.stack([outputs[t] for t in times], axis=1), carry)


def layer_loop(
    name: str,
    params: dict[str, Any],
    inputs: np.ndarray,
    carry: tuple | None = None,
    lengths: np.ndarray = LENGTHS,
    resets: np.ndarray = RESETS,
    reverse: bool = False,
) -> Recurrence:
    """The loop in NumPy with a RecurrentLayer's parameters; without a carry from its own start."""
    params, hidden = jax.tree.map(np.asarray, params), params["recurrent_kernel"].shape[0]
    initial = tuple(
        np.tile(params.get(f"initial_{index}", np.zeros(hidden)), (len(inputs), 1))
        for index in range(EQUATIONS[name].num_states)
    )
    weights = Weights(**{key: params[key] for key in Weights._fields if key in params})
    problem = Problem(inputs, weights, initial if carry is None else carry, initial)
    return unroll(np, name, problem, lengths, resets, reverse=reverse)


def run_loop(
    name: str, problem: Problem, grad: Recurrence, lengths: Any, resets: Any, reverse: bool = False
) -> tuple[Recurrence, Problem]:
    """The loop's result and, by autodiff, the gradient of every argument for that of the result."""

    @jax.jit
    def both(problem: Problem, grad: Recurrence) -> tuple[Recurrence, Problem]:
        result, pull = jax.vjp(
            lambda problem: unroll(jnp, name, problem, lengths, resets, reverse=reverse), problem
        )
        return result, pull(grad)[0]

    return both(problem, grad)


@partial(jax.jit, static_argnames=("name", "reverse", "truncation", "dtype", "scan"))
def run(
    name: str,
    problem: Problem,
    grad: Recurrence,
    lengths: Any = None,
    resets: Any = None,
    *,
    reverse: bool = False,
    truncation: int = 0,
    dtype: str | None = None,
    scan: str = "auto",
) -> tuple[Recurrence, Problem]:
    """The same from zoo.layers.recurrent. Compiled once for all the tests with the same shapes."""

    def forward(problem: Problem) -> Recurrence:
        return recurrence(
            make_cell(name, size=problem.carry[0].shape[1], matmul_dtype=dtype),
            problem.weights.params(),
            problem.inputs,
            problem.carry,
            initial=problem.initial,
            lengths=lengths,
            resets=resets,
            reverse=reverse,
            truncation=truncation,
            scan=scan,
        )

    result, pull = jax.vjp(forward, problem)
    return result, pull(grad)[0]
