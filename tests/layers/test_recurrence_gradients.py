"""The hand-written backward pass: finite differences, and truncation against brute force."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain_loop import (
    EQUATIONS,
    LENGTHS,
    RESETS,
    Problem,
    random_gradient,
    random_problem,
    recurrent_sum,
    run,
    unroll,
)

from zoo.layers.recurrent import Recurrence

pytestmark = pytest.mark.usefixtures("float64")
every_cell = pytest.mark.parametrize("name", EQUATIONS)
STEPS = 5


def assert_close(got: Any, wanted: Any, rtol: float = 1e-10, atol: float = 1e-11) -> None:
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def inner(first: Any, second: Any) -> float:
    return sum(jax.tree.leaves(jax.tree.map(lambda a, b: float((a * b).sum()), first, second)))


@every_cell
def test_gradients_equal_finite_differences(name: str) -> None:
    """One random direction in each argument: inputs, W, U, b, b_n, start carry, initial state."""
    problem, grad = random_problem(name), random_gradient(name)
    _, gradient = run(name, problem, grad, LENGTHS, RESETS)
    leaves, structure = jax.tree.flatten(problem)
    draw, step = np.random.default_rng(1).normal, 1e-6
    for index, leaf in enumerate(leaves):
        direction = draw(size=leaf.shape)

        def loss(move: float, index: int = index, direction: np.ndarray = direction) -> float:
            moved = [*leaves[:index], leaves[index] + move * direction, *leaves[index + 1 :]]
            result, _ = run(name, structure.unflatten(moved), grad, LENGTHS, RESETS)
            return inner(result, grad)

        slope = (loss(step) - loss(-step)) / (2 * step)
        assert abs(slope) > 1e-4
        assert slope == pytest.approx(inner(jax.tree.leaves(gradient)[index], direction), rel=1e-6)


@pytest.mark.parametrize(("name", "truncation"), [("lstm", STEPS), ("elman", STEPS + 1)])
def test_a_truncation_after_all_steps_is_no_truncation(name: str, truncation: int) -> None:
    problem, grad = random_problem(name), random_gradient(name)
    full = run(name, problem, grad, LENGTHS, RESETS)
    assert_close(
        run(name, problem, grad, LENGTHS, RESETS, truncation=truncation), full, 1e-13, 1e-14
    )


@pytest.mark.parametrize("name", ["elman", "gru", "lstm"])
def test_a_truncation_after_one_step_holds_every_previous_state_constant(name: str) -> None:
    """Plain backpropagation: the states before each step are computed first, as numbers; then
    every step is differentiated by itself."""
    problem, grad = random_problem(name), random_gradient(name)
    entering, carry = [], problem.carry
    for t in range(STEPS):
        reset = RESETS[:, t, None]
        start = [np.where(reset, i, c) for i, c in zip(problem.initial, carry, strict=True)]
        entering.append(start)
        one_step = problem._replace(inputs=problem.inputs[:, t : t + 1], carry=carry)
        carry = unroll(np, name, one_step, LENGTHS - t, RESETS[:, t : t + 1]).carry

    def loss(problem: Problem) -> jax.Array:
        total, weights = jnp.zeros(()), problem.weights
        for t in range(STEPS):
            a = problem.inputs[:, t] @ weights.input_kernel + weights.bias[None, :]
            s = recurrent_sum(jnp, weights, jnp.asarray(entering[t][0]))
            states = EQUATIONS[name].step(jnp, a, s, tuple(entering[t]))
            total += (grad.outputs[:, t] * states[0])[t < LENGTHS].sum()
            for state, grad_state in zip(states, grad.carry, strict=True):
                total += (grad_state * state)[t == LENGTHS - 1].sum()
        return total

    _, got = run(name, problem, grad, LENGTHS, RESETS, truncation=1)
    assert_close(got, jax.jit(jax.grad(loss))(jax.tree.map(jnp.asarray, problem)))
    for array in (*got.carry, *got.initial):
        np.testing.assert_array_equal(array, 0)


def truncated_by_brute_force(
    name: str,
    problem: Problem,
    grad: Recurrence,
    lengths: np.ndarray,
    resets: np.ndarray,
    truncation: int,
    reverse: bool,
) -> Problem:
    """For the loss at each step n by itself, autodiff of the plain loop in which the weights,
    inputs and states of every step up to n - truncation are constants; then the sum over n."""
    last = np.full_like(lengths, STEPS - 1) if reverse else lengths - 1  # step of the final carry

    def loss(problem: Problem, n: jax.Array) -> jax.Array:
        def hold(step: int, tree: Any) -> Any:
            within = step > n - truncation
            return jax.tree.map(lambda x: jnp.where(within, x, jax.lax.stop_gradient(x)), tree)

        result = unroll(jnp, name, problem, lengths, resets, reverse=reverse, hold=hold)
        outputs = result.outputs[:, ::-1] if reverse else result.outputs
        grad_outputs = grad.outputs[:, ::-1] if reverse else grad.outputs
        total = (outputs * grad_outputs).sum(axis=(0, 2))[n]
        for state, grad_state in zip(result.carry, grad.carry, strict=True):
            total += jnp.where(n == last, (state * grad_state).sum(axis=1), 0).sum()
        return total

    problem, grad = jax.tree.map(jnp.asarray, (problem, grad))
    each = jax.jit(jax.vmap(jax.grad(loss), in_axes=(None, 0)))(problem, jnp.arange(STEPS))
    return jax.tree.map(lambda array: array.sum(axis=0), each)


@pytest.mark.parametrize(
    ("name", "truncation", "reverse"),
    [(name, 2, False) for name in EQUATIONS]
    + [("lstm", 1, False), ("gru", 3, False), ("lstm", 3, False), ("lstm", 2, True)],
)
def test_truncation_equals_brute_force(name: str, truncation: int, reverse: bool) -> None:
    problem, grad = random_problem(name), random_gradient(name)
    options = (LENGTHS, RESETS)
    result, got = run(name, problem, grad, *options, truncation=truncation, reverse=reverse)
    assert_close(result, unroll(np, name, problem, *options, reverse=reverse))
    assert_close(got, truncated_by_brute_force(name, problem, grad, *options, truncation, reverse))
    _, full = run(name, problem, grad, *options, reverse=reverse)
    leaves = zip(jax.tree.leaves(got), jax.tree.leaves(full), strict=True)
    assert not all(np.allclose(a, b) for a, b in leaves), "nothing was truncated"


def test_truncation_without_lengths_and_resets() -> None:
    problem, grad = random_problem("lstm"), random_gradient("lstm")
    whole, no_resets = np.full(3, STEPS), np.zeros_like(RESETS)
    _, got = run("lstm", problem, grad, truncation=4)
    assert_close(got, truncated_by_brute_force("lstm", problem, grad, whole, no_resets, 4, False))
