"""Greedy decoding and beam search against exhaustive search and plain loops, vocabularies tiny."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.decoding.beam_search import beam_search, draw_sequences
from zoo.decoding.translation import attention_weights
from zoo.models.encoder_decoder import EncoderDecoder, EncoderDecoderConfig
from zoo.special_tokens import END_ID, START_ID

V, T = 6, 4  # three ordinary tokens
KINDS = ("feedforward", "elman", "lstm", "transformer")
SOURCE_LENGTHS = np.array([4, 2, 1], np.int32)
SOURCES = np.random.default_rng(1).integers(2, 7, (3, 4)).astype(np.int32)


def make(kind, seed=0, **settings):
    sizes = {"embedding_size": 4, "hidden_size": 4, "num_heads": 2, "inner_size": 5}
    config = EncoderDecoderConfig(encoder="gru", decoder=kind, **sizes, **settings)
    model = EncoderDecoder(config, V, 7)
    inputs = jnp.zeros((3, T), jnp.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), SOURCES, SOURCE_LENGTHS, inputs)
    draw = np.random.default_rng(seed)
    return model, jax.tree.map(
        lambda leaf: jnp.asarray(draw.normal(size=leaf.shape), jnp.float32), shapes["params"]
    )


@partial(jax.jit, static_argnums=0)
def log_probabilities(model, params, sources, lengths, inputs):
    return jax.nn.log_softmax(
        model.apply({"params": params}, sources, lengths, inputs).logits, axis=-1
    )


def all_sentences():
    """Every sentence of at most T tokens: those that end, and those that are cut."""
    ordinary = range(3, V)
    for length in range(T):
        for words in itertools.product(ordinary, repeat=length):
            yield [*words, END_ID]
    for words in itertools.product(ordinary, repeat=T):
        yield list(words)


SENTENCES = list(all_sentences())


def score_all(model, params, row, penalty):
    """The score of every sentence for one source, by the full forward pass."""
    targets = np.full((len(SENTENCES), T), END_ID)
    for number, sentence in enumerate(SENTENCES):
        targets[number, : len(sentence)] = sentence
    inputs = np.concatenate([np.full((len(SENTENCES), 1), START_ID), targets[:, :-1]], axis=1)
    source = np.repeat(SOURCES[row : row + 1], len(SENTENCES), axis=0)
    lengths = np.repeat(SOURCE_LENGTHS[row : row + 1], len(SENTENCES))
    values = np.asarray(log_probabilities(model, params, source, lengths, inputs))
    totals = [
        sum(values[number, step, token] for step, token in enumerate(sentence))
        for number, sentence in enumerate(SENTENCES)
    ]
    return np.array(totals), np.array(totals) / np.array([len(s) for s in SENTENCES]) ** penalty


def search(model, params, beam_size, penalty, max_steps=T, limits=None):
    limits = np.full(len(SOURCES), max_steps, np.int32) if limits is None else limits
    return jax.device_get(
        beam_search(
            model, params, SOURCES, SOURCE_LENGTHS, limits, np.float32(penalty),
            beam_size=beam_size, max_steps=max_steps,
        )
    )  # fmt: skip


def greedy(model, params, max_steps=T, temperature=0.0, seed=0, limits=None):
    limits = np.full(len(SOURCES), max_steps, np.int32) if limits is None else limits
    keys = jax.random.split(jax.random.key(seed), len(SOURCES))
    return jax.device_get(
        draw_sequences(
            model, params, SOURCES, SOURCE_LENGTHS, limits, keys, np.float32(temperature),
            max_steps=max_steps,
        )
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("penalty", [pytest.param(0.0, marks=pytest.mark.slow), 1.0])
def test_a_wide_beam_is_an_exhaustive_search(kind, penalty):
    model, params = make(kind)
    width = len(SENTENCES)
    found = search(model, params, width, penalty)
    for row in range(len(SOURCES)):
        totals, scores = score_all(model, params, row, penalty)
        order = np.argsort(-scores, kind="stable")
        np.testing.assert_allclose(found.scores[row], scores[order], rtol=1e-4, atol=1e-4)
        for place in range(5):
            tokens = found.tokens[row, place, : found.lengths[row, place]].tolist()
            assert scores[SENTENCES.index(tokens)] == pytest.approx(
                found.scores[row, place], abs=1e-4
            )
            assert totals[SENTENCES.index(tokens)] == pytest.approx(
                found.log_probabilities[row, place], abs=1e-4
            )
            assert (found.tokens[row, place, found.lengths[row, place] :] == END_ID).all()


@pytest.mark.parametrize("settings", [{}, {"input_feeding": True}, {"context": "vector"}], ids=str)
@pytest.mark.parametrize("seed", range(2))
def test_a_beam_of_one_is_greedy(seed, settings):
    model, params = make("gru", seed, **settings)
    first, second = greedy(model, params, 9)[0], search(model, params, 1, 0.0, 9)
    assert (first.tokens == second.tokens).all()
    assert (first.lengths == second.lengths).all()
    np.testing.assert_allclose(first.log_probabilities, second.log_probabilities, rtol=1e-5)


@pytest.mark.parametrize("seed", range(2))
def test_a_wider_beam_finds_no_worse(seed):
    model, params = make("gru", seed)
    scores = [search(model, params, width, 0.0, 9).scores[:, 0] for width in (1, 8, 64)]
    assert (scores[2] >= scores[0] - 1e-5).all()
    assert (np.diff(search(model, params, 8, 0.6, 9).scores, axis=1) <= 0).all()


def test_greedy_takes_the_most_probable_token_each_time():
    model, params = make("lstm", 3)
    found, _ = greedy(model, params, 7)
    for row in range(len(SOURCES)):
        tokens = [START_ID]
        total = 0.0
        while len(tokens) <= 7 and tokens[-1] != END_ID:
            values = np.array(
                log_probabilities(
                    model, params, SOURCES[row : row + 1], SOURCE_LENGTHS[row : row + 1],
                    np.array([tokens]),
                )[0, -1]
            )  # fmt: skip
            values[[0, START_ID]] = -np.inf
            tokens.append(int(values.argmax()))
            total += values.max()
        assert found.tokens[row, 0, : found.lengths[row, 0]].tolist() == tokens[1:]
        assert found.log_probabilities[row, 0] == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize("settings", [{}, {"input_feeding": True}, {"kind": "transformer"}])
def test_drawn_sentences_come_with_the_attention_that_reading_them_gives(settings):
    model, params = make(**{"kind": "gru", "seed": 4, **settings})
    found, attention = greedy(model, params, 9, temperature=1.0)
    inputs = np.insert(found.tokens[:, 0, :-1], 0, START_ID, axis=1)
    read = attention_weights(model, params, SOURCES, SOURCE_LENGTHS, inputs)
    for row, length in enumerate(found.lengths[:, 0]):
        np.testing.assert_allclose(attention[row, :length], read[row, :length], atol=1e-5)
    assert attention.std() > 0.1


def test_a_model_without_attention_gives_none():
    assert greedy(*make("gru", context="vector"))[1] is None


def test_drawn_sentences_follow_the_models_distribution():
    model, params = make("gru", 1)
    count = 4000
    sources, lengths = (np.repeat(a[:1], count, axis=0) for a in (SOURCES, SOURCE_LENGTHS))
    keys = jax.random.split(jax.random.key(0), count)
    limits = np.full(count, T, np.int32)
    found, _ = draw_sequences(
        model, params, sources, lengths, limits, keys, np.float32(1.0), max_steps=T
    )
    inputs = np.array([[START_ID]])
    values = np.exp(log_probabilities(model, params, SOURCES[:1], SOURCE_LENGTHS[:1], inputs)[0, 0])
    values[[0, START_ID]] = 0  # never written, so the others share what they had
    values = values / values.sum()
    drawn = np.bincount(np.asarray(found.tokens[:, 0, 0]), minlength=V) / count
    np.testing.assert_allclose(drawn, values, atol=4 * np.sqrt(0.25 / count))


@pytest.mark.parametrize("kind", ["lstm", pytest.param("transformer", marks=pytest.mark.slow)])
def test_batch_mates_and_padding_change_no_translation(kind):
    model, params = make(kind, 2)
    together = search(model, params, 3, 0.6)
    for row, length in list(enumerate(SOURCE_LENGTHS))[1:]:
        alone = beam_search(
            model, params, SOURCES[row : row + 1, :length], SOURCE_LENGTHS[row : row + 1],
            np.array([T], np.int32), np.float32(0.6), beam_size=3, max_steps=T,
        )  # fmt: skip
        assert (alone.tokens[0] == together.tokens[row]).all()
        np.testing.assert_allclose(alone.scores[0], together.scores[row], rtol=1e-5)


@pytest.mark.parametrize("way", ["search", "greedy"])
def test_each_sentence_is_cut_at_the_limit_of_its_own_source(way):
    """A row is what it would be if its limit were that of all."""
    model, params = make("gru", 5)
    params["output_bias"] = params["output_bias"].at[END_ID].set(-30.0)  # it never ends by itself
    run = {
        "search": lambda **how: search(model, params, 2, 0.6, **how),
        "greedy": lambda **how: greedy(model, params, **how)[0],
    }[way]
    together = run(max_steps=9, limits=np.array([9, 3, 5], np.int32))
    for row, limit in enumerate((9, 3, 5)):
        alone = run(max_steps=limit)
        assert (together.lengths[row] == limit).all()
        assert (together.tokens[row, :, :limit] == alone.tokens[row]).all()
        np.testing.assert_allclose(together.scores[row], alone.scores[row], rtol=1e-5)
        np.testing.assert_allclose(
            together.log_probabilities[row], alone.log_probabilities[row], rtol=1e-5
        )


def plain_beam(model, params, row, width, penalty, limit):
    """Beam search for one source in loops that never end early: the best scores."""
    beams, ended = [([], 0.0)], []
    for length in range(1, limit + 1):
        extended = []
        for tokens, total in beams:
            inputs = np.full((1, limit), END_ID, np.int32)
            inputs[0, :length] = [START_ID, *tokens]
            values = log_probabilities(
                model, params, SOURCES[row : row + 1], SOURCE_LENGTHS[row : row + 1], inputs
            )[0, length - 1].tolist()
            extended += [([*tokens, one], total + values[one]) for one in (END_ID, *range(3, V))]
        extended.sort(key=lambda one: -one[1])
        finished = [total for tokens, total in extended[:width] if tokens[-1] == END_ID]
        ended += [total / length**penalty for total in finished]
        beams = [one for one in extended if one[0][-1] != END_ID][:width]
    ended += [total / limit**penalty for _, total in beams]
    return sorted(ended, reverse=True)[:width]


@pytest.mark.parametrize("seed", range(3))
def test_the_search_ends_no_sooner_than_a_longer_sentence_can_win(seed):
    model, params = make("gru", seed)
    found = search(model, params, 2, 2.0, 8)
    for row in range(len(SOURCES)):
        expected = plain_beam(model, params, row, 2, 2.0, 8)
        np.testing.assert_allclose(found.scores[row], expected, rtol=1e-4)
