"""Tokens with their probabilities: the draws of `generate`, the numbers of the model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.data.labels import make_labels
from zoo.data.vocabulary import CharacterVocabulary, WordVocabulary
from zoo.decoding.drawn_tokens import NUM_RUNNERS_UP, stream_tokens
from zoo.decoding.generation import generate
from zoo.decoding.settings import GenerationSettings
from zoo.decoding.text import encode_prompt
from zoo.errors import UserError
from zoo.evaluation.classifying import TrainedClassifier
from zoo.evaluation.interpolation import Mixture
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.models.trained import TrainedLanguageModel
from zoo.special_tokens import END, END_ID, SPECIAL_TOKENS, START_ID

CHARACTERS = CharacterVocabulary([*SPECIAL_TOKENS, *"abcdefgh "])
WORDS = WordVocabulary([*SPECIAL_TOKENS, *(f"w{number}" for number in range(9))])
SETTINGS = [{}, {"temperature": 0.0}, {"temperature": 0.6, "top_p": 0.7, "seed": 4}]


def checkpoint(seed=1, vocabulary=CHARACTERS):
    """A small model with random parameters, far from 0."""
    config = RecurrentLMConfig(embedding_size=6, hidden_sizes=(7, 5), learn_initial_state=True)
    model = RecurrentLM(config, len(vocabulary))
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 1), jnp.int32))["params"]
    draw = np.random.default_rng(seed).normal
    params = jax.tree.map(lambda leaf: jnp.asarray(draw(size=leaf.shape), jnp.float32), shapes)
    return TrainedLanguageModel(model=model, params=params, vocabulary=vocabulary)


def probabilities(lm, prompt, drawn):
    """[N, V] before each drawn token, by one call of the model on all of the text."""
    ids = [lm.vocabulary.tokens.index(one.token) for one in drawn]
    fed = [START_ID if token == END_ID else token for token in ids]
    inputs = [*encode_prompt(lm.vocabulary, prompt), *fed[:-1]]
    logits = jax.jit(lm.model.apply)({"params": lm.params}, jnp.array([inputs])).logits[0]
    return ids, np.asarray(jax.nn.softmax(logits[-len(ids) :]))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("vocabulary", [CHARACTERS, WORDS])
def test_the_tokens_are_those_of_generate(settings, vocabulary):
    lm, prompt = checkpoint(vocabulary=vocabulary), "w1 w2" if vocabulary is WORDS else "bad\nhe"
    drawn = list(stream_tokens(lm, prompt, GenerationSettings(max_tokens=40, **settings)))
    text = prompt + "".join(one.text for one in drawn)
    assert text == generate(lm, prompt, max_tokens=40, **settings)
    if vocabulary is WORDS and len(drawn) < 40:
        assert (drawn[-1].token, drawn[-1].text) == (END, "")


@pytest.mark.parametrize("settings", SETTINGS)
def test_probabilities_are_the_models_own_whatever_the_draw_obeys(settings):
    lm = checkpoint()
    drawn = list(stream_tokens(lm, "a", GenerationSettings(max_tokens=30, **settings)))
    ids, expected = probabilities(lm, "a", drawn)
    assert END_ID in ids or settings
    for place, (one, token) in enumerate(zip(drawn, ids, strict=True)):
        assert one.probability == pytest.approx(expected[place, token], rel=1e-4, abs=1e-7)
        order = [other for other in np.argsort(-expected[place]) if other != token]
        best = [CHARACTERS.tokens[other] for other in order[:NUM_RUNNERS_UP]]
        assert [name for name, _ in one.runners_up] == best
        np.testing.assert_allclose(
            [value for _, value in one.runners_up],
            expected[place, order[:NUM_RUNNERS_UP]],
            rtol=1e-4,
        )
        assert one.parts == ()


def test_all_of_a_small_vocabulary_sums_to_one():
    vocabulary = CharacterVocabulary([*SPECIAL_TOKENS, "a", "b"])  # a token and four others
    drawn = stream_tokens(checkpoint(vocabulary=vocabulary), "", GenerationSettings(max_tokens=9))
    for one in drawn:
        assert one.probability + sum(p for _, p in one.runners_up) == pytest.approx(1, abs=1e-6)


def test_a_mixture_says_what_each_part_gave():
    parts = (checkpoint(1), checkpoint(2))
    mixture = Mixture(parts, np.array([0.3, 0.7]))
    drawn = list(stream_tokens(mixture, "ab", GenerationSettings(max_tokens=20)))
    ids, first = probabilities(parts[0], "ab", drawn)
    _, second = probabilities(parts[1], "ab", drawn)
    for place, (one, token) in enumerate(zip(drawn, ids, strict=True)):
        expected = [first[place, token], second[place, token]]
        np.testing.assert_allclose(one.parts, expected, rtol=1e-4)
        assert one.probability == pytest.approx(np.dot([0.3, 0.7], expected), rel=1e-4)
    assert "ab" + "".join(one.text for one in drawn) == generate(mixture, "ab", max_tokens=20)


def test_what_the_vocabulary_lacks_is_no_warning():
    assert len(list(stream_tokens(checkpoint(), "é", GenerationSettings(max_tokens=2)))) == 2


def test_a_classifier_writes_nothing():
    labels = make_labels([["yes"], ["no"]])
    classifier = TrainedClassifier(model=None, params={}, vocabulary=None, labels=labels)
    with pytest.raises(UserError, match="use classify"):
        next(stream_tokens(classifier))
