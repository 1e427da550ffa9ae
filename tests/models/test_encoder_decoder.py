"""Encoder-decoders of every kind: plain loops, padding, causality, step by step, settings."""

import dataclasses
import math
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain_loop import EQUATIONS

from zoo.errors import UserError
from zoo.models.encoder_decoder import (
    CONTEXTS,
    EncoderDecoder,
    EncoderDecoderConfig,
)

V, W, D, H = 9, 7, 4, 4  # target and source vocabulary, widths
RNG = np.random.default_rng(0)
SOURCE_LENGTHS = np.array([5, 3, 1], np.int32)
SOURCES = RNG.integers(0, W, (3, 5)).astype(np.int32)
INPUTS = RNG.integers(0, V, (3, 6)).astype(np.int32)

# Each encoder with one decoder and each decoder with one encoder, with both contexts.
KINDS = ("feedforward", "elman", "gru", "lstm", "peephole_lstm", "rg_lru", "transformer")
PAIRS = [*((kind, "gru") for kind in KINDS), *(("elman", kind) for kind in KINDS)]
MODELS = {
    f"{encoder} to {decoder} by {context}": {
        "encoder": encoder,
        "decoder": decoder,
        "context": context,
    }
    for encoder, decoder in PAIRS
    for context in CONTEXTS
} | {
    "transformer to transformer": {"encoder": "transformer", "decoder": "transformer"},
    "feedforward to feedforward": {"encoder": "feedforward", "decoder": "feedforward"},
    "input feeding": {"input_feeding": True, "num_layers": 2},
    "vector read at every step": {"context": "vector", "reads_vector": True},
    "one way": {"bidirectional": False, "decoder": "lstm"},
    "dot": {"score": "dot"},
    "scaled dot": {"score": "scaled_dot"},
    "bilinear": {"score": "bilinear"},
}

FAST = ("gru to gru by attention", "transformer to transformer", "feedforward to feedforward")
EVERY_MODEL = [
    pytest.param(settings, id=name, marks=() if name in FAST else pytest.mark.slow)
    for name, settings in MODELS.items()
]


def small(**changes):
    sizes = {"embedding_size": D, "hidden_size": H, "num_heads": 2, "inner_size": 5}
    return EncoderDecoder(EncoderDecoderConfig(**{**sizes, **changes}), V, W)


def random_params(model, seed=0):
    shapes = jax.eval_shape(model.init, jax.random.key(0), SOURCES, SOURCE_LENGTHS, INPUTS)
    draw = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jnp.asarray(draw.normal(size=leaf.shape, scale=0.5), jnp.float32),
        shapes["params"],
    )


@partial(jax.jit, static_argnums=0)
def apply(model, params, sources, lengths, inputs):
    return model.apply({"params": params}, sources, lengths, inputs)


def close(first, second):
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", EVERY_MODEL)
def test_padding_mates_and_later_tokens_change_nothing(settings):
    model = small(**settings)
    params = random_params(model)
    whole = apply(model, params, SOURCES, SOURCE_LENGTHS, INPUTS)
    for row, length in enumerate(SOURCE_LENGTHS):
        alone = apply(
            model, params, SOURCES[row : row + 1, :length], SOURCE_LENGTHS[row : row + 1],
            INPUTS[row : row + 1],
        )  # fmt: skip
        close(alone.logits[0], whole.logits[row])
        if whole.weights is not None:
            close(alone.weights[0], whole.weights[row, :, :length])
            assert not whole.weights[row, :, length:].any()
            close(whole.weights[row].sum(axis=-1), np.ones(6))
    assert (whole.weights is None) == (model.config.context == "vector")
    changed = INPUTS.copy()
    changed[:, 4:] = (changed[:, 4:] + 1) % V
    again = apply(model, params, SOURCES, SOURCE_LENGTHS, changed)
    assert (again.logits[:, :4] == whole.logits[:, :4]).all()
    assert (again.logits[:, 4:] != whole.logits[:, 4:]).any()
    changed = SOURCES.copy()
    changed[:, 0] = (changed[:, 0] + 1) % W
    assert (apply(model, params, changed, SOURCE_LENGTHS, INPUTS).logits != whole.logits).any()


@partial(jax.jit, static_argnums=0)
def begin(model, params, sources, lengths):
    def both(module):
        return module.begin(module.encode(sources, lengths), INPUTS.shape[1])

    return model.apply({"params": params}, method=both)


@partial(jax.jit, static_argnums=0)
def decode(model, params, tokens, memory, state):
    return model.apply({"params": params}, tokens, memory, state, method="decode")


