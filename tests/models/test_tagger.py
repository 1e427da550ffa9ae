"""The tagger: counts, values by plain loops, independence of padding and mates, settings."""

import dataclasses
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from plain_loop import EQUATIONS

from zoo.errors import UserError
from zoo.layers.crf import FORBIDDEN, Transitions
from zoo.models import tagger
from zoo.models.registry import default_config
from zoo.models.tagger import Tagger, TaggerConfig, TaggerOutput
from zoo.special_tokens import END_ID, UNKNOWN_ID

V, K, D, H = 11, 3, 4, 5
CHARACTERS, DC, S, C = 7, 3, 2, 5  # how many there are, D of one, width of u, most in a word
LENGTHS = np.array([6, 4, 1], np.int32)
DRAW = np.random.default_rng(0)
WORDS = DRAW.integers(0, V, (3, 6)).astype(np.int32)
WORD_LENGTHS = DRAW.integers(1, C + 1, (3, 6))
SPELLED = np.where(
    np.arange(C) < WORD_LENGTHS[..., None], DRAW.integers(3, CHARACTERS, (3, 6, C)), END_ID
).astype(np.int32)
OUTPUTS = ("softmax", "crf")
KINDS = ("none", "recurrent", "convolution")


decode = jax.jit(tagger.decode)


def small(allowed=None, **changes):
    settings = {
        "embedding_size": D,
        "hidden_sizes": (H,),
        "character_embedding_size": DC,
        "character_size": S,
        "max_characters": C,
    }
    config = TaggerConfig(**{**settings, **changes})
    return Tagger(config, V, K, num_characters=CHARACTERS, allowed=allowed)


@partial(jax.jit, static_argnums=0)
def init(model, key):
    words, lengths = jnp.zeros((1, 1), int), jnp.ones(1, int)
    return model.init(key, words, jnp.zeros((1, 1, C), int), lengths=lengths)["params"]


def random_params(model, seed=0):
    params = jax.eval_shape(partial(init, model), jax.random.key(seed))
    draw = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jnp.asarray(draw.normal(size=leaf.shape, scale=0.5), jnp.float32), params
    )


@partial(jax.jit, static_argnums=0)
def apply(model, params, words, characters, lengths):
    return model.apply({"params": params}, words, characters, lengths=lengths)


@partial(jax.jit, static_argnums=0)
def apply_in_training(model, params, key, words, characters, lengths):
    return model.apply(
        {"params": params},
        words,
        characters,
        lengths=lengths,
        deterministic=False,
        rngs={"dropout": key},
    )


# V D + 2 * 4 (D H + H H + H) + 2 H K + K, and of a CRF K + K K + K
WORDS_ALONE = 44 + 8 * 50 + 30 + 3


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"characters": "none", "output": "softmax"}, WORDS_ALONE),
        ({"characters": "none", "output": "crf"}, WORDS_ALONE + 15),
        ({"characters": "none", "bidirectional": False}, 44 + 4 * 50 + 15 + 3 + 15),
        # 7 * 3 of the embeddings; 2 * 4 (3 * 2 + 2 * 2 + 2); 2 S more inputs: 8 * 4 * 5
        ({"characters": "recurrent", "output": "softmax"}, WORDS_ALONE + 21 + 8 * 12 + 160),
        # 21; 3 * 3 * 2 + 2; S more inputs
        ({"characters": "convolution", "output": "softmax"}, WORDS_ALONE + 21 + 20 + 80),
        # 21; 5 * 3 * 2 + 2 of a window of 5
        (
            {"characters": "convolution", "character_window": 2, "output": "softmax"},
            WORDS_ALONE + 21 + 32 + 80,
        ),
    ],
)
def test_number_of_parameters(changes, wanted):
    shapes = jax.eval_shape(partial(init, small(**changes)), jax.random.key(0))
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) == wanted


def plain_layer(inputs, layer, *, reverse):
    """One direction of an LSTM over one sequence, from the equations."""
    equations, size = EQUATIONS["lstm"], layer["recurrent_kernel"].shape[0]
    carry = tuple(np.zeros(size) for _ in range(equations.num_states))
    outputs = [np.zeros(size)] * len(inputs)
    order = range(len(inputs))
    for step in reversed(order) if reverse else order:
        a = inputs[step] @ layer["input_kernel"] + layer["bias"]
        s = carry[0] @ layer["recurrent_kernel"]
        carry = equations.step(np, a, s, carry)
        outputs[step] = carry[0]
    return np.array(outputs)


def both_ways(inputs, stack):
    forward = plain_layer(inputs, stack["layer_0"], reverse=False)
    backward = plain_layer(inputs, stack["reverse_layer_0"], reverse=True)
    return forward, backward


