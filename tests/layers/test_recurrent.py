"""Layers and stacks as modules: their parameters, initial states, directions and dropout."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain_loop import EQUATIONS, LENGTHS, RESETS, layer_loop

from zoo.layers.initializers import uniform
from zoo.layers.recurrent import Recurrence, RecurrentLayer, RecurrentStack

INPUTS = np.random.default_rng(11).normal(size=(3, 5, 4)).astype(np.float32)


def random_params(module: Any, seed: int = 12) -> dict[str, Any]:
    """Random values, biases and initial states included, for the parameters of a module."""
    draw = np.random.default_rng(seed).normal
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.asarray(INPUTS))["params"]
    return jax.tree.map(lambda leaf: jnp.float32(0.5 * draw(size=leaf.shape)), shapes)


def init(module: Any, seed: int = 0) -> dict[str, Any]:
    return jax.jit(module.init)(jax.random.key(seed), jnp.asarray(INPUTS))["params"]


def assert_close(got: Any, wanted: Any) -> None:
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "learned"), [("elman", True), ("gru", True), ("lstm", True), ("lstm", False)]
)
def test_two_layers_of_different_sizes_equal_the_plain_loop(name: str, learned: bool) -> None:
    """Started without a carry and gone on with the one they gave; padded, with resets."""
    stack = RecurrentStack(cell=name, sizes=(3, 6), learn_initial_state=learned)
    params = random_params(stack)
    assert set(params) == {"layer_0", "layer_1"}

    @jax.jit
    def apply(carry: Any) -> Any:
        variables = {"params": params}
        return stack.apply(variables, jnp.asarray(INPUTS), carry, lengths=LENGTHS, resets=RESETS)

    below = layer_loop(name, params["layer_0"], INPUTS)
    above = layer_loop(name, params["layer_1"], below.outputs)
    outputs, carry = apply(None)
    assert_close((outputs, carry), (above.outputs, (below.carry, above.carry)))

    below = layer_loop(name, params["layer_0"], INPUTS, carry=below.carry)
    above = layer_loop(name, params["layer_1"], below.outputs, carry=above.carry)
    assert_close(apply(carry), (above.outputs, (below.carry, above.carry)))


@pytest.mark.parametrize("name", ["elman", "lstm"])
def test_a_bidirectional_layer_is_two_layers_side_by_side(name: str) -> None:
    """Forward outputs then reverse outputs, and in the carry too; the reverse one starts at each
    row's last real token."""
    stack = RecurrentStack(cell=name, sizes=(3, 2), bidirectional=True, learn_initial_state=True)
    params = random_params(stack)
    assert set(params) == {"layer_0", "layer_1", "reverse_layer_0", "reverse_layer_1"}
    apply = jax.jit(partial(stack.apply, lengths=LENGTHS, resets=RESETS))
    outputs, carry = apply({"params": params}, jnp.asarray(INPUTS))
    hidden, carries = INPUTS, []
    for index in range(2):
        there = layer_loop(name, params[f"layer_{index}"], hidden)
        back = layer_loop(name, params[f"reverse_layer_{index}"], hidden, reverse=True)
        hidden = np.concatenate([there.outputs, back.outputs], axis=-1)
        carries.append((there.carry, back.carry))
    assert outputs.shape == (3, 5, 4)
    assert_close((outputs, carry), (hidden, tuple(carries)))


