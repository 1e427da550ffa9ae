"""Mixtures: weights by EM, the parts at the ends, one vocabulary, and who wins where."""

import jax
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import zoo
from zoo.data.vocabulary import build_vocabulary, encode_lines
from zoo.errors import UserError
from zoo.evaluation import interpolation
from zoo.evaluation.interpolation import (
    Mixture,
    check_vocabularies,
    evaluate_mixture,
    find_winners,
    fit_weights,
    interpolate,
    score_parts,
)
from zoo.models import kneser_ney
from zoo.models.ngram_lm import NGramConfig, NGramLM
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.models.trained import TrainedLanguageModel

LINES = ["the cat sat on the mat", "the dog sat", "a cat ran", "the dog ran on the mat"] * 3
OTHER = ["the cat ran on a dog", "the mat sat"]
VOCABULARY = build_vocabulary("word", LINES)


def ngram(order, vocabulary=VOCABULARY):
    config = NGramConfig(order=order)
    tokens = encode_lines(vocabulary, LINES)
    params = kneser_ney.estimate(tokens, config, len(vocabulary)).params
    model = NGramLM(config, len(vocabulary))
    return TrainedLanguageModel(model=model, params=params, vocabulary=vocabulary)


def recurrent(seed=0):
    model = RecurrentLM(
        RecurrentLMConfig(cell="elman", embedding_size=4, hidden_sizes=(5,)), len(VOCABULARY)
    )
    params = jax.jit(model.init)(jax.random.key(seed), np.ones((1, 1), np.int32))["params"]
    return TrainedLanguageModel(model=model, params=params, vocabulary=VOCABULARY)


@given(st.integers(1, 4), st.integers(1, 30), st.integers(0, 2**32 - 1))
@example(num_models=4, num_tokens=1, seed=1)  # converges so slowly that the limit stops it
@settings(max_examples=30, deadline=None)
def test_em_never_lowers_the_likelihood_and_ends_near_the_maximum(num_models, num_tokens, seed):
    draw = np.random.default_rng(seed)
    log_probs = np.log(draw.uniform(1e-3, 1, (num_models, num_tokens)))
    fit = fit_weights(log_probs)
    assert fit.weights.sum() == pytest.approx(1)
    assert (fit.weights >= 0).all()
    assert (np.diff(fit.nats_per_token) <= 1e-12).all()
    best = -interpolate(log_probs, fit.weights).mean()
    assert best == pytest.approx(fit.nats_per_token[-1])
    for weights in draw.dirichlet(np.ones(num_models), size=50):
        assert best <= -interpolate(log_probs, weights).mean() + 1e-3


def test_weights_of_two_models_are_those_of_a_fine_grid():
    log_probs = np.log(np.random.default_rng(0).uniform(0.01, 1, (2, 400)))
    grid = np.linspace(0, 1, 2001)
    nats = [-interpolate(log_probs, np.array([x, 1 - x])).mean() for x in grid]
    assert fit_weights(log_probs).weights[0] == pytest.approx(grid[np.argmin(nats)], abs=5e-3)


def test_a_token_that_no_model_expects_is_told():
    with pytest.raises(UserError, match="every model gives some token"):
        fit_weights(np.array([[-1.0, -np.inf], [-2.0, -np.inf]]))


def test_a_text_that_all_models_hold_impossible_is_told(monkeypatch):
    def impossible(parts, lines, *, mode):
        return np.full((len(parts), len(encode_lines(VOCABULARY, lines))), -np.inf)

    monkeypatch.setattr(interpolation, "score_parts", impossible)
    with pytest.raises(UserError, match="all models of the mixture give a token"):
        evaluate_mixture(Mixture((ngram(1), ngram(2)), np.array([0.5, 0.5])), OTHER)


def test_weights_zero_and_one_give_the_parts():
    parts = (ngram(2), recurrent())
    scores = score_parts(parts, OTHER)
    for index in (0, 1):
        weights = np.eye(2)[index]
        np.testing.assert_allclose(interpolate(scores, weights), scores[index])
        found = evaluate_mixture(Mixture(parts, weights), OTHER)
        assert found.mixture.perplexity == pytest.approx(found.parts[index].perplexity)
        assert found.parts[index] == zoo.evaluate(parts[index], OTHER)


@pytest.mark.parametrize("mode", ["stream", "sentence"])
def test_the_mixture_is_a_language_model_with_the_same_scores(mode):
    mixture = zoo.mix([ngram(3), recurrent(), recurrent(1)], LINES, mode=mode)
    found = evaluate_mixture(mixture, OTHER, mode=mode).mixture
    assert zoo.perplexity(mixture, OTHER, mode=mode) == pytest.approx(found.perplexity, rel=1e-5)


def test_tuned_on_a_text_it_is_no_worse_there_than_its_parts():
    mixture = zoo.mix([ngram(3), recurrent()], OTHER)
    found = evaluate_mixture(mixture, OTHER)
    assert found.mixture.nats <= min(part.nats for part in found.parts) + 1e-5


def test_text_is_drawn_from_a_mixture():
    mixture = zoo.mix([ngram(3), recurrent()], LINES)
    text = zoo.generate(mixture, "the", max_tokens=8, seed=1)
    assert text.startswith("the")
    assert text == zoo.generate(mixture, "the", max_tokens=8, seed=1)


def test_different_vocabularies_are_refused():
    other = build_vocabulary("word", ["the cat"])
    with pytest.raises(UserError, match=r"different vocabularies.*not in both: .*mix models of"):
        zoo.mix([ngram(2), ngram(2, other)], LINES)
    with pytest.raises(UserError, match="there is no model to mix"):
        check_vocabularies([])


def test_the_same_tokens_in_another_order_are_scored_but_not_sampled():
    ordinary = VOCABULARY.tokens[3:]
    turned = type(VOCABULARY)([*VOCABULARY.tokens[:3], *reversed(ordinary)])
    same, other = ngram(2), ngram(2, turned)
    np.testing.assert_allclose(*score_parts([same, other], OTHER), rtol=1e-5)
    mixture = zoo.mix([same, other], LINES)
    with pytest.raises(UserError, match="number their tokens differently"):
        zoo.generate(mixture, "the")


def test_the_winner_of_each_token_is_the_model_with_the_highest_probability():
    mixture = zoo.mix([ngram(3), recurrent()], LINES)
    winners = find_winners(mixture, "the cat sat\na zebra")
    assert winners.tokens == ["the", "cat", "sat", "</s>", "a", "<unk>", "</s>"]
    scores = score_parts(mixture.parts, ["the cat sat", "a zebra"])
    assert winners.winner.tolist() == [int(a < b) for a, b in scores.T]
    np.testing.assert_allclose(winners.mixture, interpolate(scores, mixture.weights))


def test_unknown_words_are_counted_in_every_score():
    found = evaluate_mixture(Mixture((ngram(1), ngram(2)), np.full(2, 0.5)), ["the zebra", "a gnu"])
    assert [score.num_unknown for score in (found.mixture, *found.parts)] == [2, 2, 2]


def test_winners_are_found_in_the_mode_that_is_asked_for():
    mixture, lines = zoo.mix([ngram(3), recurrent()], LINES), ["the cat sat", "a dog"]
    stream, sentence = (
        find_winners(mixture, "\n".join(lines), mode=mode).log_probabilities
        for mode in ("stream", "sentence")
    )
    np.testing.assert_allclose(sentence, score_parts(mixture.parts, lines, mode="sentence"))
    assert np.abs(stream - sentence).max() > 1e-4