def plain_spelling(kind, params, characters):
    """u of one word, without padding."""
    embedded = params["embedding"][characters]
    if kind == "recurrent":
        forward, backward = both_ways(embedded, params["stack"])
        return np.concatenate([forward[-1], backward[0]])
    padded = np.concatenate([np.zeros((1, DC)), embedded, np.zeros((1, DC))])
    at_each = [
        padded[at : at + 3].reshape(-1) @ params["kernel"] + params["bias"]
        for at in range(len(embedded))
    ]
    return np.max(at_each, axis=0)


def plain_scores(kind, params, row):
    """e of one sentence, without padding."""
    inputs = []
    for step in range(LENGTHS[row]):
        parts = [params["embedding"][WORDS[row, step]]]
        if kind != "none":
            characters = SPELLED[row, step, : WORD_LENGTHS[row, step]]
            parts.append(plain_spelling(kind, params["spelling"], characters))
        inputs.append(np.concatenate(parts))
    states = np.concatenate(both_ways(np.array(inputs), params["stack"]), axis=1)
    return states @ params["output_kernel"] + params["output_bias"]


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_plain_loops(kind):
    model = small(characters=kind)
    params = random_params(model)
    output = apply(model, params, WORDS, SPELLED, LENGTHS)
    plain = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    for row, length in enumerate(LENGTHS):
        wanted = plain_scores(kind, plain, row)
        np.testing.assert_allclose(output.scores[row, :length], wanted, rtol=1e-4, atol=1e-5)
    for name in ("start", "between", "end"):
        np.testing.assert_array_equal(getattr(output.transitions, name), params[name])


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_the_other_rows_change_nothing(kind, output):
    model = small(characters=kind, output=output)
    params = random_params(model)
    words, characters = WORDS.copy(), SPELLED.copy()
    for row, length in enumerate(LENGTHS):
        words[row, length:], characters[row, length:] = 5, 4
    before = decode(apply(model, params, WORDS, SPELLED, LENGTHS), LENGTHS)
    after = decode(apply(model, params, words, characters, LENGTHS), LENGTHS)
    order = [2, 0, 1]
    mixed = decode(
        apply(model, params, WORDS[order], SPELLED[order], LENGTHS[order]), LENGTHS[order]
    )
    for row, length in enumerate(LENGTHS):
        for one, other, moved in zip(before, after, mixed, strict=True):
            np.testing.assert_array_equal(one[row, :length], other[row, :length])
            np.testing.assert_allclose(
                one[row, :length], moved[order.index(row), :length], rtol=1e-5
            )


@pytest.mark.parametrize("kind", ["recurrent", "convolution"])
def test_words_that_are_spelled_before_give_the_same(kind):
    model = small(characters=kind)
    params = random_params(model)
    spell = jax.jit(partial(model.apply, method="spell"))
    flat = spell({"params": params}, SPELLED.reshape(-1, C))
    spelled = flat.reshape(*WORDS.shape, -1)
    again = jax.jit(model.apply)({"params": params}, WORDS, lengths=LENGTHS, spelled=spelled)
    wanted = apply(model, params, WORDS, SPELLED, LENGTHS)
    np.testing.assert_allclose(again.scores[0], wanted.scores[0], rtol=1e-5, atol=1e-6)


def test_forbidden_transitions_are_in_the_output_and_not_in_the_answer():
    every = (True,) * K
    allowed = ((True, False, True), (every, every, (True, False, True)), every)
    model = small(allowed=allowed, characters="none")
    params = random_params(model)
    params["output_bias"] = jnp.array([0.0, 30.0, 0.0])
    output = apply(model, params, WORDS, None, LENGTHS)
    assert output.transitions.start[1] == FORBIDDEN
    assert output.transitions.between[2, 1] == FORBIDDEN
    tags, probabilities = decode(output, LENGTHS)
    assert (tags[:, 0] != 1).all()
    assert (tags[0, 1:] == 1).all()
    assert (probabilities[0] > 0.4).all()
    free = decode(apply(small(characters="none"), params, WORDS, None, LENGTHS), LENGTHS)
    assert (free[0][:, 0] == 1).all()


@pytest.mark.parametrize("output", OUTPUTS)
def test_gradients_are_finite_and_reach_every_parameter(output):
    model = small(characters="recurrent", output=output)
    params = random_params(model)

    def loss(params):
        found = apply(model, params, WORDS, SPELLED, LENGTHS)
        return jnp.square(decode(found, LENGTHS)[1]).sum() + jnp.square(found.scores).sum()

    for leaf in jax.tree.leaves(jax.jit(jax.grad(loss))(params)):
        assert np.isfinite(leaf).all()
        assert (leaf != 0).any()


