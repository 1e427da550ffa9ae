"""What running a cell over a batch gives, and what changes nothing: cuts, padding, batch mates."""

from functools import partial
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
    run,
    run_loop,
    unroll,
)

from zoo.layers.cells import LSTM, MinGRU, make_cell
from zoo.layers.masks import reverse_sequences
from zoo.layers.recurrent import Recurrence, recurrence

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
    """Padded and with resets: outputs and carry equal the loop in NumPy; gradients of inputs, all
    four weights, start carry and initial state equal autodiff of the loop."""
    problem, grad, options = random_problem(name), random_gradient(name), (LENGTHS, RESETS)
    result, gradient = run(name, problem, grad, *options, reverse=reverse)
    assert_close(result, unroll(np, name, problem, *options, reverse=reverse))
    assert_close(gradient, run_loop(name, problem, grad, *options, reverse=reverse)[1])


@pytest.mark.parametrize("steps", [2, 8], ids=["turns and a rest", "no loop is left"])
def test_steps_that_share_a_turn_of_the_loop_change_nothing(
    monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """As on a GPU."""
    monkeypatch.setattr("zoo.layers.fast.ways._steps_a_turn", lambda _: steps)
    problem, grad, options = random_problem("lstm"), random_gradient("lstm"), (LENGTHS, RESETS)
    result, gradient = run("lstm", problem, grad, *options)
    assert_close(result, unroll(np, "lstm", problem, *options))
    assert_close(gradient, run_loop("lstm", problem, grad, *options)[1])


@pytest.mark.parametrize(("name", "reverse"), [("gru", False), ("lstm", False), ("lstm", True)])
def test_without_lengths_and_resets_all_steps_are_real(name: str, reverse: bool) -> None:
    problem, grad = random_problem(name), random_gradient(name)
    options = (np.full(3, 5), np.zeros((3, 5), bool))
    result, gradient = run(name, problem, grad, reverse=reverse)
    assert_close(result, unroll(np, name, problem, *options, reverse=reverse))
    assert_close(gradient, run_loop(name, problem, grad, *options, reverse=reverse)[1])


@every_cell
def test_what_is_left_out_is_zero_or_nothing(name: str) -> None:
    """No carry: the initial state. No initial state: zeros."""
    problem = random_problem(name)
    zeros = tuple(np.zeros_like(state) for state in problem.initial)
    inputs = jax.numpy.asarray(problem.inputs)
    arguments = (problem.weights.params(), inputs)
    layer = jax.jit(partial(recurrence, make_cell(name, size=3)))

    got = layer(*arguments, resets=RESETS)
    from_zero = problem._replace(carry=zeros, initial=zeros)
    assert_close(got, unroll(np, name, from_zero, np.full(3, 5), RESETS))

    initial = tuple(jax.numpy.asarray(state) for state in problem.initial)
    got = layer(*arguments, initial=initial)
    from_initial = problem._replace(carry=problem.initial)
    no_resets = np.zeros_like(RESETS)
    assert_close(got, unroll(np, name, from_initial, np.full(3, 5), no_resets))


def one_row_step_by_step(
    name: str, problem: Problem, grad: Recurrence, row: int, reverse: bool
) -> tuple[Recurrence, Problem]:
    """The real steps of one row, each a run of its own on the carry of the run before, or on the
    initial state where there is a reset; then the gradients, from the last run to the first."""
    length, one, resets = int(LENGTHS[row]), slice(row, row + 1), RESETS[row]
    times = list(range(length))[:: -1 if reverse else 1]
    carry, starts, outputs = at(problem, one).carry, {}, np.zeros_like(grad.outputs[one])
    for t in times:
        starts[t] = at(problem, one).initial if resets[t] else carry
        step = at(problem, one, slice(t, t + 1))._replace(carry=starts[t])
        result, _ = run(name, step, at(grad, one, slice(t, t + 1)))
        carry, outputs[:, t] = result.carry, result.outputs[:, 0]

    total = jax.tree.map(np.zeros_like, at(problem, one))
    back = at(grad, one).carry
    for t in reversed(times):
        step = at(problem, one, slice(t, t + 1))._replace(carry=starts[t])
        _, gradient = run(name, step, at(grad, one, slice(t, t + 1))._replace(carry=back))
        total.inputs[:, t] = gradient.inputs[:, 0]
        total = total._replace(weights=jax.tree.map(np.add, total.weights, gradient.weights))
        back = gradient.carry
        if resets[t]:
            total = total._replace(initial=jax.tree.map(np.add, total.initial, back))
            back = jax.tree.map(np.zeros_like, back)
    return Recurrence(outputs, carry), total._replace(carry=back)


@both_directions
@every_cell
def test_cuts_padding_batch_mates_and_resets_change_nothing(name: str, reverse: bool) -> None:
    """Three rows in one bucket, padded with huge numbers, equal each row by itself, without
    padding, cut at every step with the carry passed on, and cut for good at every reset. So do
    the gradients; padding gives zeros and gets none."""
    problem, grad = random_problem(name), random_gradient(name)
    alone = [one_row_step_by_step(name, problem, grad, row, reverse) for row in range(3)]
    problem.inputs[1, 3:] = 1e30
    problem.inputs[2, 1:] = -1e30
    result, gradient = run(name, problem, grad, LENGTHS, RESETS, reverse=reverse)
    for row, (result_alone, gradient_alone) in enumerate(alone):
        assert_close(at(result, slice(row, row + 1)), result_alone)
        own = at(gradient, slice(row, row + 1))._replace(weights=gradient_alone.weights)
        assert_close(own, gradient_alone)
    weights = jax.tree.map(lambda *rows: sum(rows), *[gradient.weights for _, gradient in alone])
    assert_close(gradient.weights, weights)


def test_cut_in_two_with_the_carry_passed_on() -> None:
    """Two runs of 2 and 3 steps give the outputs, carry and gradients of one run of 5."""
    problem, grad, every = random_problem("lstm"), random_gradient("lstm"), slice(None)
    whole, gradient = run("lstm", problem, grad)
    for first, second in ((slice(2), slice(2, 5)), (slice(3), slice(3, 5))):
        before, _ = run("lstm", at(problem, every, first), at(grad, every, first))
        rest = at(problem, every, second)._replace(carry=before.carry)
        after, grad_rest = run("lstm", rest, at(grad, every, second))
        outputs = np.concatenate([before.outputs, after.outputs], axis=1)
        assert_close(Recurrence(outputs, after.carry), whole)

        grad_before = at(grad, every, first)._replace(carry=grad_rest.carry)
        _, grad_first = run("lstm", at(problem, every, first), grad_before)
        weights = jax.tree.map(np.add, grad_first.weights, grad_rest.weights)
        assert_close((weights, grad_first.carry), (gradient.weights, gradient.carry))


@both_directions
@every_cell
@pytest.mark.parametrize("truncation", [0, 1, 3])
def test_the_plain_loop_and_the_hand_written_derivative_agree(
    name: str, reverse: bool, truncation: int
) -> None:
    """Values, gradients and truncation of `step` as JAX differentiates it."""
    problem, grad = random_problem(name), random_gradient(name)
    options = {"lengths": LENGTHS, "resets": RESETS, "reverse": reverse, "truncation": truncation}
    wanted = run(name, problem, grad, **options)
    assert_close(run(name, problem, grad, **options, scan="sequential"), wanted)


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
    cell, params = make_cell(name, size=3), problem.weights.params()
    layer, backward = (jax.jit(partial(recurrence, cell, reverse=way)) for way in (False, True))
    result = backward(params, problem.inputs, problem.carry, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        rows = slice(row, row + 1)
        flipped = problem.inputs[rows, :length][:, ::-1]
        carry = tuple(state[rows] for state in problem.carry)
        wanted = layer(params, flipped, carry)
        assert_close(result.outputs[rows, :length], wanted.outputs[:, ::-1])
        assert_close(tuple(state[rows] for state in result.carry), wanted.carry)


@pytest.mark.parametrize("truncation", [0, 2])
def test_resets_may_cover_the_first_steps_only(truncation: int) -> None:
    """resets [B, 1] and [B, 3] equal the same resets in [B, T], gradients included."""
    problem, grad = random_problem("elman"), random_gradient("elman")
    for width in (1, 3):
        first = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], bool)[:, :width]
        wide = np.pad(first, ((0, 0), (0, 5 - width)))
        got = run("elman", problem, grad, LENGTHS, first, truncation=truncation)
        assert_close(got, run("elman", problem, grad, LENGTHS, wide, truncation=truncation))


