"""The layers against Flax's cells under nn.RNN and against jax.experimental.rnn, same weights."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain_loop import EQUATIONS

from zoo.layers.recurrent import Recurrence, RecurrentLayer, RecurrentStack

FLAX_CELLS = {
    "elman": lambda: nn.SimpleCell(features=6),
    "elman_relu": lambda: nn.SimpleCell(features=6, activation_fn=jax.nn.relu),
    "elman_logistic": lambda: nn.SimpleCell(features=6, activation_fn=jax.nn.sigmoid),
    "gru": lambda: nn.GRUCell(features=6),
    "lstm": lambda: nn.OptimizedLSTMCell(features=6),
}
LENGTHS = np.array([7, 4, 1], np.int32)
REAL = np.arange(7)[None, :, None] < LENGTHS[:, None, None]


def flax_params(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Our parameters under Flax's names; Flax's LSTM has its bias on the recurrent side."""
    gates = {"gru": "rzn", "lstm": "ifgo"}.get(name, "")
    if not gates:
        own = {"kernel": params["input_kernel"], "bias": params["bias"]}
        return {"i": own, "h": {"kernel": params["recurrent_kernel"]}}
    result = {}
    for index, gate in enumerate(gates):
        block = slice(6 * index, 6 * index + 6)
        result[f"i{gate}"] = {"kernel": params["input_kernel"][:, block]}
        result[f"h{gate}"] = {"kernel": params["recurrent_kernel"][:, block]}
        side = "h" if name == "lstm" else "i"
        result[f"{side}{gate}"]["bias"] = params["bias"][block]
    if name == "gru":
        result["hn"]["bias"] = params["candidate_bias"]
    return result


def random_like(tree: Any, seed: int) -> Any:
    draw = np.random.default_rng(seed).normal
    return jax.tree.map(lambda leaf: jnp.float32(0.5 * draw(size=leaf.shape)), tree)


def assert_close(got: Any, wanted: Any) -> None:
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "reverse"),
    [(name, False) for name in EQUATIONS] + [("elman", True), ("gru", True), ("lstm", True)],
)
def test_equals_flax(name: str, reverse: bool) -> None:
    """Outputs, final carry, and the gradients of parameters, inputs and start carry."""
    layer = RecurrentLayer(cell=name, size=6, reverse=reverse)
    inputs, *carry, grad = random_like(
        [jnp.zeros(shape) for shape in ((3, 7, 5), (3, 6), (3, 6), (3, 7, 6))], seed=1
    )
    carry = tuple(carry[: EQUATIONS[name].num_states])
    shapes = jax.eval_shape(layer.init, jax.random.key(0), inputs)["params"]
    params = random_like(shapes, seed=2)

    def ours(params: Any, inputs: Any, carry: Any) -> tuple[Any, Recurrence]:
        result = layer.apply({"params": params}, inputs, carry, lengths=LENGTHS)
        return (result.outputs * grad).sum() + (result.carry[-1] ** 2).sum(), result

    def theirs(params: Any, inputs: Any, carry: Any) -> tuple[Any, Recurrence]:
        rnn = nn.RNN(FLAX_CELLS[name](), return_carry=True, reverse=reverse, keep_order=True)
        start = carry[::-1] if name == "lstm" else carry[0]  # Flax's LSTM carries (c, h)
        variables = {"params": {"cell": flax_params(name, params)}}
        final, outputs = rnn.apply(variables, inputs, initial_carry=start, seq_lengths=LENGTHS)
        final = final[::-1] if name == "lstm" else (final,)
        outputs = jnp.where(REAL, outputs, 0)
        return (outputs * grad).sum() + (final[-1] ** 2).sum(), Recurrence(outputs, final)

    got, result = jax.jit(jax.grad(ours, (0, 1, 2), has_aux=True))(params, inputs, carry)
    wanted, expected = jax.jit(jax.grad(theirs, (0, 1, 2), has_aux=True))(params, inputs, carry)
    assert_close(result, expected)
    assert_close(got, wanted)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_two_lstm_layers_equal_jax_experimental_rnn(bidirectional: bool) -> None:
    rnn = pytest.importorskip("jax.experimental.rnn", exc_type=ImportError)
    reference = getattr(rnn, "lstm_ref", None)
    if reference is None:
        pytest.skip("this jax has no lstm_ref")
    stack = RecurrentStack(cell="lstm", sizes=(6, 6), bidirectional=bidirectional)
    directions = 2 if bidirectional else 1
    inputs, start, memory = random_like(
        [jnp.zeros(shape) for shape in ((3, 7, 5), (2 * directions, 3, 6), (2 * directions, 3, 6))],
        seed=3,
    )
    params = random_like(jax.eval_shape(stack.init, jax.random.key(0), inputs)["params"], seed=4)
    states = [state for pair in zip(start, memory, strict=True) for state in pair]
    pairs = [tuple(states[at : at + 2]) for at in range(0, len(states), 2)]
    carry = ((pairs[0], pairs[1]), (pairs[2], pairs[3])) if bidirectional else tuple(pairs)
    outputs, final = jax.jit(stack.apply)({"params": params}, inputs, carry, lengths=LENGTHS)

    names = [f"{side}layer_{i}" for i in range(2) for side in ("", "reverse_")[:directions]]
    layers = [params[name] for name in names]
    wanted, hidden, memory = reference(
        inputs,
        start,
        memory,
        {i: p["input_kernel"].T for i, p in enumerate(layers)},
        {i: p["recurrent_kernel"].T for i, p in enumerate(layers)},
        {i: p["bias"] for i, p in enumerate(layers)},
        {i: jnp.zeros_like(p["bias"]) for i, p in enumerate(layers)},
        jnp.asarray(LENGTHS),
        5,
        6,
        2,
        0.0,
        bidirectional,
    )
    assert_close(outputs, wanted)
    flat = jax.tree.leaves(final)
    assert_close(flat[0::2], list(hidden))
    assert_close(flat[1::2], list(memory))
