"""The trie that n-gram models are kept in, and maximum likelihood, which is sampled from."""

from collections import Counter

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.batching import shift_targets
from zoo.models import kneser_ney, maximum_likelihood
from zoo.models.ngram_counts import count_ngrams
from zoo.models.ngram_lm import ABSENT, CHUNK, NGramConfig, NGramLM, find_child
from zoo.special_tokens import END_ID, START_ID

V = 9
TEXT = np.random.default_rng(3).integers(2, V, size=300).astype(np.int32)
TEXT[-1] = END_ID


def grams_of(tokens, n):
    """The n-grams inside sentences, counted in a loop."""
    found, sentence = Counter(), [START_ID]
    for token in tokens.tolist():
        sentence.append(token)
        if token == END_ID:
            found.update(tuple(sentence[i : i + n]) for i in range(len(sentence) - n + 1))
            sentence = [START_ID]
    return found


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_counts_equal_a_loop(n):
    levels = count_ngrams(TEXT, 4, V)
    words = [[word] for word in levels[0].word.tolist()]
    for level in levels[1:n]:
        pairs = zip(level.parent.tolist(), level.word.tolist(), strict=True)
        words = [[*words[parent], word] for parent, word in pairs]
    found = {
        tuple(gram): count
        for gram, count in zip(words, levels[n - 1].occurrences.tolist(), strict=True)
        if count
    }
    assert found == grams_of(TEXT, n)
    assert levels[n - 1].at_start.tolist() == [gram[0] == START_ID for gram in words]


def test_suffixes_are_the_grams_without_their_first_token():
    words, pairs, triples = count_ngrams(TEXT, 3, V)
    assert pairs.suffix.tolist() == pairs.word.tolist()
    assert (pairs.parent[triples.suffix] == pairs.word[triples.parent]).all()
    assert (pairs.word[triples.suffix] == triples.word).all()
    assert len(words.word) == V


@given(
    children=st.lists(st.sets(st.integers(0, 20), max_size=6), min_size=1, max_size=8),
    queries=st.lists(st.tuples(st.integers(-1, 7), st.integers(0, 20)), min_size=1),
)
@settings(max_examples=100, deadline=None)
def test_find_child_equals_a_search_in_lists(children, queries):
    ordered = [sorted(group) for group in children]
    level = {"first_child": np.cumsum([0, *map(len, ordered)])}
    flat = [word for group in ordered for word in group]
    queries = [(parent, word) for parent, word in queries if parent < len(ordered)]
    if not flat or not queries:
        return
    parents, words = (np.array(column) for column in zip(*queries, strict=True))
    found = find_child(np, level, {"word": np.array(flat)}, parents, words)
    for (parent, word), entry in zip(queries, found.tolist(), strict=True):
        expected = ABSENT
        if parent != ABSENT and word in ordered[parent]:
            expected = level["first_child"][parent] + ordered[parent].index(word)
        assert entry == expected


@pytest.mark.parametrize("estimate", [kneser_ney.estimate, maximum_likelihood.estimate])
def test_single_scores_are_those_of_whole_distributions(estimate):
    config = NGramConfig(order=4)
    params = estimate(TEXT, config, V).params
    model = NGramLM(config, V)
    other = np.random.default_rng(4).integers(2, V, size=60).astype(np.int32)
    inputs = shift_targets(other)
    single = model.token_log_probabilities(params, inputs, other)
    logits = np.asarray(jax.jit(model.apply)({"params": params}, inputs[None]).logits[0])
    np.testing.assert_allclose(single, logits[np.arange(60), other], rtol=1e-5)


def test_maximum_likelihood_is_a_share_of_counts():
    trained = maximum_likelihood.estimate(TEXT, NGramConfig(order=2), V)
    pairs = grams_of(TEXT, 2)
    first = Counter()
    for (word, _), count in pairs.items():
        first[word] += count
    scores = NGramLM(NGramConfig(order=2), V).token_log_probabilities(
        trained.params, shift_targets(TEXT), TEXT
    )
    expected = [
        pairs[pair] / first[pair[0]]
        for pair in zip(shift_targets(TEXT).tolist(), TEXT.tolist(), strict=True)
    ]
    np.testing.assert_allclose(np.exp(scores), expected, rtol=1e-5)
    assert trained.notes == []


def test_maximum_likelihood_gives_an_unseen_pair_probability_zero():
    text = np.array([3, 4, END_ID], np.int32)
    trained = maximum_likelihood.estimate(text, NGramConfig(order=2), V)
    model = NGramLM(NGramConfig(order=2), V)
    scores = model.token_log_probabilities(trained.params, np.array([1, 3]), np.array([4, 3]))
    assert scores.tolist() == [-np.inf, -np.inf]


def test_a_text_without_a_last_end_is_counted_all_the_same():
    _, pairs = count_ngrams(np.array([3, 4], np.int32), 2, V)
    assert pairs.occurrences.tolist() == [1, 1]


def test_all_followers_of_a_history_have_their_probability_however_many_they_are():
    size = CHUNK + 100
    text = np.full((size - 3, 2), END_ID, np.int32)
    text[:, 0] = range(3, size)  # each word is a sentence
    model = NGramLM(NGramConfig(order=2), size)
    params = kneser_ney.estimate(text.ravel(), model.config, size).params
    logits = jax.jit(model.apply)({"params": params}, np.array([[START_ID]])).logits[0, 0]
    targets = np.arange(3, size)
    single = model.token_log_probabilities(params, np.full(len(targets), START_ID), targets)
    np.testing.assert_allclose(logits[targets], single, rtol=1e-5)
    assert np.exp(logits).sum() == pytest.approx(1, rel=1e-4)
