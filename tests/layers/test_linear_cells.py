"""Recurrences without a loop, against loops in NumPy and a scan, written from the equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.layers.cells import make_cell
from zoo.layers.fast.prefix_sum import linear_recurrence
from zoo.layers.recurrent import RecurrentLayer, RecurrentStack
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig

LINEAR_CELLS = ("min_gru", "min_lstm", "rg_lru")
B, T, D, H = 3, 9, 4, 5
RNG = np.random.default_rng(4)
INPUTS = RNG.normal(size=(B, T, D)).astype(np.float32)
LENGTHS = np.array([9, 1, 6], np.int32)
RESETS = RNG.random((B, T)) < 0.3


def logistic(x):
    return 1 / (1 + np.exp(-x))


def step(cell, blocks, decay, h):
    """One step of the papers' equations, in float64."""
    if cell == "min_gru":
        z = logistic(blocks[0])
        return (1 - z) * h + z * blocks[1]
    if cell == "min_lstm":
        f, i = logistic(blocks[0]), logistic(blocks[1])
        return f / (f + i) * h + i / (f + i) * blocks[2]
    r, i = logistic(blocks[0]), logistic(blocks[1])
    a = logistic(-decay) ** (8 * r)  # De et al. write it so, with Lambda = -decay
    return a * h + np.sqrt(1 - a**2) * (i * blocks[2])


def by_loop(cell, params, inputs, *, lengths, resets, reverse):
    """Outputs and last states of every row, a step at a time."""
    params = {name: np.asarray(leaf, np.float64) for name, leaf in params.items()}
    outputs, finals = np.zeros((B, T, H)), np.zeros((B, H))
    for row in range(B):
        h = params["initial_0"].copy()
        order = range(lengths[row])
        for t in reversed(order) if reverse else order:
            if resets[row, t]:
                h = params["initial_0"].copy()
            projected = inputs[row, t].astype(np.float64) @ params["input_kernel"] + params["bias"]
            blocks = projected.reshape(-1, H)
            h = step(cell, blocks, params.get("decay"), h)
            outputs[row, t] = h
        finals[row] = h
    return outputs, finals


def random_params(module, *inputs):
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]
    draw = np.random.default_rng(5).normal
    return jax.tree.map(lambda leaf: jnp.asarray(draw(size=leaf.shape) / 2, jnp.float32), shapes)


