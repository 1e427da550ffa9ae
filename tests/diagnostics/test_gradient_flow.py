"""Gradients through time: against brute force, closed forms, and the cut of truncation."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.data.vocabulary import build_vocabulary, encode_lines
from zoo.diagnostics.gradient_flow import NUM_ROWS, cut_rows, gradient_flow, linear_flow
from zoo.diagnostics.gradient_picture import draw_flows
from zoo.errors import UserError
from zoo.layers.cells import cell_names, register_cell
from zoo.layers.cells.elman import Elman
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.special_tokens import END_ID, START_ID

V, T = 7, 6
TOKENS = np.random.default_rng(1).integers(V, size=(3, T + 1)).astype(np.int32)


def make(cell, sizes=(5,), **settings):
    model = RecurrentLM(
        RecurrentLMConfig(cell=cell, embedding_size=4, hidden_sizes=sizes, **settings), V
    )
    shapes = jax.eval_shape(model.init, jax.random.key(0), TOKENS)["params"]
    draw = np.random.default_rng(2).normal
    return model, jax.tree.map(lambda leaf: jnp.float32(0.5 * draw(size=leaf.shape)), shapes)


@partial(jax.jit, static_argnums=0)
def apply(model, params, tokens, carry=None):
    return model.apply({"params": params}, tokens, carry)


@partial(jax.jit, static_argnums=0)
def loss_from(model, params, carry, tokens):
    """The loss of the last token, from a state and the tokens that are still to be read."""
    log_probs = jax.nn.log_softmax(
        model.apply({"params": params}, tokens[:, :-1], carry).logits[:, -1]
    )
    return -jnp.take_along_axis(log_probs, tokens[:, -1:], axis=1).sum()


gradient_from = jax.jit(jax.grad(loss_from, argnums=2), static_argnums=0)


@pytest.mark.parametrize(
    ("cell", "sizes", "settings"),
    [
        ("lstm", (5,), {}),
        ("lru", (5,), {}),  # complex numbers
        ("gru", (5,), {"learn_initial_state": True}),
        ("mlstm", (4,), {"block": "residual", "convolution_width": 3}),
        pytest.param("elman", (5,), {}, marks=pytest.mark.slow),
        pytest.param("elman", (5, 4), {}, marks=pytest.mark.slow),
        pytest.param("gru", (5, 4), {}, marks=pytest.mark.slow),
        pytest.param("lstm", (5, 4), {}, marks=pytest.mark.slow),
        pytest.param("rwkv7", (5, 4), {}, marks=pytest.mark.slow),
    ],
)
def test_equals_the_gradient_of_every_way_to_cut_the_sequence(cell, sizes, settings):
    """Where a state is more than h_t and c_t, the norm is that of all its numbers together."""
    model, params = make(cell, sizes, **settings)
    flow = gradient_flow(model, params, TOKENS)
    assert flow.hidden.shape == (len(sizes), T + 1)
    assert (flow.memory is not None) == (cell == "lstm")
    for distance in range(1, T):
        read = TOKENS[:, : T - distance]
        carry = apply(model, params, read, model.zero_carry(len(read))).carry
        grad = gradient_from(model, params, carry, TOKENS[:, T - distance :])
        for layer, states in enumerate(grad):
            states = states[0] if "block" in settings else states
            if cell != "lstm":
                flat = [np.reshape(state, (len(state), -1)) for state in states]
                states = [np.concatenate(flat, axis=1)]
            norms = [np.linalg.norm(state, axis=-1).mean() for state in states]
            assert flow.hidden[layer, distance] == pytest.approx(norms[0], rel=1e-4)
            if flow.memory is not None:
                assert flow.memory[layer, distance] == pytest.approx(norms[1], rel=1e-4)


def test_at_the_last_step_it_is_the_gradient_of_the_output():
    model, params = make("mlstm", (5, 4))
    flow = gradient_flow(model, params, TOKENS)
    logits = apply(model, params, TOKENS[:, :-1]).logits[:, -1]
    error = jax.nn.softmax(logits) - jax.nn.one_hot(TOKENS[:, -1], V)
    expected = np.linalg.norm(error @ params["output_kernel"].T, axis=-1).mean()
    assert flow.hidden[1, 0] == pytest.approx(expected, rel=1e-4)
    assert flow.hidden[0, 0] == 0


@dataclass(frozen=True)
class CountingElman(Elman):
    """It also counts its steps."""

    def initial_state(self, batch_size, dtype=float):
        return (*super().initial_state(batch_size, dtype), jnp.zeros(batch_size, jnp.int32))

    def combine(self, params, state, projected, recurrent):
        *hidden, count = state
        hidden, output = super().combine(params, tuple(hidden), projected, recurrent)
        return (*hidden, count + 1), output


def test_integers_in_a_state_have_no_gradient():
    register_cell("counting_elman", CountingElman)
    model, params = make("counting_elman")
    expected = gradient_flow(make("elman")[0], params, TOKENS)
    np.testing.assert_allclose(
        gradient_flow(model, params, TOKENS).hidden, expected.hidden, rtol=1e-5
    )


def test_both_passes_begin_with_a_zero_state_even_if_another_is_learned():
    model, params = make("elman", learn_initial_state=True)
    layer = params["stack"]["layer_0"]
    learned = [name for name in layer if name.startswith("initial_")]
    assert learned
    flow = gradient_flow(model, params, TOKENS)
    others = {name: array for name, array in layer.items() if name not in learned}
    params = {**params, "stack": {"layer_0": others}}
    expected = gradient_flow(make("elman")[0], params, TOKENS)
    np.testing.assert_array_equal(flow.hidden, expected.hidden)


@pytest.mark.slow
@pytest.mark.parametrize("cell", cell_names())
def test_every_cell_has_a_flow(cell):
    flow = gradient_flow(*make(cell, (5, 4)), TOKENS)
    assert np.isfinite(flow.hidden).all()
    assert (flow.hidden[:, 1:] > 0).all()


@pytest.mark.parametrize("truncation", [1, 2, 4, 0])
def test_the_reach_is_the_truncation_that_training_has(truncation):
    model, params = make("elman", truncation=truncation)
    assert gradient_flow(model, params, TOKENS).reach == (truncation or T)


def test_a_relu_network_of_positive_states_is_linear_and_has_the_closed_form():
    model, params = make("elman_relu")
    params = jax.tree.map(jnp.abs, params)  # every state is positive, so every slope is 1
    kernel = np.asarray(params["stack"]["layer_0"]["recurrent_kernel"], np.float64)
    flow = gradient_flow(model, params, TOKENS[:1])
    carry = apply(model, params, TOKENS[:1, :-1]).carry[0][0]
    scores = carry[0] @ params["output_kernel"] + params["output_bias"]
    error = jax.nn.softmax(scores) - jax.nn.one_hot(TOKENS[0, -1], V)
    expected = linear_flow(kernel, np.asarray(params["output_kernel"] @ error, np.float64), T)
    np.testing.assert_allclose(flow.hidden[0], expected, rtol=1e-3)


def test_the_closed_form_is_a_product_of_singular_values():
    draw = np.random.default_rng(3)
    basis, _ = np.linalg.qr(draw.normal(size=(4, 4)))
    values = np.array([1.5, 1.0, 0.7, 0.2])
    kernel = basis @ np.diag(values) @ basis.T
    for index, value in enumerate(values):
        norms = linear_flow(kernel, basis[:, index], 8)
        np.testing.assert_allclose(norms, value ** np.arange(9))
    gradient = draw.normal(size=4)
    general = draw.normal(size=(4, 4))
    singular = np.linalg.svd(general)[1]
    norms = linear_flow(general, gradient, 8) / np.linalg.norm(gradient)
    assert (norms <= singular[0] ** np.arange(9) * (1 + 1e-9)).all()
    assert (norms >= singular[-1] ** np.arange(9) * (1 - 1e-9)).all()
    plain = [np.linalg.norm(np.linalg.matrix_power(general, d) @ gradient) for d in range(9)]
    np.testing.assert_allclose(linear_flow(general, gradient, 8), plain)


def test_rows_are_stretches_of_the_text():
    vocabulary = build_vocabulary("character", ["abcdefgh"])
    rows = cut_rows(encode_lines(vocabulary, ["abcdefgh"] * 100), 20)
    assert rows.shape == (NUM_ROWS, 21)
    text = "<abcdefgh" * 101
    for row in rows:
        read = ["<" if token == 1 else vocabulary.tokens[token] for token in row[:-1]]
        last = "<" if row[-1] == END_ID else vocabulary.tokens[row[-1]]
        shown = "".join([*read, last])
        assert shown in text
    assert (rows[:, -1] != START_ID).all()  # which is never predicted
    assert cut_rows(encode_lines(vocabulary, ["abc"]), 3).shape == (1, 4)
    assert cut_rows(encode_lines(vocabulary, ["abcdefgh"] * 14), 20).shape == (4, 21)  # of 6
    with pytest.raises(UserError, match="the text has 4 tokens, too few to go 4 steps back"):
        cut_rows(encode_lines(vocabulary, ["abc"]), 4)


def test_the_picture_is_drawn_whole_or_not_at_all(tmp_path):
    flows = {
        name: gradient_flow(*make(cell, truncation=cut), TOKENS)
        for name, cell, cut in (("Elman", "elman", 2), ("LSTM", "lstm", 0))
    }
    draw_flows(tmp_path / "flow.png", {"before": flows, "after": flows})
    assert (tmp_path / "flow.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match=r"is no name for a picture; end it with \.png"):
        draw_flows(tmp_path / "flow.txt", {"": flows})
    with pytest.raises(UserError, match="cannot write"):
        draw_flows(tmp_path / "absent" / "flow.png", {"": flows})
    assert [path.name for path in tmp_path.iterdir()] == ["flow.png"]
