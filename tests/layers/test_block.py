"""Residual blocks, against a loop in NumPy that sees one row, and one step at a time."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.layers.block import ResidualStack, initial_carries
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig

B, T, D, V = 3, 9, 4, 7
RNG = np.random.default_rng(11)
INPUTS = RNG.normal(size=(B, T, D)).astype(np.float32)
LENGTHS = np.array([9, 1, 6], np.int32)
RESETS = np.zeros((B, T), bool)
RESETS[0, [3, 4, 7]] = RESETS[2, [0, 5]] = True

widths = pytest.mark.parametrize("width", [0, 1, 4])


def make(width: int, **settings: Any) -> tuple[ResidualStack, Any]:
    """Two blocks of Elman cells, random parameters."""
    stack = ResidualStack(cell="elman", sizes=(D, D), convolution_width=width, **settings)
    shapes = jax.eval_shape(stack.init, jax.random.key(0), INPUTS)["params"]
    draw = np.random.default_rng(12).normal
    return stack, jax.tree.map(lambda a: jnp.asarray(draw(size=a.shape) / 2, jnp.float32), shapes)


def silu(x: Any) -> Any:
    return x / (1 + np.exp(-x))


def norm(x: Any, scale: Any) -> Any:
    return x / np.sqrt((x**2).mean() + 1e-6) * scale


def by_loop(params: Any, row: Any, resets: Any, width: int) -> tuple[Any, list[Any]]:
    """The outputs of one row, and of each layer its state and its last inputs n."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    states = [params[f"layer_{index}"]["initial_0"] for index in range(2)]
    pasts: list[list[Any]] = [[], []]
    outputs = []
    for now, reset in zip(row.astype(np.float64), resets, strict=True):
        x = now
        for index in range(2):
            cell, rest = params[f"layer_{index}"], params[f"block_{index}"]
            if reset:
                states[index], pasts[index] = cell["initial_0"], []
            u = norm(x, rest["mix_norm"])
            if width:
                pasts[index] = [u, *pasts[index]]
                kernel, bias = rest["convolution_kernel"][::-1], rest["convolution_bias"]
                u = silu(bias + sum(k * n for k, n in zip(kernel, pasts[index], strict=False)))
            states[index] = np.tanh(
                u @ cell["input_kernel"] + states[index] @ cell["recurrent_kernel"] + cell["bias"]
            )
            x = x + states[index] @ rest["mix_kernel"]
            n = norm(x, rest["mlp_norm"])
            x = x + (silu(n @ rest["gate_kernel"]) * (n @ rest["up_kernel"])) @ rest["down_kernel"]
        outputs.append(norm(x, params["norm"]))
    return np.array(outputs), list(zip(states, pasts, strict=True))


@widths
def test_a_stack_is_the_loop_of_its_equations(width: int) -> None:
    """With padding and resets; what is carried on is the loop's too."""
    stack, params = make(width, learn_initial_state=True)
    outputs, carry = jax.jit(stack.apply)(
        {"params": params}, INPUTS, lengths=jnp.asarray(LENGTHS), resets=jnp.asarray(RESETS)
    )
    for row, length in enumerate(LENGTHS):
        wanted, ends = by_loop(params, INPUTS[row, :length], RESETS[row, :length], width)
        np.testing.assert_allclose(outputs[row, :length], wanted, atol=1e-5)
        for index, (state, past) in enumerate(ends):
            found = carry[index][0][0] if width else carry[index][0]
            np.testing.assert_allclose(found[row], state, atol=1e-5)
            if width:
                missing = width - 1 - len(past[: width - 1])
                padded = [np.zeros(D)] * missing + past[: width - 1][::-1]
                np.testing.assert_allclose(
                    carry[index][1][row], np.reshape(padded, (width - 1, D)), atol=1e-5
                )


@widths
def test_one_step_at_a_time_is_all_at_once(width: int) -> None:
    stack, params = make(width)
    apply = jax.jit(
        lambda x, carry, resets: stack.apply({"params": params}, x, carry, resets=resets)
    )
    resets = jnp.asarray(RESETS)
    whole, last = apply(INPUTS, initial_carries("elman", (D, D), B, width), resets)
    carry, outputs = initial_carries("elman", (D, D), B, width), []
    for t in range(T):
        output, carry = apply(INPUTS[:, t : t + 1], carry, resets[:, t : t + 1])
        outputs.append(output)
    np.testing.assert_allclose(jnp.concatenate(outputs, axis=1), whole, atol=1e-5)
    assert jax.tree.structure(carry) == jax.tree.structure(last)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), carry, last)


def test_dropout_leaves_the_residual_stream_whole() -> None:
    """Where nearly all of what the parts add is dropped, x itself comes through."""
    stack, params = make(4, dropout_rate=0.99)
    outputs, _ = stack.apply(
        {"params": params}, INPUTS, deterministic=False, rngs={"dropout": jax.random.key(1)}
    )
    wanted = [[norm(x, params["norm"]) for x in row] for row in INPUTS]
    close = np.isclose(outputs, wanted, atol=1e-4).all(axis=-1)
    assert 0.6 < close.mean() < 1


def test_blocks_read_in_one_direction() -> None:
    with pytest.raises(UserError, match="use bidirectional=False"):
        make(0, bidirectional=True)


@pytest.mark.parametrize("cell", ["elman", "delta_net", "lru"])
def test_every_parameter_of_a_language_model_is_trained(cell: str) -> None:
    config = RecurrentLMConfig(
        cell=cell, embedding_size=D, hidden_sizes=(D, D), block="residual", convolution_width=4
    )
    model = RecurrentLM(config, V)
    tokens = jnp.asarray(RNG.integers(0, V, (B, T)), jnp.int32)
    params = jax.jit(model.init)(jax.random.key(0), tokens)["params"]

    def loss(params: Any) -> jax.Array:
        logits = model.apply({"params": params}, tokens).logits
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), tokens[..., None], axis=-1).sum()

    for path, grad in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(loss))(params)):
        assert np.isfinite(grad).all(), path
        assert np.abs(grad).max() > 0, path
