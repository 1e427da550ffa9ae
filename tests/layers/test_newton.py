"""Newton's method over time gives what the loop gives: states, outputs and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.layers.cells import make_cell
from zoo.layers.fast.newton import Steps, find_states
from zoo.layers.recurrent import recurrence

CELLS = ("elman", "gru", "lstm")  # states of one array and of two; a forgetful and a lasting one
B, T, D, H = 3, 40, 4, 6
LENGTHS = np.array([40, 17, 1], np.int32)


def problem(name):
    cell = make_cell(name, H)
    draw = np.random.default_rng(0).normal
    params = {
        label: jnp.asarray(0.5 * draw(size=parameter.shape), jnp.float32)
        for label, parameter in cell.parameters(D).items()
    }
    inputs = jnp.asarray(draw(size=(B, T, D)), jnp.float32)
    resets = jnp.asarray(np.random.default_rng(1).random((B, T)) < 0.1)
    weights = jnp.asarray(draw(size=(B, T, H)), jnp.float32)
    return cell, params, inputs, resets, weights


@pytest.mark.parametrize("scan", ["newton", "quasi_newton"])
@pytest.mark.parametrize("name", CELLS)
def test_outputs_carry_and_gradients_are_those_of_the_loop(name, scan):
    cell, params, inputs, resets, weights = problem(name)

    def loss(params, inputs, start, scan):
        found = recurrence(cell, params, inputs, start, lengths=LENGTHS, resets=resets, scan=scan)
        total = (weights * found.outputs).sum() + sum(x.sum() for x in found.carry)
        return total, found

    start = jax.tree.map(lambda x: x + 0.3, cell.initial_state(B))
    run = jax.jit(jax.grad(loss, argnums=(0, 1, 2), has_aux=True), static_argnums=3)
    found, wanted = (run(params, inputs, start, way) for way in (scan, "sequential"))
    for got, right in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-4, atol=1e-5)


def test_the_first_round_is_the_formula():
    """One round from zero, written as a loop over steps in NumPy."""
    cell, params, inputs, _, _ = problem("elman")
    projected = cell.project(params, inputs).swapaxes(0, 1)
    start = cell.initial_state(B)
    kernel = np.asarray(params["recurrent_kernel"], np.float64)
    wanted = np.zeros((B, H))
    for step, drive in enumerate(np.asarray(projected, np.float64)):
        value = np.tanh(drive)  # f_t(0)
        slope = (1 - value**2)[:, :, None] * kernel.T  # [B, N, N]
        wanted = value + (np.einsum("bnm,bm->bn", slope, wanted) if step else 0)
    first = Steps(params, projected, start, start, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.layers.fast.newton._TOLERANCE", 1e30)
        found = find_states(cell, first)
    assert int(found.rounds) == 1
    np.testing.assert_allclose(found.states[0][-1], wanted, rtol=1e-4, atol=1e-5)


def test_what_forgets_takes_few_rounds_and_nothing_takes_more_than_steps():
    cell, params, inputs, _, _ = problem("gru")
    projected, start = cell.project(params, inputs).swapaxes(0, 1), cell.initial_state(B)
    assert int(find_states(cell, Steps(params, projected, start, start, None)).rounds) < 12
    wild = jax.tree.map(lambda x: 3 * x, params)
    steps = Steps(wild, cell.project(wild, inputs).swapaxes(0, 1), start, start, None)
    found = find_states(cell, steps)
    assert int(found.rounds) <= T
    plain = recurrence(cell, wild, inputs, scan="sequential").outputs.swapaxes(0, 1)
    np.testing.assert_allclose(found.states[0], plain, rtol=1e-2, atol=1e-3)


def test_truncation_is_refused():
    cell, params, inputs, _, _ = problem("gru")
    with pytest.raises(UserError, match="no truncation"):
        recurrence(cell, params, inputs, truncation=3, scan="newton")
