"""Cells against loops in NumPy, written from the equations of their docstrings, in float64."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.layers.cells import make_cell
from zoo.layers.recurrent import recurrence

B, T, D, H = 2, 6, 5, 8


def logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def rwkv7_loop(p: dict[str, np.ndarray], x: np.ndarray, num_heads: int) -> np.ndarray:
    """One row, a step and a head at a time."""
    size, rank = H, 2
    names = dict(zip("rkvwag", (size, size, size, rank, rank, rank), strict=True))
    kernels = np.split(p["input_kernel"], np.cumsum(list(names.values()))[:-1], axis=1)
    d = size // num_heads
    memories, before, outputs = np.zeros((num_heads, d, d)), np.zeros(D), []
    for now in x:
        shifted = now + p["mix"] * (before - now)
        r, k, v, w, a, g = (row @ kernel for row, kernel in zip(shifted, kernels, strict=True))
        w = np.exp(-np.exp(-0.5) * logistic(np.tanh(w) @ p["decay_up"] + p["decay_bias"]))
        a = logistic(a @ p["rate_up"] + p["rate_bias"])
        g = logistic(g) @ p["gate_up"]
        added, c = k * (1 + p["added_scale"] * (a - 1)), k * p["removed_scale"]
        read = np.zeros(size)
        for head in range(num_heads):
            of = slice(head * d, (head + 1) * d)
            key = c[of] / np.sqrt((c[of] ** 2).sum() + 1e-6)
            kept = np.diag(w[of]) - np.outer(a[of] * key, key)
            memories[head] = kept @ memories[head] + np.outer(added[of], v[of])
            y = memories[head].T @ r[of]
            y = (y - y.mean()) / np.sqrt(y.var() + 64e-5) * p["norm_scale"][of]
            bonus = (r[of] * p["bonus"][head] * added[of]).sum() * v[of]
            read[of] = y + p["norm_bias"][of] + bonus
        outputs.append((g * read) @ p["output_kernel"])
        before = now
    return np.array(outputs)


def s5_loop(p: dict[str, np.ndarray], x: np.ndarray, num_heads: int) -> np.ndarray:
    """One row, a step at a time."""
    del num_heads
    rate, dt = -np.exp(p["log_decay"]) + 1j * p["frequency"], np.exp(p["log_step"])
    into, out = p["input_real"] + 1j * p["input_imag"], p["output_real"] + 1j * p["output_imag"]
    state, outputs = np.zeros(H // 2, complex), []
    for u in x:
        state = np.exp(rate * dt) * state + (np.exp(rate * dt) - 1) / rate * (u @ into)
        outputs.append(2 * (state @ out).real + u @ p["skip_kernel"])
    return np.array(outputs)


def elman_step(a: np.ndarray, s: np.ndarray, h: np.ndarray, c: Any, b: Any) -> Any:
    """The new h and c; an Elman network has no c, and neither has a GRU."""
    del h, b
    return np.tanh(a + s), c


def gru_step(a: np.ndarray, s: np.ndarray, h: np.ndarray, c: Any, b: Any) -> Any:
    (a_r, a_z, a_n), (s_r, s_z, s_n) = np.split(a, 3), np.split(s, 3)
    z, n = logistic(a_z + s_z), np.tanh(a_n + logistic(a_r + s_r) * (s_n + b))
    return (1 - z) * n + z * h, c


def lstm_step(a: np.ndarray, s: np.ndarray, h: np.ndarray, c: Any, b: Any) -> Any:
    del h, b
    i, f, g, o = np.split(a + s, 4)
    c = logistic(f) * c + logistic(i) * np.tanh(g)
    return logistic(o) * np.tanh(c), c


def mogrifier_loop(inner: Any, p: dict[str, np.ndarray], x: np.ndarray, heads: int) -> np.ndarray:
    """One row, a step at a time, with five rounds before each."""
    del heads
    h, c, outputs = np.zeros(H), np.zeros(H), []
    for seen in x:
        scaled = h
        for number in range(1, 6):
            kernel, bias = p[f"round_{number}_kernel"], p[f"round_{number}_bias"]
            if number % 2:
                seen = 2 * logistic(scaled @ kernel + bias) * seen
            else:
                scaled = 2 * logistic(seen @ kernel + bias) * scaled
        a, s = seen @ p["input_kernel"] + p["bias"], scaled @ p["recurrent_kernel"]
        h, c = inner(a, s, h, c, p.get("candidate_bias"))
        outputs.append(h)
    return np.array(outputs)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("name", "loop", "options"),
    [
        ("rwkv7", rwkv7_loop, {"num_heads": 2}),
        ("s5", s5_loop, {}),
        ("mogrifier_elman", partial(mogrifier_loop, elman_step), {}),
        ("mogrifier_gru", partial(mogrifier_loop, gru_step), {}),
        ("mogrifier_lstm", partial(mogrifier_loop, lstm_step), {}),
    ],
)
def test_a_cell_is_the_loop_of_its_equations(name: str, loop: Any, options: Any) -> None:
    cell, draw = make_cell(name, H, **options), np.random.default_rng(8).normal
    params = {
        label: np.asarray(parameter.init(jax.random.key(index), parameter.shape), float)
        + 0.3 * draw(size=parameter.shape)
        for index, (label, parameter) in enumerate(cell.parameters(D).items())
    }
    x = draw(size=(B, T, D))
    run = jax.jit(lambda params, x: recurrence(cell, params, x).outputs)
    found = run({label: jnp.asarray(array) for label, array in params.items()}, jnp.asarray(x))
    for row in range(B):
        np.testing.assert_allclose(found[row], loop(params, x[row], 2), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ["mogrifier_elman", "mogrifier_gru", "mogrifier_lstm"])
def test_rounds_that_double_the_state_let_no_output_grow(name: str) -> None:
    """A GRU that kept the scaled state would overflow float32 within 64 steps."""
    cell = make_cell(name, 2)
    params = {label: jnp.zeros(shape) for label, (_, shape) in cell.parameters(2).items()}
    params |= {f"round_{number}_bias": jnp.full(2, 20.0) for number in (2, 4)}
    params["bias"] = jnp.full_like(params["bias"], 3.0)  # open gates, and something to keep
    outputs = recurrence(cell, params, jnp.ones((1, 200, 2))).outputs
    assert float(jnp.abs(outputs).max()) <= 1


def test_s5_starts_at_the_eigenvalues_of_the_normal_part_of_hippo() -> None:
    """A + P P' of HiPPO-LegS (Gu et al. 2020), made entry by entry, has them, beside -1/2."""
    size = 12
    matrix = np.zeros((size, size))
    for n in range(size):
        for k in range(size):
            entry = np.sqrt(2 * n + 1) * np.sqrt(2 * k + 1)
            matrix[n, k] = -entry if n > k else -(n + 1) if n == k else 0.0
    ranks = np.sqrt(np.arange(size) + 0.5)
    values = np.linalg.eigvals(matrix + np.outer(ranks, ranks))
    np.testing.assert_allclose(values.real, -0.5, atol=1e-6)
    init, shape = make_cell("s5", size).parameters(3)["frequency"]
    found = init(jax.random.key(0), shape)
    np.testing.assert_allclose(found, np.sort(values.imag)[size // 2 :], rtol=1e-5)