def test_a_bidirectional_carry_goes_back_to_its_own_direction() -> None:
    stack = RecurrentStack(cell="lstm", sizes=(3,), bidirectional=True)
    params, x = random_params(stack), jnp.asarray(INPUTS)
    given = tuple(jnp.float32(state) for state in np.random.default_rng(1).normal(size=(4, 3, 3)))
    outputs, _ = jax.jit(stack.apply)({"params": params}, x, ((given[:2], given[2:]),))
    for reverse, start, block in ((False, given[:2], 0), (True, given[2:], 3)):
        layer = RecurrentLayer(cell="lstm", size=3, reverse=reverse)
        own = params["reverse_layer_0" if reverse else "layer_0"]
        wanted = jax.jit(layer.apply)({"params": own}, x, start).outputs
        assert_close(outputs[:, :, block : block + 3], wanted)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("elman", {"input_kernel": (4, 5), "recurrent_kernel": (5, 5), "bias": (5,)}),
        (
            "gru",
            {
                "input_kernel": (4, 15),
                "recurrent_kernel": (5, 15),
                "bias": (15,),
                "candidate_bias": (5,),
            },
        ),
        ("lstm", {"input_kernel": (4, 20), "recurrent_kernel": (5, 20), "bias": (20,)}),
    ],
)
def test_parameters_and_how_they_start(name: str, shapes: dict[str, tuple]) -> None:
    """Glorot W within its bound, orthogonal blocks of U, and zero biases but the forget gate's."""
    params = init(RecurrentLayer(cell=name, size=5, forget_bias=1.5))
    assert jax.tree.map(jnp.shape, params) == shapes
    bound = np.sqrt(6 / sum(shapes["input_kernel"]))
    largest = np.abs(params["input_kernel"]).max()
    assert 0.8 * bound < largest <= bound
    for block in np.split(np.asarray(params["recurrent_kernel"]), shapes["bias"][0] // 5, axis=1):
        np.testing.assert_allclose(block @ block.T, np.eye(5), atol=1e-5)
    bias = np.zeros(shapes["bias"])
    if name == "lstm":
        bias[5:10] = 1.5
    np.testing.assert_array_equal(params["bias"], bias)
    np.testing.assert_array_equal(params.get("candidate_bias", 0), 0)


def test_init_scale_bounds_every_kernel() -> None:
    params = init(RecurrentLayer(cell="lstm", size=8, init_scale=0.05))
    for kernel in (params["input_kernel"], params["recurrent_kernel"]):
        assert 0.045 < kernel.max() < 0.05
        assert -0.05 < kernel.min() < -0.045
    assert abs(float(uniform(2.0)(jax.random.key(0), (10_000,)).mean())) < 0.05


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_a_learned_initial_state(name: str) -> None:
    """It starts at zero, and its gradient is that of each row's start, added over the rows that
    start from it: all of them without a carry, those with a reset otherwise."""
    layer = RecurrentLayer(cell=name, size=3, learn_initial_state=True)
    x, num_states = jnp.asarray(INPUTS), EQUATIONS[name].num_states
    names = [f"initial_{index}" for index in range(num_states)]
    for state in names:
        np.testing.assert_array_equal(init(layer)[state], np.zeros(3))
    params = random_params(layer)
    weight = jnp.float32(np.random.default_rng(2).normal(size=(3, 5, 3)))

    def loss(params: Any, carry: Any, resets: Any = None) -> jax.Array:
        return (layer.apply({"params": params}, x, carry, resets=resets).outputs * weight).sum()

    start = tuple(jnp.tile(params[state], (3, 1)) for state in names)
    gradient = jax.jit(jax.grad(loss, (0, 1)))
    other = jax.tree.map(lambda state: state + 1, start)
    from_none, _ = gradient(params, None)
    _, per_row = gradient(params, start)
    from_given, _ = gradient(params, other)
    from_reset, _ = gradient(params, other, jnp.array([[True], [True], [False]]))
    for index, state in enumerate(names):
        assert_close(from_none[state], per_row[index].sum(axis=0))
        assert_close(from_reset[state], per_row[index][:2].sum(axis=0))
        np.testing.assert_array_equal(from_given[state], 0)
        assert (np.abs(from_none[state]) > 1e-4).all()


@partial(jax.jit, static_argnames="stack")
def outputs_of(stack: RecurrentStack, params: Any, key: jax.Array | None) -> jax.Array:
    options = {} if key is None else {"deterministic": False, "rngs": {"dropout": key}}
    return stack.apply({"params": params}, jnp.asarray(INPUTS), **options)[0]


def apply_with(stack: RecurrentStack, params: Any, seed: int | None) -> np.ndarray:
    """Outputs; with a seed, as in training with that dropout key."""
    return np.asarray(outputs_of(stack, params, None if seed is None else jax.random.key(seed)))


@pytest.mark.parametrize("option", ["dropout_rate", "weight_dropout_rate"])
def test_dropout_follows_its_key_and_is_off_when_deterministic(option: str) -> None:
    plain = RecurrentStack(cell="lstm", sizes=(8, 3))
    stack = plain.clone(**{option: 0.5})
    params = random_params(plain)
    np.testing.assert_array_equal(apply_with(stack, params, None), apply_with(plain, params, None))
    one, again, other = (apply_with(stack, params, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3
    assert np.abs(one - apply_with(plain, params, None)).max() > 1e-3


def test_weight_dropout_is_one_mask_on_the_recurrent_weights_in_each_call() -> None:
    """With W = 0 and one unit, h_t = u h_{t-1} is a power of one
    u, dropped or doubled for all rows and steps alike."""
    layer = RecurrentLayer(cell="elman_relu", size=1, weight_dropout_rate=0.5)
    params = {
        "input_kernel": jnp.zeros((4, 1)),
        "recurrent_kernel": jnp.full((1, 1), 0.6),
        "bias": jnp.zeros(1),
    }

    @jax.jit
    def apply(key: jax.Array) -> Recurrence:
        start, rngs = (jnp.ones((3, 1)),), {"dropout": key}
        variables, x = {"params": params}, jnp.asarray(INPUTS)
        return layer.apply(variables, x, start, deterministic=False, rngs=rngs)

    seen = set()
    for seed in range(8):
        values = np.asarray(apply(jax.random.key(seed)).outputs[:, :, 0])
        u = values[0, 0]
        np.testing.assert_allclose(values, np.tile(u ** np.arange(1, 6), (3, 1)), rtol=1e-5)
        seen.add(round(float(u), 4))
    assert seen == {0.0, 1.2}


@pytest.mark.parametrize("shares_steps", [False, True])
def test_dropout_between_layers_hits_what_the_upper_layer_reads(shares_steps: bool) -> None:
    """The upper layer hands its inputs on (W = 1, U = 0, relu), so that the mask can be seen;
    what the stack gives is not dropped again, so nothing is scaled twice."""
    stack = RecurrentStack(
        cell="elman_relu", sizes=(40, 40), dropout_rate=0.5, dropout_shares_steps=shares_steps
    )
    size = jnp.zeros((40, 40))
    params = {
        "layer_0": {"input_kernel": size[:4], "recurrent_kernel": size, "bias": jnp.ones(40)},
        "layer_1": {"input_kernel": jnp.eye(40), "recurrent_kernel": size, "bias": jnp.zeros(40)},
    }
    outputs = apply_with(stack, params, 0)
    assert set(np.unique(outputs)) == {0.0, 2.0}
    assert outputs.mean() == pytest.approx(1.0, abs=0.25)
    assert (outputs == outputs[:, :1]).all() == shares_steps
    assert (outputs[0] != outputs[1]).any()


def test_a_single_layer_has_nothing_to_drop_between() -> None:
    plain = RecurrentStack(cell="elman", sizes=(3,))
    params = random_params(plain)
    with_rate = apply_with(plain.clone(dropout_rate=0.9), params, 0)
    np.testing.assert_array_equal(with_rate, apply_with(plain, params, None))


def test_truncation_and_precision_reach_every_layer() -> None:
    """Each setting of the stack changes the gradient of the lowest layer's recurrent weights."""
    plain = RecurrentStack(cell="gru", sizes=(3, 3))
    params = random_params(plain)

    def gradient(stack: RecurrentStack) -> np.ndarray:
        def loss(params: Any) -> jax.Array:
            return (stack.apply({"params": params}, jnp.asarray(INPUTS))[0] ** 2).sum()

        return jax.jit(jax.grad(loss))(params)["layer_0"]["recurrent_kernel"]

    full = gradient(plain)
    assert np.abs(gradient(plain.clone(truncation=1)) - full).max() > 1e-3
    rough = gradient(plain.clone(matmul_dtype="bfloat16"))
    assert 1e-6 < np.abs(rough - full).max() < 3e-2 * np.abs(full).max()