def test_reverse_sequences_is_its_own_inverse_and_keeps_padding() -> None:
    x = np.random.default_rng(0).normal(size=(3, 5, 2))
    flipped = reverse_sequences(jax.numpy.asarray(x), LENGTHS)
    for row, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(flipped[row, :length], x[row, :length][::-1])
        np.testing.assert_array_equal(flipped[row, length:], x[row, length:])
    np.testing.assert_array_equal(reverse_sequences(flipped, LENGTHS), x)
    np.testing.assert_array_equal(reverse_sequences(jax.numpy.asarray(x), None), x[:, ::-1])


def test_a_subclass_that_changes_the_step_loses_the_faster_forms_of_its_base() -> None:
    """Otherwise they would compute the step of the base."""

    class NoForgetting(LSTM):
        def combine(self, params: Any, state: Any, projected: Any, recurrent: Any) -> Any:
            i, f, g, o = jnp.split(projected + recurrent, 4, axis=-1)
            forgetting = jnp.concatenate([i, jnp.full_like(f, 1e3), g, o], axis=-1)
            return super().combine(params, state, forgetting, 0 * recurrent)

    class Halved(MinGRU):
        def step(self, params: Any, state: Any, projected: Any) -> Any:
            state, output = super().step(params, state, projected)
            return state, output / 2

    class Unlike(MinGRU):
        """Its inputs have another form, which the coefficients of the base cannot read."""

        def project(self, params: Any, inputs: Any) -> Any:
            return {"of_base": super().project(params, inputs)}

        def step(self, params: Any, state: Any, projected: Any) -> Any:
            return super().step(params, state, projected["of_base"])

    class Renamed(LSTM):
        pass

    assert Renamed(3).computes_its_step("derivative")
    keys = jax.random.split(jax.random.key(5), 9)
    inputs = jax.random.normal(keys[0], (2, 6, 4))
    for cell in (NoForgetting(3), Halved(3), Unlike(3)):
        params = {
            name: jax.random.normal(key, one.shape)
            for key, (name, one) in zip(keys[1:], cell.parameters(4).items(), strict=False)
        }
        wanted = recurrence(cell, params, inputs, scan="sequential")
        assert_close(recurrence(cell, params, inputs), wanted)