@pytest.mark.parametrize("settings", EVERY_MODEL)
def test_step_by_step_and_in_two_pieces_equal_the_whole(settings):
    model = small(**settings)
    params = random_params(model)
    whole = apply(model, params, SOURCES, SOURCE_LENGTHS, INPUTS)
    for pieces in ([1] * 6, [2, 4]):
        memory, state = begin(model, params, SOURCES, SOURCE_LENGTHS)
        at = 0
        for size in pieces:
            output = decode(model, params, INPUTS[:, at : at + size], memory, state)
            close(output.logits, whole.logits[:, at : at + size])
            if whole.weights is not None:
                close(output.weights, whole.weights[:, at : at + size])
            state, at = output.state, at + size


@pytest.mark.parametrize("settings", EVERY_MODEL)
def test_every_parameter_has_a_gradient(settings):
    model = small(**settings)
    params = random_params(model)

    def loss(params):
        logits = model.apply({"params": params}, SOURCES, SOURCE_LENGTHS, INPUTS).logits
        return (jax.nn.log_softmax(logits)[..., 3] * jnp.arange(1.0, 7.0)[None]).sum()

    for path, gradient in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(loss))(params)):
        name = jax.tree_util.keystr(path)
        assert np.isfinite(gradient).all(), name
        assert np.abs(gradient).max() > 1e-6, name


