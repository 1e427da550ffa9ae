"""Matrix recurrences by chunks, against a loop in NumPy; the cells: test_every_cell.py."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.layers.cells import make_cell
from zoo.layers.fast.chunks import MatrixSteps, run_chunks, unit_lower_inverse
from zoo.layers.recurrent import recurrence

B, T, N, K, V = 2, 67, 2, 4, 3
DRAW = np.random.default_rng(31)


def loop(steps: MatrixSteps, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    memory, outputs = np.asarray(start, np.float64).copy(), []
    for t in range(T):
        q, k, v = (np.asarray(array, np.float64)[:, t] for array in steps[:3])
        before = memory
        memory = np.exp(np.asarray(steps.log_decay, np.float64)[:, t])[..., None] * memory
        if steps.beta is not None:
            returned = np.einsum("bnkv,bnk->bnv", memory, k)
            v = np.asarray(steps.beta, np.float64)[:, t] * (v - returned)
        if steps.rewriting is not None:
            e, p = (np.asarray(array, np.float64)[:, t] for array in steps.rewriting)
            u = -np.einsum("bnkv,bnk->bnv", before, e)
            memory = memory + p[..., :, None] * u[..., None, :]
        memory = memory + k[..., :, None] * v[..., None, :]
        outputs.append(np.einsum("bnkv,bnk->bnv", memory, q))
    return np.stack(outputs, axis=1), memory


def draw(width: int) -> np.ndarray:
    return DRAW.normal(size=(B, T, N, width)).astype(np.float32)


@pytest.mark.parametrize("strength", [0.1, 30.0])  # with 30, exp of what is forgotten overflows
@pytest.mark.parametrize("rule", ["head", "unit", "delta", "rewriting"])
def test_chunks_are_the_loop(rule: str, strength: float) -> None:
    decay = -strength * np.abs(draw(K if rule in ("unit", "rewriting") else 1))
    k = draw(K)
    k /= np.linalg.norm(k, axis=-1, keepdims=True)
    beta = jnp.asarray(2 / (1 + np.exp(-draw(1)))) if rule == "delta" else None
    e = draw(K)
    e /= np.linalg.norm(e, axis=-1, keepdims=True)
    rewriting = (jnp.asarray(e), jnp.asarray(e / (1 + np.exp(-draw(K)))))
    steps = MatrixSteps(*(jnp.asarray(a) for a in (draw(K), k, draw(V), decay)), beta)
    if rule == "rewriting":
        steps = steps._replace(rewriting=rewriting)
    start = jnp.asarray(DRAW.normal(size=(B, N, K, V)), jnp.float32)
    wanted_y, wanted = loop(steps, start)
    y, last = jax.jit(run_chunks)(steps, start, None)
    np.testing.assert_allclose(y, wanted_y, rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(last, wanted, rtol=1e-4, atol=2e-5)
    grads = jax.jit(jax.grad(lambda steps: (run_chunks(steps, start, None)[0] ** 2).sum()))(steps)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))


def test_the_inverse_of_a_triangle_stays_exact_where_all_keys_are_one() -> None:
    """Then 2 L has entries of 2, whose powers grow fast, but the inverse's are 2 and -2."""
    lower = jnp.tril(jnp.full((32, 32), 2.0), -1)
    found = unit_lower_inverse(lower) @ (jnp.eye(32) + lower)
    np.testing.assert_allclose(found, jnp.eye(32), atol=1e-5)


def test_resets_inside_a_sequence_go_step_by_step() -> None:
    cell = make_cell("delta_net", 4)
    params = {
        name: init(jax.random.key(0), shape) for name, (init, shape) in cell.parameters(3).items()
    }
    inputs = jnp.asarray(DRAW.normal(size=(1, 20, 3)), jnp.float32)
    resets = jnp.zeros((1, 20), bool).at[0, 5].set(True)
    run = jax.jit(partial(recurrence, cell))
    found = run(params, inputs, resets=resets).outputs
    after = run(params, inputs[:, 5:]).outputs
    np.testing.assert_allclose(found[:, 5:], after, atol=1e-5)
    with pytest.raises(UserError, match="or no resets after the first step"):
        recurrence(cell, params, inputs, resets=resets, scan="parallel")
