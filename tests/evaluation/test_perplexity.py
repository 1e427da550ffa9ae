import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.data.vocabulary import CharacterVocabulary, WordVocabulary, encode_lines
from zoo.errors import Note, UserError
from zoo.evaluation.perplexity import (
    SENTENCE_ROWS,
    Score,
    evaluate,
    perplexity,
    score_tokens,
    token_log_probabilities,
)
from zoo.models import maximum_likelihood
from zoo.models.ngram_lm import NGramConfig, NGramLM
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.models.trained import TrainedLanguageModel
from zoo.special_tokens import END_ID, SPECIAL_TOKENS, START_ID

VOCABULARY = WordVocabulary([*SPECIAL_TOKENS, *(f"w{i}" for i in range(8))])


@functools.cache
def checkpoint(vocabulary=VOCABULARY, scale=1.0):
    """A small LSTM with random parameters, a trained-like initial state among them."""
    config = RecurrentLMConfig(embedding_size=5, hidden_sizes=(6, 4), learn_initial_state=True)
    model = RecurrentLM(config, len(vocabulary))
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 1), jnp.int32))["params"]
    generator = np.random.default_rng(2)
    params = jax.tree.map(
        lambda shape: jnp.asarray(scale * generator.normal(size=shape.shape), jnp.float32), shapes
    )
    return TrainedLanguageModel(model=model, params=params, vocabulary=vocabulary)


def random_tokens(seed, num_sentences, longest=9):
    """Sentences of random words, empty ones among them, each with its end."""
    generator = np.random.default_rng(seed)
    tokens = []
    for _ in range(num_sentences):
        length = generator.integers(0, longest + 1)
        tokens += [*generator.integers(3, len(VOCABULARY), length).tolist(), END_ID]
    return np.array(tokens, np.int32)


def log_probabilities_one_at_a_time(tokens, *, reset_at_sentences, restarts=(0,)):
    """The same by a plain loop that feeds one token a call."""
    lm = checkpoint()
    apply = jax.jit(lambda token, carry: lm.model.apply({"params": lm.params}, token, carry))
    carry, previous, result = None, END_ID, []
    for position, token in enumerate(tokens.tolist()):
        if position in restarts or (reset_at_sentences and previous == END_ID):
            carry = None
        given = START_ID if previous == END_ID else previous
        output = apply(jnp.array([[given]]), carry)
        carry = output.carry
        result.append(float(jax.nn.log_softmax(output.logits[0, 0])[token]))
        previous = token
    return np.array(result)


def log_probabilities(tokens, **options):
    lm = checkpoint()
    return token_log_probabilities(lm.model, lm.params, tokens, **options)


@pytest.mark.parametrize("mode", ["stream", "sentence"])
@pytest.mark.parametrize("num_sentences", [1, 3, SENTENCE_ROWS, 60])
def test_every_token_is_scored_once_as_by_a_loop(mode, num_sentences):
    tokens = random_tokens(num_sentences, num_sentences)
    expected = log_probabilities_one_at_a_time(tokens, reset_at_sentences=mode == "sentence")
    actual = log_probabilities(tokens, mode=mode)
    assert actual.shape == tokens.shape
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["stream", "sentence"])
@pytest.mark.parametrize("call_elements", [1, 16, 50, 10_000])
def test_the_size_of_a_call_and_its_padding_change_nothing(mode, call_elements):
    tokens = random_tokens(5, 30)
    expected = log_probabilities(tokens, mode=mode)
    actual = log_probabilities(tokens, mode=mode, call_elements=call_elements)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_one_long_sentence_among_short_ones_is_scored_right():
    tokens = np.concatenate([random_tokens(6, 40), np.full(150, 5), [END_ID], random_tokens(7, 3)])
    expected = log_probabilities_one_at_a_time(tokens, reset_at_sentences=True)
    actual = log_probabilities(tokens.astype(np.int32), mode="sentence")
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_modes_agree_on_the_first_sentence_and_differ_after_it():
    tokens = random_tokens(8, 12)
    stream, sentence = (log_probabilities(tokens, mode=mode) for mode in ("stream", "sentence"))
    first_end = int(np.flatnonzero(tokens == END_ID)[0]) + 1
    np.testing.assert_allclose(stream[:first_end], sentence[:first_end], rtol=1e-5)
    assert np.all(np.abs(stream[first_end:] - sentence[first_end:]) > 1e-6)