def softmax(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def run_cell(cell, layer, x, carry):
    bias = np.zeros_like(layer["bias"])
    if "candidate_bias" in layer:
        bias[2 * len(carry[0]) :] = layer["candidate_bias"]
    a = x @ layer["input_kernel"] + layer["bias"]
    return EQUATIONS[cell].step(np, a, carry[0] @ layer["recurrent_kernel"] + bias, carry)


SCORE_EQUATIONS = {
    "dot": lambda q, k, p: q @ k,
    "scaled_dot": lambda q, k, p: q @ k / np.sqrt(H),
    "bilinear": lambda q, k, p: q @ p["bilinear_kernel"] @ k / np.sqrt(H),
    "additive": lambda q, k, p: (
        p["vector"] @ np.tanh(q @ p["query_kernel"] + k @ p["key_kernel"] + p["bias"])
    ),
}


def plain_recurrent(config, params, source, inputs):
    """Logits and weights of one pair, from the equations at the top of the files."""
    embedded = params["source_embedding"][source]
    halves = []
    for name, order in (("layer_0", 1), ("reverse_layer_0", -1)):
        layer = params["encoder"]["stack"][name]
        carry = tuple(np.zeros(H // 2) for _ in range(EQUATIONS[config.encoder].num_states))
        states = []
        for x in embedded[::order]:
            carry = run_cell(config.encoder, layer, x, carry)
            states.append(carry[0])
        halves.append(np.array(states))
    states = np.concatenate([halves[0], halves[1][::-1]], axis=1)
    vector = np.concatenate([halves[0][-1], halves[1][-1]])
    decoder = params["decoder"]
    start = np.tanh(vector @ decoder["start_kernel"] + decoder["start_bias"])
    carry = tuple(np.split(start, EQUATIONS[config.decoder].num_states))
    logits, all_weights, fed = [], [], np.zeros(H)
    for token in inputs:
        x = params["target_embedding"][token]
        if config.reads_vector:
            x = np.concatenate([x, vector])
        if config.input_feeding:
            x = np.concatenate([x, fed])
        carry = run_cell(config.decoder, decoder["stack"]["layer_0"], x, carry)
        hidden = carry[0]
        if config.context == "attention":
            look = decoder["look"]
            score = SCORE_EQUATIONS[config.score]
            weights = softmax(
                np.array([score(hidden, key, look.get("attention")) for key in states])
            )
            joined = np.concatenate([weights @ states, hidden])
            hidden = np.tanh(joined @ look["kernel"] + look["bias"])
            all_weights.append(weights)
        fed = hidden
        logits.append(hidden @ params["output_kernel"] + params["output_bias"])
    return np.array(logits), np.array(all_weights)


@pytest.mark.parametrize(
    "settings",
    [
        {"score": "dot"},
        {"score": "scaled_dot", "encoder": "lstm", "decoder": "elman"},
        {"score": "bilinear", "encoder": "elman", "decoder": "lstm"},
        {"score": "additive", "input_feeding": True},
        {"context": "vector", "encoder": "elman"},
        {"context": "vector", "reads_vector": True},
    ],
    ids=str,
)
def test_recurrent_ones_equal_a_plain_loop(settings):
    model = small(**settings)
    params = random_params(model)
    output = apply(model, params, SOURCES, SOURCE_LENGTHS, INPUTS)
    plain = jax.tree.map(np.asarray, params)
    for row, length in enumerate(SOURCE_LENGTHS):
        logits, weights = plain_recurrent(model.config, plain, SOURCES[row, :length], INPUTS[row])
        close(output.logits[row], logits)
        if len(weights):
            close(output.weights[row, :, :length], weights)


def sinusoids(steps, size=D):
    table = np.zeros((steps, size))
    for t in range(steps):
        for i in range(0, size, 2):
            angle = t / 1e4 ** (i / size)
            table[t, i], table[t, i + 1] = np.sin(angle), np.cos(angle)
    return table


def plain_feedforward(config, params, source, inputs):
    """The same of two windows."""
    x = params["source_embedding"][source] * np.sqrt(D) + sinusoids(len(source))
    w, n = config.encoder_window, config.decoder_window
    padded = np.concatenate([np.zeros((w, D)), x, np.zeros((w, D))])
    encoder, decoder = params["encoder"], params["decoder"]
    states = np.array(
        [
            np.tanh(padded[s : s + 2 * w + 1].ravel() @ encoder["kernel"] + encoder["bias"])
            for s in range(len(source))
        ]
    )
    y = params["target_embedding"][inputs] * np.sqrt(D) + sinusoids(len(inputs))
    y = np.concatenate([np.zeros((n - 1, D)), y])
    logits = []
    for t in range(len(inputs)):
        joined = np.concatenate([y[t : t + n].ravel(), states.mean(axis=0)])
        hidden = np.tanh(joined @ decoder["kernel"] + decoder["bias"])
        placed = states + sinusoids(len(source), states.shape[1])
        weights = softmax(placed @ hidden)
        look = decoder["look"]
        context = np.concatenate([weights @ placed, hidden])
        hidden = np.tanh(context @ look["kernel"] + look["bias"])
        logits.append(hidden @ params["output_kernel"] + params["output_bias"])
    return np.array(logits)


def test_feedforward_equals_a_plain_loop():
    model = small(encoder="feedforward", decoder="feedforward", score="dot", decoder_window=3)
    params = random_params(model)
    output = apply(model, params, SOURCES, SOURCE_LENGTHS, INPUTS)
    plain = jax.tree.map(np.asarray, params)
    for row, length in enumerate(SOURCE_LENGTHS):
        wanted = plain_feedforward(model.config, plain, SOURCES[row, :length], INPUTS[row])
        close(output.logits[row], wanted)


def norm(x, p):
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-6)
    return centred / deviation * p["scale"] + p["bias"]


def heads(p, queries, states, sees):
    """Two heads, one after the other."""
    q, k, v = (
        x @ p[f"{name}_kernel"] + p.get(f"{name}_bias", 0)
        for name, x in (("query", queries), ("key", states), ("value", states))
    )
    outputs, all_weights = [], []
    for part in (slice(0, H // 2), slice(H // 2, H)):
        scores = q[:, part] @ k[:, part].T / np.sqrt(H // 2)
        weights = np.array(
            [softmax(np.where(sees[t], scores[t], -np.inf)) for t in range(len(queries))]
        )
        outputs.append(weights @ v[:, part])
        all_weights.append(weights)
    joined = np.concatenate(outputs, axis=1) @ p["output_kernel"] + p["output_bias"]
    return joined, np.mean(all_weights, axis=0)


def position_wise(p, x):
    hidden = np.maximum(x @ p["hidden_kernel"] + p["hidden_bias"], 0)
    return hidden @ p["output_kernel"] + p["output_bias"]


def plain_transformer(params, source, inputs):
    """Logits and weights of one pair through one layer on either side."""
    x = params["source_embedding"][source] * np.sqrt(D) + sinusoids(len(source))
    layer = params["encoder"]["layer_0"]
    normed = norm(x, layer["self_norm"])
    all_steps = np.ones((len(x), len(x)), bool)
    x = x + heads(layer["self_attention"], normed, normed, all_steps)[0]
    x = x + position_wise(layer["position_wise"], norm(x, layer["position_wise_norm"]))
    states = norm(x, params["encoder"]["norm"])
    y = params["target_embedding"][inputs] * np.sqrt(D) + sinusoids(len(inputs))
    layer = params["decoder"]["layer_0"]
    normed = norm(y, layer["self_norm"])
    y = y + heads(layer["self_attention"], normed, normed, np.tril(np.ones((6, 6), bool)))[0]
    sees = np.ones((6, len(source)), bool)
    looked, weights = heads(layer["source_attention"], norm(y, layer["source_norm"]), states, sees)
    y = y + looked
    y = y + position_wise(layer["position_wise"], norm(y, layer["position_wise_norm"]))
    hidden = norm(y, params["decoder"]["norm"])
    return hidden @ params["output_kernel"] + params["output_bias"], weights


def test_transformer_equals_a_plain_loop():
    model = small(encoder="transformer", decoder="transformer")
    params = random_params(model)
    output = apply(model, params, SOURCES, SOURCE_LENGTHS, INPUTS)
    plain = jax.tree.map(np.asarray, params)
    for row, length in enumerate(SOURCE_LENGTHS):
        logits, weights = plain_transformer(plain, SOURCES[row, :length], INPUTS[row])
        close(output.logits[row], logits)
        close(output.weights[row, :, :length], weights)


def test_number_of_parameters():
    def count(**changes):
        leaves = jax.tree.leaves(random_params(small(**changes)))
        return sum(math.prod(leaf.shape) for leaf in leaves)

    vocabularies = V * D + W * D + H * V + V
    gru_encoder = 2 * (3 * (D * 2 + 2 * 2 + 2) + 2)
    gru_decoder = 3 * (D * H + H * H + H) + H + H * H + H  # with what makes h_0
    look = 2 * H * H + H
    assert count(context="vector") == vocabularies + gru_encoder + gru_decoder
    assert count(score="dot") == vocabularies + gru_encoder + gru_decoder + look
    assert count(score="bilinear") == count(score="dot") + H * H
    assert count(score="additive") == count(score="dot") + 2 * H * H + 2 * H
    assert count(tie_embeddings=True) == count() - H * V
    attention, inner = 4 * H * H + 3 * H, H * 5 + 5 + 5 * H + H
    layers = 3 * attention + 2 * inner + (2 + 3 + 2) * 2 * H
    assert count(encoder="transformer", decoder="transformer") == vocabularies + layers


def test_shared_embeddings_are_one_matrix():
    config = EncoderDecoderConfig(embedding_size=D, hidden_size=H, share_embeddings=True)
    params = random_params(EncoderDecoder(config, V, V))
    assert "embedding" in params
    assert not {"source_embedding", "target_embedding"} & set(params)
    with pytest.raises(UserError, match=r"needs one vocabulary; use data\.share_vocabulary=True"):
        random_params(EncoderDecoder(config, V, W))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("output", "gru"),
        ("layer", "feedforward"),
        *(
            pytest.param(name, kind, marks=pytest.mark.slow)
            for name, kind in (("embedding", "lstm"), ("layer", "lstm"), ("layer", "transformer"))
        ),
    ],
)
def test_dropout_changes_training_only(name, kind):
    changes = {"encoder": kind, "decoder": "gru" if kind == "feedforward" else kind}
    model = small(num_layers=2, **changes, **{f"{name}_dropout_rate": 0.5})
    plain = small(num_layers=2, **changes)
    params = random_params(model)
    still = apply(model, params, SOURCES, SOURCE_LENGTHS, INPUTS).logits

    @jax.jit
    def drop(key):
        return model.apply(
            {"params": params}, SOURCES, SOURCE_LENGTHS, INPUTS, deterministic=False,
            rngs={"dropout": key},
        ).logits  # fmt: skip

    first, second = drop(jax.random.key(0)), drop(jax.random.key(1))
    assert (first != still).any()
    assert (first != second).any()
    assert (apply(plain, params, SOURCES, SOURCE_LENGTHS, INPUTS).logits == still).all()


def test_a_feedforward_decoder_drops_and_needs_no_positions_of_the_source_without_attention():
    model = small(
        encoder="gru", decoder="feedforward", context="vector", hidden_size=7, bidirectional=False,
        layer_dropout_rate=0.5,
    )  # fmt: skip
    params = random_params(model)
    still = apply(model, params, SOURCES, SOURCE_LENGTHS, INPUTS).logits
    dropped = model.apply(
        {"params": params}, SOURCES, SOURCE_LENGTHS, INPUTS, deterministic=False,
        rngs={"dropout": jax.random.key(0)},
    ).logits  # fmt: skip
    assert still.shape == (*INPUTS.shape, V)
    assert (dropped != still).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"encoder": "rnn"},
            "model.encoder is 'rnn'; choose one of feedforward, transformer, elman",
        ),
        ({"score": "cosine"}, "model.score is 'cosine'; choose one of dot"),
        ({"context": "none"}, "model.context is 'none'; choose one of vector, attention"),
        ({"hidden_size": 0}, "model.hidden_size is 0; use at least 1"),
        ({"encoder_window": -1}, "model.encoder_window is -1"),
        ({"layer_dropout_rate": 1.0}, "model.layer_dropout_rate is 1.0"),
        ({"tie_embeddings": True, "hidden_size": 6}, "tie_embeddings needs them to be equal"),
        ({"encoder": "transformer", "hidden_size": 6}, "a transformer needs them to be equal"),
        ({"decoder": "transformer", "num_heads": 3}, "model.num_heads 3 does not divide"),
        ({"encoder": "feedforward", "embedding_size": 3}, "positions need an even number"),
        ({"decoder": "feedforward", "hidden_size": 3, "bidirectional": False}, "an even number"),
        ({"hidden_size": 5}, "a bidirectional encoder needs an even"),
        ({"decoder": "feedforward", "input_feeding": True}, "is for a recurrent decoder"),
        ({"context": "vector", "input_feeding": True}, "needs model.context=attention"),
    ],
)
def test_settings_that_can_not_be(changes, message):
    with pytest.raises(UserError, match=message):
        small(**changes)


