"""What running a cell over a batch gives, and what changes nothing: cuts, padding, batch mates."""

from typing import Any

import jax
import numpy as np
import pytest
from plain_loop import (
    EQUATIONS,
    LENGTHS,
    RESETS,
    Problem,
    random_gradient,
    random_problem,
    run,
    run_loop,
    unroll,
)

from zoo.layers.cells import get_cell
from zoo.layers.recurrence import Recurrence, recurrence, reverse_sequences

pytestmark = pytest.mark.usefixtures("float64")
every_cell = pytest.mark.parametrize("name", EQUATIONS)
both_directions = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


def assert_close(got: Any, wanted: Any, rtol: float = 1e-11, atol: float = 1e-12) -> None:
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def at(problem: Any, rows: Any, steps: Any = slice(None)) -> Any:
    """Some rows and steps of a Problem or of a Recurrence; weights stay whole."""
    changed = {}
    for field, value in problem._asdict().items():
        if field in ("inputs", "outputs"):
            changed[field] = value[rows, steps]
        elif field in ("carry", "initial"):
            changed[field] = tuple(state[rows] for state in value)
    return problem._replace(**changed)


@both_directions
@every_cell
def test_values_and_gradients_equal_the_plain_loop(name: str, reverse: bool) -> None:
    """Outputs and carry equal the loop in NumPy; gradients of inputs, all four weights, start
    carry and initial state equal autodiff of the loop: with padding and resets, and without."""
    problem, grad = random_problem(name), random_gradient(name)
    whole, no_resets = np.full(3, 5), np.zeros((3, 5), bool)
    for lengths, resets in ((LENGTHS, RESETS), (None, None)):
        options = (
            whole if lengths is None else lengths,
            no_resets if resets is None else resets,
        )
        result, gradient = run(name, problem, grad, lengths, resets, reverse=reverse)
        assert_close(result, unroll(np, name, problem, *options, reverse=reverse))
        assert_close(gradient, run_loop(name, problem, grad, *options, reverse=reverse)[1])


@every_cell
def test_what_is_left_out_is_zero_or_nothing(name: str) -> None:
    """No carry: the initial state. No initial state: zeros. No recurrent bias: none."""
    problem = random_problem(name)
    bare = problem.weights._replace(recurrent_bias=None)
    zeros = tuple(np.zeros_like(state) for state in problem.initial)
    zero_bias = problem.weights._replace(recurrent_bias=np.zeros(problem.weights.bias.shape))
    arguments = (get_cell(name), jax.numpy.asarray(problem.inputs))

    got = recurrence(*arguments, bare, resets=RESETS)
    from_zero = problem._replace(weights=zero_bias, carry=zeros, initial=zeros)
    assert_close(got, unroll(np, name, from_zero, np.full(3, 5), RESETS))

    initial = tuple(jax.numpy.asarray(state) for state in problem.initial)
    got = recurrence(*arguments, bare, initial=initial)
    from_initial = problem._replace(weights=zero_bias, carry=problem.initial)
    no_resets = np.zeros_like(RESETS)
    assert_close(got, unroll(np, name, from_initial, np.full(3, 5), no_resets))


@pytest.mark.parametrize(
    ("name", "cut", "reverse"),
    [(name, cut, False) for name in ("elman", "gru", "lstm") for cut in (2, 3)]
    + [("lstm", 1, False), ("lstm", 4, False), ("lstm", 3, True)],
)
def test_cut_in_two_with_the_carry_passed_on(name: str, cut: int, reverse: bool) -> None:
    """The two runs give the outputs, carry and gradients of the one run."""
    problem, grad = random_problem(name), random_gradient(name)
    whole, gradient = run(name, problem, grad, reverse=reverse)
    every, parts = slice(None), [slice(None, cut), slice(cut, None)]
    first, second = reversed(parts) if reverse else parts

    before, _ = run(name, at(problem, every, first), at(grad, every, first), reverse=reverse)
    rest = at(problem, every, second)._replace(carry=before.carry)
    after, grad_rest = run(name, rest, at(grad, every, second), reverse=reverse)
    outputs = [after.outputs, before.outputs] if reverse else [before.outputs, after.outputs]
    assert_close(Recurrence(np.concatenate(outputs, axis=1), after.carry), whole)

    grad_before = at(grad, every, first)._replace(carry=grad_rest.carry)
    _, grad_first = run(name, at(problem, every, first), grad_before, reverse=reverse)
    weights = jax.tree.map(np.add, grad_first.weights, grad_rest.weights)
    assert_close((weights, grad_first.carry), (gradient.weights, gradient.carry))


