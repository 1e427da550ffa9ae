"""What holds for every cell, whatever its state: one row a cell.

The plain step is held to the published values in test_published_cells.py, and to NumPy in the files
beside this one.
"""

import functools
from typing import Any

import jax
import numpy as np
import pytest

from zoo.layers.cells import cell_names, make_cell
from zoo.layers.masks import reverse_sequences
from zoo.layers.recurrent import recurrence
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig

LENGTHS = np.array([5, 3, 1], np.int32)
RESETS = np.array([[0, 0, 0, 1, 0], [1, 0, 0, 0, 0], [0, 0, 1, 0, 0]], bool)
B, T, D, H = 3, 5, 4, 6

BY_PREFIX_SUMS = ("min_gru", "min_lstm", "rg_lru", "qrnn", "lru", "s4d", "s5", "s6")
BY_CHUNKS = (
    *("linear_attention", "retnet", "gla", "mlstm"),
    *("delta_net", "delta_net_signed", "gated_delta_net", "gated_delta_net_signed", "rwkv7"),
)
PARALLEL = BY_PREFIX_SUMS + BY_CHUNKS
BY_DERIVATIVE = tuple(
    name for name in cell_names() if make_cell(name, H).computes_its_step("derivative")
)

every_cell = pytest.mark.parametrize("name", cell_names())


def random_like(tree: Any, seed: int, scale: float = 0.5) -> Any:
    """Random arrays of the shapes and dtypes of a pytree, complex ones too."""
    draw = np.random.default_rng(seed).normal

    def one(array: Any) -> np.ndarray:
        values = scale * draw(size=array.shape)
        if np.iscomplexobj(array):
            values = values + 1j * scale * draw(size=array.shape)
        return values.astype(array.dtype)

    return jax.tree.map(one, tree)


@functools.cache
def problem(name: str) -> tuple[Any, dict[str, jax.Array], jax.Array, Any]:
    """A cell, random parameters around its own start, which is finite, inputs, and a state.

    A normaliser can't be negative, so the state is one that the cell came to by itself.
    """
    cell = make_cell(name, H)
    keys = jax.random.split(jax.random.key(0), len(cell.parameters(D)))
    starts = zip(keys, cell.parameters(D).items(), strict=True)
    params = {
        label: jax.jit(init, static_argnums=1)(key, shape) for key, (label, (init, shape)) in starts
    }
    assert all(np.isfinite(array).all() for array in jax.tree.leaves(params))
    params = jax.tree.map(np.add, params, random_like(params, 1, 0.1))
    inputs = random_like(np.zeros((B, T, D), np.float32), 2, 1.0)
    warm_up = random_like(np.zeros((B, 2, D), np.float32), 3, 1.0)
    run = jax.jit(lambda params, inputs: recurrence(cell, params, inputs, scan="sequential").carry)
    state = run(params, warm_up)
    return cell, params, inputs, state