# Each setting -> one change, and what it is seen beside.
RECURRENT_WITH_ATTENTION = {"encoder": "lstm", "decoder": "lstm", "score": "dot"}
TRANSFORMERS = {"encoder": "transformer", "decoder": "transformer"}
WINDOWS = {"encoder": "feedforward", "decoder": "feedforward"}
CHANGES = {
    "encoder": ("elman", {}),
    "decoder": ("elman", {}),
    "context": ("vector", {}),
    "score": ("additive", RECURRENT_WITH_ATTENTION),
    "input_feeding": (True, {}),
    "reads_vector": (True, {"context": "vector"}),
    "embedding_size": (6, {}),
    "hidden_size": (6, {}),
    "num_layers": (2, {}),
    "bidirectional": (False, {}),
    "encoder_window": (1, WINDOWS),
    "decoder_window": (2, WINDOWS),
    "num_heads": (1, TRANSFORMERS),
    "inner_size": (7, TRANSFORMERS),
    "tie_embeddings": (True, {}),
    "share_embeddings": (True, {}),
    "embedding_dropout_rate": (0.5, {}),
    "layer_dropout_rate": (0.5, {"num_layers": 2}),
    "output_dropout_rate": (0.5, {}),
    "forget_bias": (3.0, {"decoder": "lstm"}),
}