@both_directions
@every_cell
def test_padding_and_batch_mates_change_nothing(name: str, reverse: bool) -> None:
    """Row 1 alone in a bucket of its own 3 steps, and row 1 of 3 rows padded to 5 steps with huge
    numbers: the same outputs, carry and gradients, and padding gives zeros and gets none."""
    problem, grad, row = random_problem(name), random_gradient(name), slice(1, 2)
    alone, grad_alone = run(
        name,
        at(problem, row, slice(3)),
        at(grad, row, slice(3)),
        LENGTHS[row],
        RESETS[row, :3],
        reverse=reverse,
    )
    problem.inputs[1, 3:] = 1e30
    problem.inputs[2, 1:] = -1e30
    only_row = jax.tree.map(np.zeros_like, grad)
    only_row.outputs[row] = grad.outputs[row]
    for array, wanted in zip(only_row.carry, grad.carry, strict=True):
        array[row] = wanted[row]
    result, gradient = run(name, problem, only_row, LENGTHS, RESETS, reverse=reverse)

    assert_close(at(result, row, slice(3)), alone)
    assert_close(at(gradient, row, slice(3)), grad_alone)
    np.testing.assert_array_equal(result.outputs[1, 3:], 0)
    np.testing.assert_array_equal(gradient.inputs[1, 3:], 0)
    np.testing.assert_array_equal(gradient.inputs[::2], 0)


@every_cell
def test_the_order_of_the_rows_changes_nothing(name: str) -> None:
    problem, grad, order = random_problem(name), random_gradient(name), np.array([2, 0, 1])
    result, gradient = run(name, problem, grad, LENGTHS, RESETS)
    mixed = (at(problem, order), at(grad, order), LENGTHS[order], RESETS[order])
    result_mixed, gradient_mixed = run(name, *mixed)
    assert_close(result_mixed, at(result, order))
    assert_close(gradient_mixed, at(gradient, order))


@pytest.mark.parametrize("garbage", [np.nan, np.inf])
def test_not_a_number_in_padding_changes_no_output(garbage: float) -> None:
    """Only values are promised: in gradients, 0 * NaN is NaN. Batches are padded with tokens."""
    problem, grad = random_problem("lstm"), random_gradient("lstm")
    clean, _ = run("lstm", problem, grad, LENGTHS, RESETS)
    problem.inputs[np.arange(5)[None, :] >= LENGTHS[:, None]] = garbage
    dirty, _ = run("lstm", problem, grad, LENGTHS, RESETS)
    assert_close(dirty, clean, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["elman", "lstm"])
def test_reverse_starts_at_the_last_real_token(name: str) -> None:
    """Each row reversed is the flipped real part run forward, flipped back."""
    problem = jax.tree.map(jax.numpy.asarray, random_problem(name))
    cell, weights = get_cell(name), problem.weights
    result = recurrence(cell, problem.inputs, weights, problem.carry, lengths=LENGTHS, reverse=True)
    for row, length in enumerate(LENGTHS):
        rows = slice(row, row + 1)
        flipped = problem.inputs[rows, :length][:, ::-1]
        carry = tuple(state[rows] for state in problem.carry)
        wanted = recurrence(cell, flipped, weights, carry)
        assert_close(result.outputs[rows, :length], wanted.outputs[:, ::-1])
        assert_close(tuple(state[rows] for state in result.carry), wanted.carry)


@pytest.mark.parametrize("name", ["elman", "gru", "lstm"])
def test_a_reset_equals_two_separate_pieces(name: str) -> None:
    """A reset before step 2 is two runs, the second from the initial state; its gradient is what
    the second run gives its start, and nothing passes the cut."""
    problem, grad, every = random_problem(name), random_gradient(name), slice(None)
    resets = np.broadcast_to(np.arange(5) == 2, (3, 5))
    result, gradient = run(name, problem, grad, np.full(3, 5), resets)

    first, second = slice(2), slice(2, None)
    nothing = tuple(np.zeros_like(state) for state in grad.carry)
    before, grad_first = run(
        name, at(problem, every, first), at(grad, every, first)._replace(carry=nothing)
    )
    restarted = at(problem, every, second)._replace(carry=problem.initial)
    after, grad_second = run(name, restarted, at(grad, every, second))

    outputs = np.concatenate([before.outputs, after.outputs], axis=1)
    assert_close(result, Recurrence(outputs, after.carry))
    inputs = np.concatenate([grad_first.inputs, grad_second.inputs], axis=1)
    weights = jax.tree.map(np.add, grad_first.weights, grad_second.weights)
    assert_close(gradient, Problem(inputs, weights, grad_first.carry, grad_second.carry))


@pytest.mark.parametrize("window", [0, 2])
def test_resets_may_cover_the_first_steps_only(window: int) -> None:
    """resets [B, 1] and [B, 3] equal the same resets in [B, T], gradients included."""
    problem, grad = random_problem("elman"), random_gradient("elman")
    for width in (1, 3):
        first = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], bool)[:, :width]
        wide = np.pad(first, ((0, 0), (0, 5 - width)))
        got = run("elman", problem, grad, LENGTHS, first, window=window)
        assert_close(got, run("elman", problem, grad, LENGTHS, wide, window=window))


def test_reverse_sequences_is_its_own_inverse_and_keeps_padding() -> None:
    x = np.random.default_rng(0).normal(size=(3, 5, 2))
    flipped = reverse_sequences(jax.numpy.asarray(x), LENGTHS)
    for row, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(flipped[row, :length], x[row, :length][::-1])
        np.testing.assert_array_equal(flipped[row, length:], x[row, length:])
    np.testing.assert_array_equal(reverse_sequences(flipped, LENGTHS), x)
    np.testing.assert_array_equal(reverse_sequences(jax.numpy.asarray(x), None), x[:, ::-1])