def assert_close(got: Any, wanted: Any, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def row_of(tree: Any, row: int) -> Any:
    return jax.tree.map(lambda array: array[row : row + 1], tree)


@pytest.mark.parametrize("reverse", [False, True])
@every_cell
def test_padding_resets_and_direction(name: str, reverse: bool) -> None:
    """Each row equals its own steps, one after the other, until its length."""
    cell, params, inputs, initial = problem(name)
    options = {"lengths": LENGTHS, "resets": RESETS, "reverse": reverse}
    run = jax.jit(functools.partial(recurrence, cell, **options))
    found = jax.device_get(run(params, inputs, initial=initial))
    resets, ordered = RESETS, inputs
    if reverse:
        resets, ordered = (np.asarray(reverse_sequences(a, LENGTHS)) for a in (RESETS, inputs))
    projected, step = jax.device_get(jax.jit(cell.project)(params, ordered)), jax.jit(cell.step)
    for row, length in enumerate(LENGTHS):
        state, outputs = row_of(initial, row), []
        for t in range(length):
            now = jax.tree.map(lambda array, at=t: array[:, at], row_of(projected, row))
            start = row_of(initial, row) if resets[row, t] else state
            state, output = step(params, start, now)
            outputs.append(output[0])
        wanted = np.stack(outputs[::-1] if reverse else outputs)
        assert_close(found.outputs[row, :length], wanted)
        np.testing.assert_array_equal(found.outputs[row, length:], 0)
        assert_close(row_of(found.carry, row), state)


@pytest.mark.parametrize(
    ("name", "truncation"),
    [(name, 0) for name in BY_PREFIX_SUMS + BY_DERIVATIVE] + [(name, 2) for name in BY_DERIVATIVE],
)
def test_every_way_to_run_it_gives_the_same_gradients(name: str, truncation: int) -> None:
    """The fastest way with resets, beside the plain loop as JAX differentiates it.

    By chunks, no resets are possible: see the last test of this file.
    """
    cell, params, inputs, start = problem(name)
    weight = random_like(np.zeros((B, T, H), np.float32), 4)

    def loss(scan: str, params: Any, inputs: Any) -> jax.Array:
        options = {"lengths": LENGTHS, "resets": RESETS, "truncation": truncation, "scan": scan}
        return (recurrence(cell, params, inputs, start, **options).outputs * weight).sum()

    way = "parallel" if name in BY_PREFIX_SUMS else "auto"
    gradient = jax.jit(jax.grad(loss, (1, 2)), static_argnums=0)
    assert_close(gradient(way, params, inputs), gradient("sequential", params, inputs), 1e-3)


@pytest.mark.parametrize("name", ["elman", "lstm", "slstm", "mlstm", "lru", "delta_net"])
def test_truncation_reaches_so_far_and_no_further(name: str) -> None:
    """The last output depends on all inputs, but its gradient on the last two alone.

    These cells have each way to run; for other cells, the gradients of their ways are the same.
    """
    cell, params, inputs, _ = problem(name)

    def last(inputs: jax.Array, truncation: int) -> jax.Array:
        return (recurrence(cell, params, inputs, truncation=truncation).outputs[:, -1] ** 2).sum()

    gradient = jax.jit(jax.grad(last), static_argnums=1)
    reached = np.abs(gradient(inputs, 2)).max(axis=(0, 2)) > 0
    assert reached.tolist() == [False, False, False, True, True]
    assert (np.abs(gradient(inputs, 0)).max(axis=(0, 2)) > 0).all()


@every_cell
def test_a_language_model_of_two_calls_is_that_of_one(name: str) -> None:
    """Two layers of different sizes."""
    model = RecurrentLM(RecurrentLMConfig(cell=name, embedding_size=4, hidden_sizes=(3, 5)), 7)
    tokens = np.random.default_rng(0).integers(0, 7, (B, 4), np.int32)
    params = random_like(jax.eval_shape(model.init, jax.random.key(0), tokens)["params"], 8)
    apply = jax.jit(model.apply)
    whole = apply({"params": params}, tokens, model.zero_carry(B))
    first = apply({"params": params}, tokens[:, :2], model.zero_carry(B))
    second = apply({"params": params}, tokens[:, 2:], first.carry)
    both = np.concatenate([first.logits, second.logits], axis=1)
    np.testing.assert_allclose(both, whole.logits, rtol=1e-4, atol=1e-5)


# Matrices that are no operand of a product, or are changed before it.
NO_OPERANDS = {
    "s4d": {"output_real", "output_imag", "log_decay", "frequency"},
    "s6": {"log_decay"},
    "rwkv7": {"mix", "input_kernel", "bonus"},
}


@every_cell
def test_rounded_operands_of_every_product(name: str) -> None:
    """A matrix that is rounded before is the same operand, and others are rounded too."""
    cell, params, inputs, start = problem(name)
    rough = make_cell(name, H, matmul_dtype="bfloat16")
    run = jax.jit(
        lambda cell, params: recurrence(cell, params, inputs, start).outputs, static_argnums=0
    )
    outputs = run(rough, params)
    assert np.abs(outputs - run(cell, params)).max() > 1e-4
    for label, array in params.items():
        if array.ndim > 1 and label not in NO_OPERANDS.get(name, ()):
            rounded = array.astype("bfloat16").astype(array.dtype)
            found = run(rough, {**params, label: rounded})
            np.testing.assert_array_equal(found, outputs, err_msg=label)


@pytest.mark.parametrize("name", BY_PREFIX_SUMS)
def test_a_state_that_is_wider_than_the_input_goes_through_a_loop(name: str) -> None:
    """On a CPU, where the two widest are so up to four times as fast; on request all have none."""
    cell, params, inputs, _ = problem(name)
    loops = {}
    for scan in ("auto", "parallel"):
        run = jax.make_jaxpr(functools.partial(recurrence, cell, scan=scan))(params, inputs)
        loops[scan] = any(one.primitive.name == "scan" for one in run.eqns)
    assert loops == {"auto": name in ("s4d", "s6"), "parallel": False}


@pytest.mark.parametrize("name", PARALLEL)
def test_long_sequences_stay_exact_in_parallel(name: str) -> None:
    cell, params, _, _ = problem(name)
    inputs = random_like(np.zeros((1, 4096, D), np.float32), 5, 1.0)
    run = jax.jit(
        lambda scan: recurrence(cell, params, inputs, scan=scan).outputs, static_argnums=0
    )
    np.testing.assert_allclose(run("parallel"), run("sequential"), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("steps", [9, 70])  # less than a chunk, and three of them
@pytest.mark.parametrize("name", PARALLEL)
def test_parallel_is_sequential_with_padding_and_a_carry(name: str, steps: int) -> None:
    """Outputs, last states, and the gradients of parameters, inputs and first state."""
    cell, params, _, start = problem(name)
    inputs = random_like(np.zeros((B, steps, D), np.float32), 6, 1.0)
    lengths = np.array([steps, steps - 4, 3], np.int32)
    weight = random_like(np.zeros((B, steps, H), np.float32), 7)

    def loss(scan: str, params: Any, inputs: Any, start: Any) -> Any:
        found = recurrence(cell, params, inputs, start, lengths=lengths, scan=scan)
        parts = jax.tree.map(lambda leaf: (leaf * leaf.conj()).real.sum(), found.carry)
        return (found.outputs * weight).sum() + sum(jax.tree.leaves(parts)), found

    differentiate = jax.jit(jax.grad(loss, (1, 2, 3), has_aux=True), static_argnums=0)
    wanted = differentiate("sequential", params, inputs, start)
    assert_close(differentiate("parallel", params, inputs, start), wanted, 1e-3, 2e-5)