def programs(**settings):
    """What makes the parameters and what makes the logits in training, traced."""
    sizes = {"embedding_size": D, "hidden_size": H, "num_heads": 2, "inner_size": 5}
    model = EncoderDecoder(EncoderDecoderConfig(**{**sizes, **settings}), V, V)
    sources, key = SOURCES % V, jax.random.key(0)

    def start(key):
        return model.init(key, sources, SOURCE_LENGTHS, INPUTS)["params"]

    def logits(params, key):
        return model.apply(
            {"params": params},
            sources,
            SOURCE_LENGTHS,
            INPUTS,
            deterministic=False,
            rngs={"dropout": key},
        ).logits

    params = jax.eval_shape(start, key)
    return str(jax.make_jaxpr(start)(key)), str(jax.make_jaxpr(logits)(params, key))


@pytest.mark.parametrize("field", CHANGES)
def test_every_setting_changes_a_program(field):
    assert CHANGES.keys() == {field.name for field in dataclasses.fields(EncoderDecoderConfig)}
    value, beside = CHANGES[field]
    assert programs(**beside) != programs(**{**beside, field: value})


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_the_forget_bias_is_that_of_the_setting_on_either_side(side):
    model = small(**{side: "lstm"}, forget_bias=3.0)
    params = jax.jit(model.init)(jax.random.key(0), SOURCES, SOURCE_LENGTHS, INPUTS)["params"]
    biases = [
        np.asarray(array)
        for path, array in jax.tree_util.tree_leaves_with_path(params)
        if re.search(rf"'{side}.*'(reverse_)?layer_0'.*'bias'", jax.tree_util.keystr(path))
    ]
    assert biases
    for bias in biases:  # of the gates i, f, g, o
        np.testing.assert_array_equal(bias.reshape(4, -1)[1], 3.0)
        np.testing.assert_array_equal(bias.reshape(4, -1)[[0, 2, 3]], 0.0)
