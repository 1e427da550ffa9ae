"""The compiled program: where the matrix products stand, and in which precision they run."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from plain_loop import EQUATIONS, LENGTHS, RESETS, random_gradient, random_problem, run

from zoo.layers.linear import affine, product

every_cell = pytest.mark.parametrize("name", EQUATIONS)


def num_gates(name: str) -> int:
    return EQUATIONS[name].num_gates


def equations(jaxpr: Any) -> Iterator[Any]:
    """All equations of a jaxpr, those of inner jaxprs included."""
    for equation in jaxpr.eqns:
        yield equation
        for parameter in equation.params.values():
            for inner in parameter if isinstance(parameter, tuple | list) else [parameter]:
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from equations(inner)


def products(jaxpr: Any) -> list[Any]:
    return [e for e in equations(jaxpr) if e.primitive.name == "dot_general"]


def loops(jaxpr: Any) -> list[Any]:
    return [e for e in equations(jaxpr) if e.primitive.name in ("scan", "while")]


def body(loop: Any) -> Any:
    return loop.params["jaxpr" if loop.primitive.name == "scan" else "body_jaxpr"].jaxpr


def program(name: str, **options: Any) -> Any:
    """The jaxpr of a run with its gradients; B 2, T 5, D 4, H 3."""
    problem, grad = random_problem(name, batch=2), random_gradient(name, batch=2)

    def both(problem: Any, grad: Any) -> Any:
        return run.__wrapped__(name, problem, grad, **options)

    return jax.make_jaxpr(both)(*jax.tree.map(jnp.float32, (problem, grad))).jaxpr


@every_cell
def test_only_the_recurrent_product_is_inside_the_loops(name: str) -> None:
    """Forward and backward are one loop each with one product, of h or of d s_t with U; the
    products with x_t and those for the gradients of W and U cover all steps and stand outside."""
    jaxpr, width = program(name, lengths=LENGTHS[:2], resets=RESETS[:2]), 3 * num_gates(name)
    shapes = [
        [variable.aval.shape for variable in equation.invars]
        for loop in loops(jaxpr)
        for equation in products(body(loop))
    ]
    assert len(loops(jaxpr)) == 2
    assert shapes == [[(2, 3), (3, width)], [(2, width), (width, 3)]]
    assert len(products(jaxpr)) == 6  # in the loops 2; outside W x, dU, dW, dx


@pytest.mark.parametrize("truncation", [0, 3])
@every_cell
def test_no_weight_gradient_is_added_up_inside_a_loop(name: str, truncation: int) -> None:
    """Loops give states and activations [B, G*H], nothing of the size of W, U or a Jacobian."""
    width = 3 * num_gates(name)
    jaxpr = program(name, truncation=truncation)
    assert len(loops(jaxpr)) == 2
    given = {v.aval.shape[-2:] for loop in loops(jaxpr) for v in body(loop).outvars}
    assert given - {()} <= {(2, 3), (2, width)}


def rounded(x: Any) -> np.ndarray:
    return np.asarray(x, np.float32).astype(ml_dtypes.bfloat16).astype(np.float32)


def test_a_bfloat16_product_rounds_its_operands_and_adds_up_in_float32() -> None:
    draw = np.random.default_rng(2).normal
    x, kernel, bias = draw(size=(6, 50)), draw(size=(50, 7)), draw(size=7)
    grad = draw(size=(6, 7))
    x, kernel, bias, grad = (jnp.float32(array) for array in (x, kernel, bias, grad))
    result, pull = jax.vjp(lambda x, kernel: product(x, kernel, "bfloat16"), x, kernel)
    grad_x, grad_kernel = pull(grad)

    assert result.dtype == grad_x.dtype == grad_kernel.dtype == jnp.float32
    np.testing.assert_allclose(result, rounded(x) @ rounded(kernel), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(grad_x, rounded(grad) @ rounded(kernel).T, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(grad_kernel, rounded(x).T @ rounded(grad), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(affine(x, kernel, bias, "bfloat16"), result + bias[None, :])


def test_affine_works_over_the_last_axis() -> None:
    draw = np.random.default_rng(2).normal
    x, kernel, bias = draw(size=(2, 3, 4)), draw(size=(4, 5)), draw(size=5)
    wanted = np.einsum("btd,dh->bth", x, kernel) + bias
    got = affine(*(jnp.float32(array) for array in (x, kernel, bias)))
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_every_product_has_bfloat16_operands_where_asked_for() -> None:
    for truncation in (0, 3):
        for equation in products(program("lstm", dtype="bfloat16", truncation=truncation)):
            assert {str(v.aval.dtype) for v in equation.invars} == {"bfloat16"}
            assert equation.outvars[0].aval.dtype == jnp.float32


@pytest.mark.parametrize("name", ["elman", "gru", "lstm"])
def test_bfloat16_is_close_and_is_not_the_same(name: str) -> None:
    """Outputs, carry and gradients stay float32, differ, and by no more than bfloat16 explains."""
    problem, grad = random_problem(name), random_gradient(name)
    exact = run(name, problem, grad, LENGTHS)
    rough = run(name, problem, grad, LENGTHS, dtype="bfloat16")
    for a, b in zip(*map(jax.tree.leaves, (rough, exact)), strict=True):
        assert a.dtype == b.dtype == jnp.float32
        np.testing.assert_allclose(a, b, rtol=0, atol=3e-2 * np.abs(b).max())
    for a, b in (
        (rough[0].outputs, exact[0].outputs),
        (rough[1].weights.input_kernel, exact[1].weights.input_kernel),
        (rough[1].weights.recurrent_kernel, exact[1].weights.recurrent_kernel),
    ):
        assert np.abs(a - b).max() > 1e-5