@pytest.mark.parametrize("scan", ["parallel", "sequential"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", LINEAR_CELLS)
def test_a_layer_is_the_loop_of_its_equations(cell, reverse, scan):
    layer = RecurrentLayer(cell, H, learn_initial_state=True, reverse=reverse, scan=scan)
    params = random_params(layer, INPUTS)
    found = jax.jit(layer.apply)(
        {"params": params}, INPUTS, lengths=jnp.asarray(LENGTHS), resets=jnp.asarray(RESETS)
    )
    outputs, finals = by_loop(cell, params, INPUTS, lengths=LENGTHS, resets=RESETS, reverse=reverse)
    np.testing.assert_allclose(found.outputs, outputs, atol=2e-6)
    np.testing.assert_allclose(found.carry[0], finals, atol=2e-6)


@pytest.mark.parametrize("cell", LINEAR_CELLS)
def test_parallel_is_sequential_in_the_gradient_too(cell):
    layer = RecurrentLayer(cell, H, learn_initial_state=True)
    params = random_params(layer, INPUTS)

    def parallel(params, inputs):
        return (layer.apply({"params": params}, inputs).outputs ** 2).sum()

    def sequential(params, inputs):
        carry = (jnp.zeros((B, H)) + params["initial_0"][None],)
        total = jnp.zeros(())
        for t in range(T):  # a call a step, which leaves nothing to be done in parallel
            result = layer.apply({"params": params}, inputs[:, t : t + 1], carry)
            carry, total = result.carry, total + (result.outputs**2).sum()
        return total

    expected = jax.jit(jax.value_and_grad(sequential, argnums=(0, 1)))(params, INPUTS)
    found = jax.jit(jax.value_and_grad(parallel, argnums=(0, 1)))(params, INPUTS)
    # The initial state's gradient comes through the carry in one of them only.
    jax.tree.map(
        lambda one, two: np.testing.assert_allclose(one, two, rtol=2e-4, atol=2e-5),
        found,
        expected,
    )


def test_long_sequences_stay_exact():
    draw = np.random.default_rng(6)
    a = draw.uniform(0, 1, (1, 3000, 2)).astype(np.float32)
    b = draw.normal(size=a.shape).astype(np.float32)
    states, last = jax.jit(linear_recurrence)(a, b, jnp.ones((1, 2)))
    h = np.ones(2)
    for t in range(a.shape[1]):
        h = a[0, t] * h + b[0, t]
        np.testing.assert_allclose(states[0, t], h, atol=1e-5)
    np.testing.assert_array_equal(last, states[:, -1])


def test_min_lstm_is_finite_where_both_gates_are_shut():
    cell, shut = make_cell("min_lstm", size=1), jnp.array([[[-200.0, -200.0, 1.0]]])
    (a,), (b,) = cell.coefficients({}, shut)
    assert (a.item(), b.item()) == (0.5, 0.5)
    _, output = cell.step({}, (jnp.full((1, 1), 3.0),), shut[0])
    assert output.item() == 2.0


def test_rg_lru_keeps_little_of_its_input_exactly_where_a_is_nearly_one():
    cell, r = make_cell("rg_lru", size=1), -13.0
    projected = jnp.array([[r, 100.0, 1.0]])
    _, found = cell.step({"decay": jnp.zeros(1)}, (jnp.zeros((1, 1)),), projected)
    log_a = -8 * np.log(2.0) * logistic(r)
    np.testing.assert_allclose(found.item(), np.sqrt(-np.expm1(2 * log_a)), rtol=1e-5)


def test_rg_lru_has_finite_gradients_where_a_gate_is_shut():
    cell = make_cell("rg_lru", size=3)

    def total(r):
        projected = jnp.concatenate([r, jnp.ones((1, 6))], axis=1)[None]
        (a,), (b,) = cell.coefficients({"decay": jnp.ones(3)}, projected)
        return (a + b).sum()

    grads = jax.grad(total)(jnp.array([[-200.0, -30.0, 0.5]]))
    assert np.isfinite(grads).all()
    assert grads[0, 2] != 0


@pytest.mark.parametrize("cell", LINEAR_CELLS)
def test_a_language_model_of_two_calls_is_that_of_one(cell):
    model = RecurrentLM(RecurrentLMConfig(cell=cell, embedding_size=4, hidden_sizes=(3, 5)), 7)
    tokens = jnp.asarray(RNG.integers(0, 7, (B, T)), jnp.int32)
    params = random_params(model, tokens)
    apply = jax.jit(lambda tokens, carry: model.apply({"params": params}, tokens, carry))
    whole = apply(tokens, model.zero_carry(B))
    first = apply(tokens[:, :4], model.zero_carry(B))
    second = apply(tokens[:, 4:], first.carry)
    both = jnp.concatenate([first.logits, second.logits], axis=1)
    np.testing.assert_allclose(both, whole.logits, atol=1e-5)


@pytest.mark.parametrize("cell", LINEAR_CELLS)
def test_a_stack_of_both_directions_has_both(cell):
    stack = RecurrentStack(cell=cell, sizes=(H, 2), bidirectional=True)
    params = random_params(stack, INPUTS)
    outputs, carry = jax.jit(stack.apply)({"params": params}, INPUTS)
    assert outputs.shape == (B, T, 4)
    shapes = [[state.shape for (state,) in directions] for directions in carry]
    assert shapes == [[(B, H)] * 2, [(B, 2)] * 2]


def test_dropout_of_recurrent_weights_is_refused():
    with pytest.raises(UserError, match=r"min_gru, which has no recurrent weights"):
        RecurrentLMConfig(cell="min_gru", weight_dropout_rate=0.1)


def test_a_cell_that_is_not_linear_can_not_be_run_in_parallel():
    layer = RecurrentLayer("gru", H, scan="parallel")
    with pytest.raises(UserError, match=r"GRU cannot run in parallel; use scan='sequential'"):
        layer.init(jax.random.key(0), INPUTS)
