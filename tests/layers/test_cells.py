"""One step of each cell against its documented equations, and its derivative against autodiff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain_loop import EQUATIONS, logistic

from zoo.errors import UserError
from zoo.layers.cells import cell_names, check_cell, make_cell
from zoo.layers.fast.derivative import Derivative
from zoo.layers.recurrent import recurrence

NAMES = cell_names()  # before any test or example registers one of its own


def random_step(name: str, shape: tuple[int, ...] = (3, 2), scale: float = 1.0) -> tuple:
    """a_t, s_t and carry_{t-1}, arrays [*shape, G*H] and [*shape, H] with H = 4."""
    draw, cell = np.random.default_rng(3).normal, EQUATIONS[name]
    wide, narrow = (*shape, 4 * cell.num_gates), (*shape, 4)
    carry = tuple(draw(size=narrow) for _ in range(cell.num_states))
    return scale * draw(size=wide), scale * draw(size=wide), carry


def derivative(name: str) -> Derivative:
    found = make_cell(name, size=4).derivative
    assert found is not None
    return found


def test_every_cell_with_a_derivative_has_a_row() -> None:
    names = {name for name in NAMES if make_cell(name, size=1).computes_its_step("derivative")}
    assert set(EQUATIONS) == names


@pytest.mark.parametrize("name", EQUATIONS)
def test_forward_equals_the_equations(name: str) -> None:
    a, s, previous = random_step(name)
    carry, _ = jax.jit(derivative(name).forward)(*jax.tree.map(jnp.asarray, (a, s, previous)))
    expected = EQUATIONS[name].step(np, a, s, previous)
    assert len(carry) == EQUATIONS[name].num_states
    for array, wanted in zip(carry, expected, strict=True):
        assert array.dtype == jnp.float32
        np.testing.assert_allclose(array, wanted, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", EQUATIONS)
@pytest.mark.usefixtures("float64")
def test_backward_equals_autodiff_of_the_equations(name: str) -> None:
    """For one step [B, ...] and for many at once [T, B, ...], with any gradient of the carry."""
    cell = derivative(name)
    for shape in ((3,), (3, 2)):
        a, s, previous = jax.tree.map(jnp.asarray, random_step(name, shape))
        grad = tuple(jnp.asarray(g) for g in np.random.default_rng(5).normal(size=(2, *shape, 4)))
        grad = grad[: len(previous)]
        carry, residuals = cell.forward(a, s, previous)
        got = cell.backward(residuals, previous, carry, grad)
        _, pull = jax.vjp(lambda *x: EQUATIONS[name].step(jnp, *x), a, s, previous)
        for array, wanted in zip(jax.tree.leaves(got), jax.tree.leaves(pull(grad)), strict=True):
            np.testing.assert_allclose(array, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", EQUATIONS)
def test_saturated_gates_stay_finite(name: str) -> None:
    """At sums of +-1e6 no state and no derivative is NaN, and a saturated gate passes nothing."""
    cell = derivative(name)
    a, s, previous = jax.tree.map(jnp.float32, random_step(name, scale=1e6))
    carry, residuals = cell.forward(a, s, previous)
    grad = tuple(jnp.ones_like(array) for array in carry)
    got = cell.backward(residuals, previous, carry, grad)
    assert all(bool(jnp.isfinite(array).all()) for array in jax.tree.leaves((carry, got)))
    if name != "elman_relu":
        np.testing.assert_array_equal(got.projected, 0)


def test_relu_is_off_at_zero() -> None:
    cell, zero = derivative("elman_relu"), jnp.zeros((1, 1))
    carry, residuals = cell.forward(zero, zero, (zero,))
    got = cell.backward(residuals, (zero,), carry, (jnp.ones((1, 1)),))
    assert float(got.projected[0, 0]) == 0.0


def test_an_unknown_cell_names_those_there_are() -> None:
    with pytest.raises(UserError, match=r"'gruu'.*elman, .*gru, lstm"):
        check_cell("model.cell", "gruu")


def test_the_steps_of_a_peephole_lstm_equal_their_equations() -> None:
    """In plain NumPy: i and f see the last memory, o the new one."""
    cell, draw = make_cell("peephole_lstm", size=4), np.random.default_rng(6).normal
    params = {name: draw(size=shape) for name, (_, shape) in cell.parameters(3).items()}
    inputs, h, c = draw(size=(2, 6, 3)), draw(size=(2, 4)), draw(size=(2, 4))
    found = recurrence(
        cell, *jax.tree.map(jnp.float32, (params, inputs, (h, c))), scan="sequential"
    )
    kernel = np.concatenate([params["input_kernel"], params["recurrent_kernel"]])
    for t in range(6):
        i, f, g, o = np.split(np.concatenate([inputs[:, t], h], 1) @ kernel + params["bias"], 4, 1)
        i, f = (
            logistic(np, i + params["input_peephole"] * c),
            logistic(np, f + params["forget_peephole"] * c),
        )
        c = f * c + i * np.tanh(g)
        h = logistic(np, o + params["output_peephole"] * c) * np.tanh(c)
        np.testing.assert_allclose(found.outputs[:, t], h, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.carry[1], c, rtol=1e-4, atol=1e-5)