def test_in_mode_sentence_the_order_of_sentences_does_not_matter():
    sentences = [random_tokens(seed, 1) for seed in range(20)]
    forward = log_probabilities(np.concatenate(sentences), mode="sentence")
    backward = log_probabilities(np.concatenate(sentences[::-1]), mode="sentence")
    lengths = [len(sentence) for sentence in sentences]
    pieces = np.split(backward, np.cumsum(lengths[::-1])[:-1])[::-1]
    np.testing.assert_allclose(np.concatenate(pieces), forward, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_streams", [2, 7])
def test_parallel_streams_restart_only_at_their_cuts(num_streams):
    tokens = random_tokens(9, 40)
    cuts = [row * len(tokens) // num_streams for row in range(num_streams)]
    expected = log_probabilities_one_at_a_time(tokens, reset_at_sentences=False, restarts=cuts)
    actual = log_probabilities(tokens, num_streams=num_streams, call_elements=64)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_more_streams_than_tokens_are_as_many_as_tokens():
    tokens = np.array([3, 4, END_ID], np.int32)
    expected = log_probabilities_one_at_a_time(
        tokens, reset_at_sentences=False, restarts=range(len(tokens))
    )
    np.testing.assert_allclose(log_probabilities(tokens, num_streams=9), expected, rtol=1e-5)


def test_probabilities_of_all_next_tokens_sum_to_one():
    start = [5, 3, 4]
    total = sum(
        math.exp(log_probabilities(np.array([*start, token], np.int32))[-1])
        for token in range(len(VOCABULARY))
    )
    assert total == pytest.approx(1, abs=1e-5)


def test_a_uniform_model_has_perplexity_v():
    uniform = checkpoint(scale=0.0)
    for mode in ("stream", "sentence"):
        assert perplexity(uniform, "w1 w2\nw3", mode=mode) == pytest.approx(len(VOCABULARY))


def test_score_is_the_sums_and_what_follows_from_them():
    tokens = random_tokens(10, 25)
    tokens[2] = 0
    lm = checkpoint()
    score = score_tokens(lm.model, lm.params, tokens, num_characters=400, mode="sentence")
    nats = -log_probabilities(tokens, mode="sentence").astype(np.float64).sum()
    assert dataclasses.asdict(score) == {
        "num_tokens": len(tokens),
        "num_characters": 400,
        "num_unknown": int((tokens == 0).sum()),
        "nats": pytest.approx(nats, rel=1e-7),
        "mode": "sentence",
    }
    assert score.nats_per_token == score.nats / len(tokens)
    assert score.perplexity == pytest.approx(math.exp(score.nats / len(tokens)))
    assert score.bits_per_character == pytest.approx(math.log2(math.e) * score.nats / 400)


def test_a_hopeless_score_is_infinite():
    score = Score(num_tokens=1, num_characters=1, num_unknown=0, nats=1e4)
    assert score.perplexity == math.inf


@pytest.mark.parametrize("mode", ["stream", "sentence"])
def test_a_text_and_its_lines_score_alike_and_a_newline_is_a_character(mode):
    text = "w1 zzz\n\nw3"
    score = evaluate(checkpoint(), text, mode=mode)
    assert (score.num_tokens, score.num_characters, score.num_unknown) == (6, 11, 1)
    assert evaluate(checkpoint(), text + "\n", mode=mode) == score
    assert evaluate(checkpoint(), text.split("\n"), mode=mode) == score
    with pytest.warns(Note, match=r"^1 of 6 tokens \(16\.7%\) are <unk> to the model") as caught:
        assert perplexity(checkpoint(), text, mode=mode) == score.perplexity
    assert [warning.filename for warning in caught] == [__file__]
    tokens = encode_lines(VOCABULARY, text.split("\n"))
    assert score.nats == pytest.approx(-log_probabilities(tokens, mode=mode).sum(), rel=1e-6)


def test_bits_per_character_of_a_uniform_character_model_are_log2_v():
    uniform = checkpoint(CharacterVocabulary([*SPECIAL_TOKENS, *"abcde"]), scale=0.0)
    assert evaluate(uniform, "abc\nde").bits_per_character == pytest.approx(3)


@pytest.mark.parametrize("text", ["", "\n", [], ["", ""]])
def test_an_empty_text_is_an_error(text):
    with pytest.raises(UserError, match="text is empty"):
        evaluate(checkpoint(), text)


def test_no_tokens_an_unknown_mode_and_a_broken_model_are_errors():
    with pytest.raises(UserError, match="no tokens"):
        log_probabilities(np.array([], np.int32))
    with pytest.raises(UserError, match="mode is 'line'; use one of stream, sentence"):
        log_probabilities(random_tokens(0, 1), mode="line")
    with pytest.raises(UserError, match="'w1' in line 1 log-probability nan, so its training"):
        evaluate(checkpoint(scale=math.nan), "w1")


def test_a_token_without_a_probability_is_named_with_its_line_as_the_text_writes_it():
    config = NGramConfig(order=1)
    tokens = encode_lines(VOCABULARY, ["w1 w2"])
    params = maximum_likelihood.estimate(tokens, config, len(VOCABULARY)).params
    counted = TrainedLanguageModel(
        model=NGramLM(config, len(VOCABULARY)), params=params, vocabulary=VOCABULARY
    )
    with pytest.raises(UserError, match="gives 'zebra' in line 2, an unknown token, probability 0"):
        evaluate(counted, "w1 w2\nw2 zebra")
