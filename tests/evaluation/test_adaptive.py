"""Models that adapt: the scan agrees with a slow loop, and no token is scored by what follows."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_adaptive import (
    CACHE,
    LINES,
    MODES,
    RMS,
    SGD,
    TOKENS,
    VOCABULARY,
    adapted,
    random_sizes,
    score,
    trained,
)

import zoo
from zoo.data.batching import shift_targets
from zoo.data.labels import make_labels
from zoo.errors import UserError
from zoo.evaluation import adaptive as adaptive_module
from zoo.evaluation.adaptive import AdaptiveLM, adapt, adaptive_scores
from zoo.evaluation.classifying import TrainedClassifier
from zoo.evaluation.dynamic_evaluation import gradient_sizes
from zoo.evaluation.interpolation import evaluate_mixture
from zoo.evaluation.neural_cache import EMPTY
from zoo.evaluation.perplexity import token_log_probabilities
from zoo.models import kneser_ney
from zoo.models.ngram_lm import NGramConfig, NGramLM
from zoo.models.trained import TrainedLanguageModel
from zoo.special_tokens import END_ID, START_ID


def update_by_numpy(settings, now, gradient, start, size, mean):
    """One array of theta_i, by equations 5 to 7 of Krause et al. 2018."""
    now, gradient, start = (np.asarray(array, np.float64) for array in (now, gradient, start))
    if size is None:
        moved = now - settings.rate * gradient + settings.decay * (start - now)
    else:
        size = np.asarray(size, np.float64)
        pull = settings.decay * np.minimum(size / mean, 1 / settings.decay)
        moved = now - settings.rate * gradient / (size + settings.epsilon) + pull * (start - now)
    return jnp.asarray(moved, jnp.float32)


def mix_by_numpy(cache, nats, states, targets):
    """log p of model and cache, by equations 2 to 4 of Grave et al. 2017."""
    result = []
    for t, target in enumerate(targets):
        past = range(max(0, t - cache.size), t)
        likeness = {i: math.exp(cache.flatness * float(states[t] @ states[i])) for i in past}
        p = math.exp(nats[t])
        if likeness:
            same = sum(value for i, value in likeness.items() if targets[i] == target)
            p = (1 - cache.weight) * p + cache.weight * same / sum(likeness.values())
        result.append(math.log(p))
    return result


def score_by_a_loop(checkpoint, tokens, mode):
    """The same window by window, without padding, resets inside a window where mode asks."""
    lm, settings = checkpoint.trained, checkpoint.model.dynamic
    inputs = [START_ID] + [START_ID if word == END_ID else word for word in tokens.tolist()[:-1]]

    @jax.jit
    def read(params, carry, given, resets, targets):
        def loss(params):
            output = lm.model.apply({"params": params}, given[None], carry, resets=resets[None])
            log_probs = output.logits[0] - jax.nn.logsumexp(output.logits[0], -1, keepdims=True)
            nats = -jnp.take_along_axis(log_probs, targets[:, None], axis=1)[:, 0]
            hidden = output.softmax.hidden[0] if output.softmax else jnp.zeros((len(targets), 1))
            return nats.mean(), (nats, output.carry, hidden)

        return jax.grad(loss, has_aux=True)(params)

    params, carry, scores, states = lm.params, None, [], []
    mean = None
    if checkpoint.sizes is not None:
        mean = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(checkpoint.sizes)]).mean()
    for start in range(0, len(tokens), settings.window):
        part = slice(start, start + settings.window)
        resets = [word == START_ID and mode == "sentence" for word in inputs[part]]
        arrays = (np.array(inputs[part]), np.array(resets), tokens[part])
        grads, (nats, carry, hidden) = read(params, carry, *arrays)
        scores += (-np.asarray(nats, np.float64)).tolist()
        states += list(np.asarray(hidden, np.float64))
        leaves, structure = jax.tree.flatten(params)
        sizes = [None] * len(leaves) if mean is None else jax.tree.leaves(checkpoint.sizes)
        rest = (jax.tree.leaves(grads), jax.tree.leaves(lm.params), sizes)
        moved = [update_by_numpy(settings, *four, mean) for four in zip(leaves, *rest, strict=True)]
        params = jax.tree.unflatten(structure, moved)
    cache = checkpoint.model.cache
    return scores if cache is None else mix_by_numpy(cache, scores, states, tokens.tolist())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["lstm", "feed-forward"])
def test_a_model_that_does_not_adapt_scores_as_without(kind, mode):
    lm = trained(kind)
    scores = adaptive_scores(
        AdaptiveLM(lm.model),
        {"trained": lm.params, "sizes": None},
        shift_targets(TOKENS),
        TOKENS,
        mode=mode,
    )
    assert scores.cache.shape == (0, len(TOKENS))
    expected = token_log_probabilities(lm.model, lm.params, TOKENS, mode=mode)
    np.testing.assert_allclose(scores.model, expected, rtol=1e-5)
    np.testing.assert_allclose(score(adapted(kind), TOKENS, mode), expected, rtol=1e-5)


def test_the_modes_differ():
    stream, sentence = (score(adapted(dynamic=SGD), TOKENS, mode) for mode in MODES)
    first = LINES[0].count(" ") + 2
    np.testing.assert_allclose(stream[:first], sentence[:first], rtol=1e-6)
    assert not np.allclose(stream[first:], sentence[first:], rtol=1e-3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("kind", "dynamic", "cache"),
    [
        ("lstm", SGD, None),
        ("lstm", RMS, None),
        ("lstm", dataclasses.replace(RMS, window=3), CACHE),
        ("feed-forward", RMS, None),
        ("feed-forward", dataclasses.replace(SGD, window=30), None),  # the text is one window
    ],
)
def test_dynamic_evaluation_is_that_of_a_loop(kind, dynamic, cache, mode):
    checkpoint = adapted(kind, dynamic, cache)
    expected = score_by_a_loop(checkpoint, TOKENS, mode)
    np.testing.assert_allclose(score(checkpoint, TOKENS, mode), expected, rtol=1e-4)
    if dynamic.window < len(TOKENS):
        still = score(adapted(kind, None, cache), TOKENS, mode)
        assert not np.allclose(expected, still, rtol=1e-2), "nothing moved in this case"


def test_each_theta_that_is_asked_for_has_a_row():
    lm = trained()
    arguments = ({"trained": lm.params, "sizes": None}, shift_targets(TOKENS), TOKENS)
    model = AdaptiveLM(lm.model, SGD, CACHE)
    both = adaptive_scores(model, *arguments, flatness=(0.0, 0.7))
    assert both.cache.shape == (2, len(TOKENS))
    for row, flatness in enumerate((0.0, 0.7)):
        one = adaptive_scores(model, *arguments, flatness=(flatness,))
        np.testing.assert_allclose(both.cache[row], one.cache[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(both.model, one.model, rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_a_token_is_scored_by_the_tokens_before_it_alone(mode):
    checkpoint = adapted(dynamic=RMS, cache=CACHE)
    before = score(checkpoint, TOKENS, mode)
    for position in range(len(TOKENS)):
        for word in (END_ID, len(VOCABULARY) - 2):
            if word == TOKENS[position]:
                continue
            other = TOKENS.copy()
            other[position] = word
            after = score(checkpoint, other, mode)
            np.testing.assert_array_equal(after[:position], before[:position])
            assert after[position] != before[position]
            if position + 1 < len(TOKENS):
                assert not np.array_equal(after[position + 1 :], before[position + 1 :])


@pytest.mark.parametrize("mode", MODES)
def test_the_probabilities_of_all_next_tokens_sum_to_one(mode):
    checkpoint = adapted(dynamic=SGD, cache=CACHE)
    for position in (0, 1, 4, 7, len(TOKENS) - 1):
        total = 0.0
        for word in range(len(VOCABULARY)):
            text = TOKENS.copy()
            text[position] = word
            total += math.exp(score(checkpoint, text, mode)[position])
        assert total == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_a_beginning_of_a_text_is_scored_as_in_the_whole(mode):
    """Whatever the last window lacks, as many padding steps change nothing."""
    checkpoint = adapted(dynamic=RMS, cache=CACHE)
    whole = score(checkpoint, TOKENS, mode)
    for num_tokens in (1, 3, 4, 5, 10, 16):
        found = score(checkpoint, TOKENS[:num_tokens], mode)
        assert found.shape == (num_tokens,)
        np.testing.assert_allclose(found, whole[:num_tokens], rtol=1e-5)


@pytest.mark.parametrize("num_windows", [1, 2, 3])
def test_how_many_windows_a_call_reads_changes_nothing(monkeypatch, num_windows):
    checkpoint = adapted(dynamic=RMS, cache=CACHE)
    expected = score(checkpoint, TOKENS)
    monkeypatch.setattr(adaptive_module, "_WINDOWS_A_CALL", num_windows)
    np.testing.assert_allclose(score(checkpoint, TOKENS), expected, rtol=1e-6)


def test_padding_of_a_window_teaches_nothing():
    """A window of 2 tokens and 3 steps of padding leaves what one of 2 tokens leaves."""
    lm, module = trained(), adaptive_module
    rates = module.Rates(RMS.rate, RMS.decay, RMS.epsilon)
    kept = module._Kept(lm.params, random_sizes(), rates, jnp.array([0.5]))
    after = []
    for steps in (2, 5):
        windows = module.cut_windows(shift_targets(TOKENS)[:2], TOKENS[:2], steps, "stream")
        memory = module.empty_memory(8, 4)
        reader = module._Reader(lm.params, lm.model.zero_carry(1), memory)
        read = jax.jit(functools.partial(module.read_window, lm.model))
        after.append(read(kept, reader, jax.tree.map(lambda array: array[0], windows))[0])
    for name in ("params", "carry"):
        short, padded = (jax.tree.leaves(getattr(reader, name)) for reader in after)
        for one, other in zip(short, padded, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    for reader in after:
        assert sorted(set(reader.memory.tokens.tolist()) - {EMPTY}) == sorted(set(TOKENS[:2]))


def test_scoring_leaves_the_trained_parameters_as_they_are():
    before = jax.tree.map(np.array, trained().params)
    checkpoint = adapted(dynamic=SGD, cache=CACHE)
    first, second = score(checkpoint, TOKENS), score(checkpoint, TOKENS)
    np.testing.assert_array_equal(first, second)
    jax.tree.map(np.testing.assert_array_equal, trained().params, before)


def test_adapt_takes_r_from_the_training_text_where_the_rule_needs_it():
    lm, text = trained(), "\n".join(LINES * 8) + "\n"
    found = adapt(lm, dynamic=RMS, training_text=text)
    expected = gradient_sizes(lm.model, lm.params, np.tile(TOKENS, 8), RMS.window)
    jax.tree.map(np.testing.assert_array_equal, found.sizes, expected)
    of_lines = adapt(lm, dynamic=RMS, training_text=LINES * 8)
    jax.tree.map(np.testing.assert_array_equal, of_lines.sizes, expected)
    assert adapt(lm, dynamic=SGD, training_text=text).sizes is None
    assert adapt(lm, cache=CACHE).sizes is None
    assert found.model == AdaptiveLM(lm.model, RMS, None)
    assert found.vocabulary is VOCABULARY
    with pytest.raises(UserError, match="give training_text, or use rule sgd"):
        adapt(lm, dynamic=RMS)


def ngram():
    config = NGramConfig(order=2)
    params = kneser_ney.estimate(TOKENS, config, len(VOCABULARY)).params
    model = NGramLM(config, len(VOCABULARY))
    return TrainedLanguageModel(model=model, params=params, vocabulary=VOCABULARY)


def one_line(told):
    message = str(told.value)
    return "\n" not in message and "; " in message


@pytest.mark.parametrize("settings", [{"dynamic": SGD}, {"dynamic": RMS}, {"cache": CACHE}])
def test_what_cannot_adapt_is_told(settings):
    """Before a training text is asked for, too."""
    mixture = zoo.mix([trained(), ngram()], LINES)
    for checkpoint in (ngram(), mixture, adapted(dynamic=SGD), adapted(cache=CACHE)):
        with pytest.raises(UserError) as told:
            adapt(checkpoint, **settings)
        assert str(told.value) == (
            "n-grams, mixtures and models that already adapt cannot adapt; give a recurrent or "
            "feed-forward language model"
        )
    labels = make_labels([["a"], ["b"]])
    classifier = TrainedClassifier(model=None, params=None, vocabulary=VOCABULARY, labels=labels)
    with pytest.raises(UserError, match="this is a classifier, not a language model; use") as told:
        adapt(classifier, **settings)
    assert one_line(told)


@pytest.mark.parametrize("dynamic", [None, SGD, RMS])
def test_a_cache_over_a_feed_forward_model_is_told(dynamic):
    """As soon as it is asked for, not when the first text is scored."""
    with pytest.raises(UserError, match=r"a cache needs .* recurrent.*leave out --cache") as told:
        adapt(trained("feed-forward"), dynamic=dynamic, cache=CACHE)
    assert one_line(told)


@pytest.mark.parametrize("settings", [{"dynamic": SGD}, {"dynamic": RMS}, {"cache": CACHE}])
def test_nothing_is_sampled_from_a_model_that_adapts(settings):
    checkpoint = adapted(**settings)
    mixtures = [zoo.mix(parts, LINES) for parts in ([checkpoint, ngram()], [ngram(), checkpoint])]
    for unable in (checkpoint, *mixtures):
        for prompt in ("", "w0 w1", ["w0", "w1 w2"]):
            with pytest.raises(UserError, match=r"cannot generate; give the ch") as told:
                zoo.generate(unable, prompt, max_tokens=3)
            assert one_line(told)
    for able in (trained(), ngram(), zoo.mix([trained(), ngram()], LINES)):
        assert zoo.generate(able, "w0 w1", max_tokens=3).startswith("w0 w1")


@pytest.mark.parametrize("mode", MODES)
def test_a_model_that_adapts_is_evaluated_as_any_other(mode):
    checkpoint = adapted(dynamic=SGD, cache=CACHE)
    found = zoo.evaluate(checkpoint, LINES, mode=mode)
    expected = score_by_a_loop(checkpoint, TOKENS, mode)
    assert found.nats == pytest.approx(-sum(expected), rel=1e-4)
    assert (found.num_tokens, found.num_unknown) == (len(TOKENS), 0)
    assert zoo.perplexity(checkpoint, LINES, mode=mode) == pytest.approx(found.perplexity)


@pytest.mark.parametrize("mode", MODES)
def test_a_model_that_adapts_is_mixed_with_an_ngram_model(mode):
    parts = [adapted(dynamic=SGD, cache=CACHE), ngram()]
    mixture = zoo.mix(parts, LINES, mode=mode)
    assert mixture.weights.sum() == pytest.approx(1)
    found = evaluate_mixture(mixture, LINES, mode=mode)
    for part, own in zip(parts, found.parts, strict=True):
        assert own.nats == pytest.approx(zoo.evaluate(part, LINES, mode=mode).nats, rel=1e-6)
    assert found.mixture.nats <= min(part.nats for part in found.parts) + 1e-5
    rows = np.array([score(part, TOKENS, mode) for part in parts], np.float64)
    expected = -np.log(mixture.weights @ np.exp(rows)).sum()
    assert found.mixture.nats == pytest.approx(expected, rel=1e-6)
