"""The classifier: counts, values by a plain loop, independence of padding and mates, settings."""

import dataclasses
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_loop import EQUATIONS

from zoo.errors import UserError
from zoo.layers.pooling import POOLINGS
from zoo.models.classifier import NO_CELL, Classifier, ClassifierConfig
from zoo.models.registry import default_config
from zoo.special_tokens import UNKNOWN_ID

V, C, D, H = 11, 3, 4, 5
CELLS = (*EQUATIONS, NO_CELL)
LENGTHS = np.array([6, 4, 1], np.int32)
TOKENS = np.random.default_rng(0).integers(0, V, (3, 6)).astype(np.int32)


def small(**changes):
    sizes = {"embedding_size": D, "hidden_sizes": (H,), "head_size": 7}
    return Classifier(ClassifierConfig(**{**sizes, **changes}), V, C)


@partial(jax.jit, static_argnums=0)
def init(model, key):
    tokens, lengths = jnp.zeros((1, 1), int), jnp.ones(1, int)
    return model.init(key, tokens, lengths=lengths)["params"]


def random_params(model, seed=0):
    params = jax.eval_shape(partial(init, model), jax.random.key(seed))
    draw = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jnp.asarray(draw.normal(size=leaf.shape, scale=0.5), jnp.float32), params
    )


@partial(jax.jit, static_argnums=0)
def apply(model, params, tokens, lengths):
    return model.apply({"params": params}, tokens, lengths=lengths)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        # V D + [2] G (D H + H H + H) + Z 7 + 7 + 7 C + C, Z the width that is pooled
        ({"cell": "lstm"}, 44 + 2 * 4 * 50 + 10 * 7 + 7 + 21 + 3),
        ({"cell": "lstm", "bidirectional": False}, 44 + 4 * 50 + 5 * 7 + 7 + 21 + 3),
        ({"cell": "gru", "bidirectional": False}, 44 + 3 * 50 + 5 + 5 * 7 + 7 + 21 + 3),
        ({"cell": "none"}, 44 + 4 * 7 + 7 + 21 + 3),
        # attention: Z Z + Z + Z more
        ({"cell": "elman", "pooling": "attention"}, 44 + 2 * 50 + 120 + 10 * 7 + 7 + 21 + 3),
        ({"cell": "none", "pooling": "attention"}, 44 + 24 + 4 * 7 + 7 + 21 + 3),
        # the second layer reads 2 H: G (2 H * 3 + 3 * 3 + 3)
        ({"cell": "elman", "hidden_sizes": (5, 3)}, 44 + 2 * 50 + 2 * 42 + 6 * 7 + 7 + 21 + 3),
    ],
)
def test_number_of_parameters(changes, wanted):
    shapes = jax.eval_shape(partial(init, small(**changes)), jax.random.key(0))
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) == wanted


def plain_layer(cell, states, layer, *, reverse):
    """One direction over one text, from the equations; the GRU's extra bias is the candidate's."""
    equations = EQUATIONS[cell]
    carry = tuple(np.zeros(H) for _ in range(equations.num_states))
    outputs = [np.zeros(H)] * len(states)
    bias = np.zeros(equations.num_gates * H)
    if "candidate_bias" in layer:
        bias[2 * H :] = layer["candidate_bias"]
    order = range(len(states))
    for step in reversed(order) if reverse else order:
        a = states[step] @ layer["input_kernel"] + layer["bias"]
        s = carry[0] @ layer["recurrent_kernel"] + bias
        carry = equations.step(np, a, s, carry)
        outputs[step] = carry[0]
    return np.array(outputs)


def plain_classifier(cell, pooling, bidirectional, params, tokens):
    """Logits of one text, without padding."""
    states = params["embedding"][tokens]
    if cell != NO_CELL:
        stack = params["stack"]
        forward = plain_layer(cell, states, stack["layer_0"], reverse=False)
        if bidirectional:
            backward = plain_layer(cell, states, stack["reverse_layer_0"], reverse=True)
            states = np.concatenate([forward, backward], axis=1)
        else:
            states = forward
    if pooling == "last":
        pooled = states[-1]
        if cell != NO_CELL and bidirectional:
            pooled = np.concatenate([forward[-1], backward[0]])
    elif pooling == "mean":
        pooled = states.mean(axis=0)
    elif pooling == "max":
        pooled = states.max(axis=0)
    else:
        hidden = np.tanh(states @ params["score_kernel"] + params["score_bias"])
        powers = np.exp(hidden @ params["score_vector"])[:, 0]
        pooled = (powers / powers.sum()) @ states
    head = params["head"]
    hidden = np.maximum(pooled @ head["hidden_kernel"] + head["hidden_bias"], 0)
    return hidden @ head["output_kernel"] + head["output_bias"]