RATES = ["word_dropout_rate", "embedding_dropout_rate", "output_dropout_rate"]


@pytest.mark.parametrize("rate", [*RATES, "layer_dropout_rate"])
def test_every_rate_drops_in_training_alone(rate):
    model = small(characters="convolution", hidden_sizes=(H, H), **{rate: 0.5})
    params = random_params(model)
    inputs = {"words": WORDS, "characters": SPELLED, "lengths": LENGTHS}
    still = apply(model, params, **inputs)
    drawn = [apply_in_training(model, params, jax.random.key(n), **inputs) for n in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0].scores, drawn[1].scores)
    assert (drawn[0].scores != drawn[2].scores).any()
    assert (drawn[0].scores != still.scores).any()


def test_word_dropout_makes_words_unknown_and_keeps_their_characters():
    model = small(characters="convolution", word_dropout_rate=0.999)
    params = random_params(model)
    dropped = apply_in_training(model, params, jax.random.key(3), WORDS, SPELLED, LENGTHS)
    unknown = np.full_like(WORDS, UNKNOWN_ID)
    wanted = apply(model, params, unknown, SPELLED, LENGTHS)
    np.testing.assert_allclose(dropped.scores[0], wanted.scores[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", ["elman", "min_gru"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_other_cells_learn_a_rule_of_neighbours(cell, output):
    """The tag of a word says whether the word before it is odd."""
    model = small(characters="none", cell=cell, output=output)
    draw = np.random.default_rng(1)
    words = draw.integers(3, V, (32, 6)).astype(np.int32)
    tags = np.zeros_like(words)
    tags[:, 1:] = words[:, :-1] % 2
    lengths = np.full(32, 6, np.int32)
    optimizer = optax.adam(0.05)
    params = init(model, jax.random.key(0))
    state = optimizer.init(params)

    @jax.jit
    def step(params, state):
        def loss(params):
            scores = model.apply({"params": params}, words, lengths=lengths).scores
            picked = jnp.take_along_axis(jax.nn.log_softmax(scores), tags[:, :, None], axis=2)
            return -picked.mean()

        with jax.numpy_dtype_promotion("standard"):
            updates, state_ = optimizer.update(jax.grad(loss)(params), state)
            return optax.apply_updates(params, updates), state_

    for _ in range(80):
        params, state = step(params, state)
    output = jax.jit(model.apply)({"params": params}, words, lengths=lengths)
    assert (output.scores.argmax(axis=2) == tags).mean() > 0.95


def test_settings_are_plain_and_have_their_defaults():
    record = default_config("tagger")
    assert record.pop("architecture") == "tagger"
    assert record == dataclasses.asdict(TaggerConfig())


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("cell", "lstn", "model.cell is 'lstn'"),
        ("characters", "letters", "choose one of none, recurrent, convolution"),
        ("output", "hmm", "choose one of softmax, crf"),
        ("hidden_sizes", (), "use sizes of at least 1"),
        ("embedding_size", 0, "embedding_size is 0; use at least 1"),
        ("character_size", 0, "character_size is 0; use at least 1"),
        ("max_characters", 1, "max_characters is 1; use 2 to 200"),
        ("max_characters", 2**31, "max_characters is 2147483648; use 2 to 200"),
        ("character_window", -1, "character_window is -1; use 0 to 20"),
        ("character_window", 10**9, "character_window is 1000000000; use 0 to 20"),
        ("word_dropout_rate", 1.0, "use a fraction from 0 to below 1"),
        ("output_dropout_rate", -0.1, "use a fraction from 0 to below 1"),
    ],
)
def test_a_bad_setting_is_told(field, value, message):
    with pytest.raises(UserError, match=message):
        TaggerConfig(**{field: value})


def test_a_crf_gives_the_best_sequence_and_not_the_best_tag_of_each_word():
    joint = np.array([[0.4, 0, 0], [0, 0.3, 0.3], [0, 0, 0]])  # tag 1 is the likelier first tag
    zeros = jnp.zeros(3)
    between = jnp.asarray(np.log(np.maximum(joint, 1e-9)), jnp.float32)
    output = TaggerOutput(jnp.zeros((1, 2, 3)), Transitions(zeros, between, zeros))
    tags, probabilities = decode(output, jnp.array([2], jnp.int32))
    assert tags.tolist() == [[0, 0]]
    np.testing.assert_allclose(probabilities, [[0.4, 0.4]], rtol=1e-4)
