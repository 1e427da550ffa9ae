"""States that are learned or computed, in the place of a cell's own initial state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.typing import DTypeLike

from zoo.layers.cells import cell_names, make_cell
from zoo.layers.cells.base import State
from zoo.layers.cells.elman import Elman
from zoo.layers.recurrent import RecurrentLayer, recurrence
from zoo.layers.start import fill_state, free_numbers

B, D, H = 3, 4, 6


@pytest.mark.parametrize("name", cell_names())
def test_any_numbers_make_a_state_that_the_cell_can_go_on_from(name: str) -> None:
    """The state has its shapes and dtypes; a sum that outputs are divided by is never negative."""
    cell, draw = make_cell(name, H), np.random.default_rng(0)
    free = free_numbers(cell)
    numbers = {at: draw.uniform(-1, 1, (B, *array.shape)) for at, array in free.items()}
    state = fill_state(cell, B, jnp.float32, jax.tree.map(jnp.float32, numbers))
    own = cell.initial_state(B, jnp.float32)
    assert jax.tree.map(jnp.shape, state) == jax.tree.map(jnp.shape, own)
    assert jax.tree.map(jnp.result_type, state) == jax.tree.map(jnp.result_type, own)
    for at, (found, before) in enumerate(zip(*map(jax.tree.leaves, (state, own)), strict=True)):
        assert (found == before).all() == (at in cell.fixed_states)
    keys = jax.random.split(jax.random.key(0), len(cell.parameters(D)))
    made = zip(keys, cell.parameters(D).items(), strict=True)
    params = {
        label: jax.jit(init, static_argnums=1)(key, shape) for key, (label, (init, shape)) in made
    }
    inputs = draw.normal(size=(B, 5, D)).astype(np.float32)
    outputs = jax.jit(lambda: recurrence(cell, params, inputs, state).outputs)()
    assert np.abs(outputs).max() < 100


@pytest.mark.parametrize("name", ["lru", "slstm", "gru"])
def test_a_learned_state_is_learned_by_gradient_descent(name: str) -> None:
    """Small steps against the gradient of the initial state alone lower the loss as they should."""
    layer, draw = RecurrentLayer(name, H, learn_initial_state=True), np.random.default_rng(1)
    inputs, wanted = (draw.normal(size=(B, 2, size)).astype(np.float32) for size in (D, H))
    params = jax.jit(layer.init)(jax.random.key(2), inputs)["params"]
    start = {
        name: jnp.float32(draw.normal(size=array.shape))
        for name, array in params.items()
        if name.startswith("initial_")
    }

    def loss(start: dict[str, jax.Array]) -> jax.Array:
        return ((layer.apply({"params": params | start}, inputs).outputs - wanted) ** 2).mean()

    value_and_gradient = jax.jit(jax.value_and_grad(loss))
    before, gradient = value_and_gradient(start)
    step = 1e-2
    after, _ = value_and_gradient(
        jax.tree.map(lambda array, slope: array - step * slope, start, gradient)
    )
    lowered = step * sum(float((array**2).sum()) for array in jax.tree.leaves(gradient))
    assert lowered > 0
    assert float(before - after) == pytest.approx(lowered, rel=0.05)


def test_an_integer_of_a_state_is_neither_learned_nor_computed() -> None:
    class Counting(Elman):
        def initial_state(self, batch_size: int, dtype: DTypeLike = float) -> State:
            return (*super().initial_state(batch_size, dtype), jnp.full(batch_size, 5))

    cell = Counting(H)
    assert list(free_numbers(cell)) == [0]
    state = fill_state(cell, B, jnp.float32, {0: jnp.ones((B, H))})
    assert state[1].tolist() == [5] * B