# Every cell and direction, and every pooling of a recurrent network and of bare embeddings.
COMBINATIONS = [
    *((cell, "last", both) for cell in CELLS for both in (True, False)),
    *((cell, pooling, True) for cell in ("lstm", NO_CELL) for pooling in POOLINGS),
]


@pytest.mark.parametrize(("cell", "pooling", "both"), dict.fromkeys(COMBINATIONS))
def test_logits_equal_the_plain_loop(cell, pooling, both):
    model = small(cell=cell, pooling=pooling, bidirectional=both)
    params = random_params(model)
    output = apply(model, params, TOKENS, LENGTHS)
    plain = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    for row, length in enumerate(LENGTHS):
        wanted = plain_classifier(cell, pooling, both, plain, TOKENS[row, :length])
        np.testing.assert_allclose(output.logits[row], wanted, rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(output.weights.sum(axis=1), 1, rtol=1e-6)


MODELS = [
    small(cell=cell, pooling=pooling, bidirectional=both)
    for cell, both in (("elman", False), ("gru", True), ("lstm", True), (NO_CELL, True))
    for pooling in POOLINGS
]
PARAMS: dict[Classifier, object] = {}


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.config.cell}-{m.config.pooling}")
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_a_text_depends_on_neither_its_mates_nor_its_padding(model, data):
    """Alone without padding, or in any row of a batch with any padding: the same logits."""
    params = PARAMS.setdefault(model, random_params(model))
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    length = data.draw(st.sampled_from([1, 4]))  # each is a program of its own
    text = draw.integers(0, V, length).astype(np.int32)
    alone = apply(model, params, text[None], np.array([length], np.int32))
    batch = draw.integers(0, V, (4, 8)).astype(np.int32)
    row = data.draw(st.integers(0, 3))
    batch[row, :length] = text
    lengths = draw.integers(1, 9, 4).astype(np.int32)
    lengths[row] = length
    together = apply(model, params, batch, lengths)
    np.testing.assert_allclose(together.logits[row], alone.logits[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(together.weights[row, :length], alone.weights[0], atol=1e-6)


def loss_of(model, params, classes, **apply_options):
    tokens, lengths = jnp.asarray(TOKENS), jnp.asarray(LENGTHS, int)
    logits = model.apply({"params": params}, tokens, lengths=lengths, **apply_options).logits
    return optax.softmax_cross_entropy_with_integer_labels(logits, classes).mean()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_gradients_agree_with_finite_differences(float64, pooling):
    model = small(cell="gru", pooling=pooling, activation="tanh")
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), random_params(model))
    classes = jnp.array([0, 2, 1])
    loss = jax.jit(partial(loss_of, model, classes=classes))
    flat, unravel = jax.flatten_util.ravel_pytree(params)
    gradient, _ = jax.flatten_util.ravel_pytree(jax.jit(jax.grad(loss))(params))
    direction = jnp.asarray(np.random.default_rng(1).normal(size=flat.shape))
    step = 1e-5
    difference = loss(unravel(flat + step * direction)) - loss(unravel(flat - step * direction))
    assert float(gradient @ direction) == pytest.approx(float(difference) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("pooling", ["last", "attention"])
def test_every_parameter_has_a_gradient_and_one_batch_is_learned(pooling):
    model = small(pooling=pooling)
    params = init(model, jax.random.key(0))
    classes = jnp.array([0, 2, 1])
    used = np.unique(np.concatenate([row[:n] for row, n in zip(TOKENS, LENGTHS, strict=True)]))
    gradient = jax.jit(jax.grad(partial(loss_of, model)))(params, classes)
    assert set(np.flatnonzero(np.abs(gradient["embedding"]).sum(axis=1))) == set(used)
    for leaf in jax.tree.leaves(gradient):
        assert np.isfinite(leaf).all()
        assert (leaf != 0).any()

    @jax.jit
    def step(params):
        value, grads = jax.value_and_grad(partial(loss_of, model))(params, classes)
        return jax.tree.map(lambda leaf, grad: leaf - 0.5 * grad, params, grads), value

    for _ in range(300):
        params, value = step(params)
    assert value < 0.02


CHANGES = {
    "cell": ("gru", {}),
    "embedding_size": (6, {}),
    "hidden_sizes": ((3,), {}),
    "bidirectional": (False, {}),
    "pooling": ("mean", {}),
    "head_size": (2, {}),
    "activation": ("tanh", {}),
    "word_dropout_rate": (0.5, {}),
    "embedding_dropout_rate": (0.5, {}),
    "layer_dropout_rate": (0.5, {"hidden_sizes": (5, 5)}),
    "pooled_dropout_rate": (0.5, {}),
    "head_dropout_rate": (0.5, {}),
    "init_scale": (0.3, {}),
    "forget_bias": (2.0, {}),
}


@pytest.mark.parametrize("field", CHANGES)
def test_every_setting_changes_a_program(field):
    """What each of them means is tested elsewhere; here, that it is used."""
    assert CHANGES.keys() == default_config("classifier").keys() - {"architecture"}
    value, beside = CHANGES[field]

    def programs(**settings):
        model = small(**settings)
        tokens, lengths = jnp.asarray(TOKENS), jnp.asarray(LENGTHS)
        start = partial(model.init, tokens=tokens, lengths=lengths)
        params = jax.eval_shape(start, jax.random.key(0))["params"]
        options = {"deterministic": False, "rngs": {"dropout": jax.random.key(1)}}
        loss = partial(loss_of, model, classes=jnp.array([0, 2, 1]), **options)
        return str(jax.make_jaxpr(start)(jax.random.key(0))), str(jax.make_jaxpr(loss)(params))

    assert programs(**beside) != programs(**beside, **{field: value})
    assert programs(**beside) == programs(**beside)


def test_word_dropout_makes_whole_tokens_unknown_and_only_in_training():
    model = small(cell=NO_CELL, pooling="mean", word_dropout_rate=0.5)
    params = init(model, jax.random.key(0))
    tokens = np.where(TOKENS == UNKNOWN_ID, 7, TOKENS)
    fixed = apply(model, params, tokens, LENGTHS).logits[2]
    unknown = apply(model, params, np.full_like(tokens, UNKNOWN_ID), LENGTHS).logits[2]

    def hidden(key):
        output = model.apply(
            {"params": params},
            tokens,
            lengths=LENGTHS,
            deterministic=False,
            rngs={"dropout": key},
        )
        return output.logits[2]

    logits = jax.vmap(hidden)(jax.random.split(jax.random.key(0), 400))
    # Row 2 has one token: it is itself or unknown, each in half of the cases.
    itself = np.isclose(logits, fixed, atol=1e-6).all(axis=1)
    assert 0.4 < itself.mean() < 0.6
    np.testing.assert_allclose(logits[~itself], np.tile(unknown, ((~itself).sum(), 1)), atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "lstn"}, "model.cell is 'lstn'; choose one of"),
        ({"pooling": "first"}, "model.pooling is 'first'; choose one of last, mean, max"),
        ({"activation": "sigmoid"}, "model.activation is 'sigmoid'"),
        ({"hidden_sizes": ()}, "hidden_sizes is ()"),
        ({"head_size": 0}, "head_size is 0; use at least 1"),
        ({"init_scale": -0.1}, "init_scale is -0.1; use at least 0"),
        ({"word_dropout_rate": 1.0}, "model.word_dropout_rate is 1.0; use a fraction"),
    ],
)
def test_a_bad_setting_is_one_line(settings, message):
    with pytest.raises(UserError) as caught:
        ClassifierConfig(**settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_record_is_hashable_and_takes_lists():
    config = ClassifierConfig(hidden_sizes=[3, 4])  # as JSON has them
    assert hash(config) == hash(dataclasses.replace(config, hidden_sizes=(3, 4)))
