"""The recurrent language model: counts, values, gradients, and what every setting does."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from plain_loop import EQUATIONS, layer_loop
from small_lm import TOKENS, V, apply, random_params, small

from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig

LENGTHS = np.array([6, 4, 1], np.int32)
RESETS = np.array([[0, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], bool)
every_cell = pytest.mark.parametrize("name", EQUATIONS)


def assert_close(got: Any, wanted: Any) -> None:
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


# V = 11, D = 4, H = 5. A cell with G gates has G (D H + H H + H) = 50 G parameters, and a GRU H
# more; the embedding has V D = 44, the output layer H V + V = 66.
# Tied: D = H = 5, the embedding 55, a cell 55 G, the output layer its bias 11 only.
# Two layers 5 and 3: the second has G (5*3 + 3*3 + 3) = 27 G, and a GRU 3 more; output 33 + 11.
@pytest.mark.parametrize(
    ("cell", "plain", "tied", "learned", "two_layers"),
    [
        ("elman", 160, 121, 165, 165),
        ("elman_relu", 160, 121, 165, 165),
        ("elman_logistic", 160, 121, 165, 165),
        ("gru", 265, 236, 270, 327),
        ("lstm", 310, 286, 320, 396),
    ],
)
def test_number_of_parameters(
    cell: str, plain: int, tied: int, learned: int, two_layers: int
) -> None:
    def count(**settings: Any) -> int:
        settings = {"embedding_size": 4, "hidden_sizes": (5,), **settings}
        model = RecurrentLM(RecurrentLMConfig(cell=cell, **settings), 11)
        shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 2), int))["params"]
        return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))

    assert count() == plain
    assert count(tie_embeddings=True, embedding_size=5) == tied
    assert count(learn_initial_state=True) == learned
    assert count(hidden_sizes=(5, 3)) == two_layers


@pytest.mark.parametrize(("name", "tied"), [(name, False) for name in EQUATIONS] + [("lstm", True)])
def test_output_equals_the_plain_loop(name: str, tied: bool) -> None:
    """Embed, one loop a layer, U h + bias; padded, with resets and a learned initial state."""
    model = small(name, tie_embeddings=tied, learn_initial_state=True)
    params = random_params(model)
    output = apply(model, params, TOKENS, lengths=LENGTHS, resets=RESETS)

    hidden, carries = np.asarray(params["embedding"])[TOKENS], []
    for index in range(2):
        layer = layer_loop(
            name, params["stack"][f"layer_{index}"], hidden, lengths=LENGTHS, resets=RESETS
        )
        hidden, carries = layer.outputs, [*carries, layer.carry]
    kernel = params["embedding"].T if tied else params["output_kernel"]
    assert_close(output.logits, hidden @ np.asarray(kernel) + np.asarray(params["output_bias"]))
    assert_close(output.carry, tuple(carries))


@every_cell
def test_gradients_reach_every_parameter_and_equal_finite_differences(
    name: str, float64: None
) -> None:
    model = small(name, tie_embeddings=True, learn_initial_state=True)
    params = random_params(model, np.float64)

    @jax.jit
    def value_and_grad(params: Any) -> Any:
        def loss(params: Any) -> jax.Array:
            logits = model.apply({"params": params}, TOKENS).logits
            return optax.softmax_cross_entropy_with_integer_labels(logits, TOKENS[:, ::-1]).mean()

        return jax.value_and_grad(loss)(params)

    leaves, structure = jax.tree.flatten(params)
    draw, step = np.random.default_rng(23).normal, 1e-6
    for index, grad in enumerate(jax.tree.leaves(value_and_grad(params)[1])):
        assert np.isfinite(grad).all()
        assert (grad != 0).any()
        direction, losses = draw(size=grad.shape), []
        for move in (step, -step):
            moved = [*leaves[:index], leaves[index] + move * direction, *leaves[index + 1 :]]
            losses.append(float(value_and_grad(structure.unflatten(moved))[0]))
        slope = (losses[0] - losses[1]) / (2 * step)
        assert slope == pytest.approx(float((grad * direction).sum()), rel=1e-5, abs=1e-9)


def test_a_tied_embedding_gets_the_gradients_of_both_its_uses() -> None:
    tied, untied = small("elman", tie_embeddings=True), small("elman")
    params = random_params(tied)
    separate = {**params, "output_kernel": params["embedding"].T}

    def loss(params: Any, model: RecurrentLM) -> jax.Array:
        return (model.apply({"params": params}, TOKENS).logits ** 2).sum()

    shared = jax.jit(jax.grad(loss), static_argnums=1)(params, tied)
    own = jax.jit(jax.grad(loss), static_argnums=1)(separate, untied)
    assert_close(shared["embedding"], own["embedding"] + own["output_kernel"].T)
    assert np.abs(own["embedding"]).max() > 1e-2
    assert np.abs(own["output_kernel"]).max() > 1e-2


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_scanned_equals_looped_equals_cut_in_two(name: str) -> None:
    model = small(name)
    params = random_params(model)
    whole = apply(model, params, TOKENS)
    for widths in ([1] * 6, [2, 4]):
        if name != "lstm" and len(widths) == 2:
            continue
        logits, carry, start = [], model.zero_carry(3), 0
        for width in widths:
            output = apply(model, params, TOKENS[:, start : start + width], carry)
            logits.append(output.logits)
            carry, start = output.carry, start + width
        assert_close(np.concatenate(logits, axis=1), whole.logits)
        assert_close(carry, whole.carry)


def test_padding_and_batch_mates_change_nothing() -> None:
    model = small("gru")
    params = random_params(model)
    output = apply(model, params, TOKENS, lengths=LENGTHS)
    other = np.where(np.arange(6)[None, :] < LENGTHS[:, None], TOKENS, 3)
    assert_close(apply(model, params, other, lengths=LENGTHS).carry, output.carry)
    for row, length in enumerate(LENGTHS[:2]):
        alone = apply(model, params, TOKENS[row : row + 1, :length])
        assert_close(output.logits[row : row + 1, :length], alone.logits)
        mine = jax.tree.map(lambda state, row=row: state[row : row + 1], output.carry)
        assert_close(mine, alone.carry)


def test_a_fresh_row_starts_from_the_learned_state_whatever_it_carried() -> None:
    model = small("lstm", learn_initial_state=True)
    params = random_params(model)
    carried = apply(model, params, TOKENS).carry
    fresh = np.array([[True], [False], [True]])
    mixed = apply(model, params, TOKENS, carried, resets=fresh).logits
    assert_close(mixed[::2], apply(model, params, TOKENS).logits[::2])
    assert_close(mixed[1], apply(model, params, TOKENS, carried).logits[1])
    assert np.abs(apply(model, params, TOKENS, model.zero_carry(3)).logits - mixed)[0].max() > 1e-3


def test_the_carry_that_comes_out_goes_in_without_a_second_compilation() -> None:
    for name in ("gru", "lstm"):
        model, traces = small(name), []
        params = random_params(model)

        @jax.jit
        def step(carry: Any, tokens: Any, model: Any = model, params: Any = params) -> Any:
            traces.append(tokens.shape)  # noqa: B023
            return model.apply({"params": params}, tokens, carry).carry

        step(step(model.zero_carry(3), TOKENS), TOKENS[::-1].copy())
        assert len(traces) == 1


@pytest.mark.parametrize("name", ["elman", "gru", "lstm"])
def test_one_batch_is_overfitted(name: str) -> None:
    """In 150 steps of Adam to below 0.1 nats a token, from 1.9 for a uniform guess."""
    model = small(name, embedding_size=16, hidden_sizes=(16,), init_scale=0.3)
    targets = np.random.default_rng(24).integers(V, size=TOKENS.shape)
    optimizer = optax.adam(0.03)

    def loss(params: Any) -> jax.Array:
        logits = model.apply({"params": params}, TOKENS).logits
        return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()

    def step(state: Any, _: None) -> Any:
        params, moments = state
        value, grad = jax.value_and_grad(loss)(params)
        updates, moments = optimizer.update(grad, moments)
        return (optax.apply_updates(params, updates), moments), value

    @jax.jit
    def train(key: jax.Array) -> jax.Array:
        params = model.init(key, TOKENS)["params"]
        return jax.lax.scan(step, (params, optimizer.init(params)), length=150)[1]

    with jax.numpy_dtype_promotion("standard"):  # optax mixes its int32 count with floats
        losses = train(jax.random.key(0))
    assert losses[0] == pytest.approx(math.log(V), abs=0.3)
    assert losses[-1] < 0.1
