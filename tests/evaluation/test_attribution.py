"""Attributions: against texts without the token, finite differences, and completeness."""

import dataclasses

import jax
import numpy as np
import pytest

import zoo
from zoo.data.labeled_batching import encode_texts
from zoo.data.labels import make_labels
from zoo.data.vocabulary import build_vocabulary
from zoo.errors import UserError
from zoo.evaluation.attribution import (
    attribute,
    integrated_gradients,
    leave_one_out,
    log_probabilities,
)
from zoo.evaluation.classifying import TrainedClassifier
from zoo.models.classifier import Classifier, ClassifierConfig

TEXT = "the film was not good"
WORDS = build_vocabulary("word", ["the film was not good bad"])


def make(multiple: bool = False, **settings) -> TrainedClassifier:
    """A classifier with random parameters, large enough that its probabilities differ."""
    labels = make_labels([["bad"], ["good"], ["dull"]])
    labels = dataclasses.replace(labels, multiple=multiple)
    sizes = {"embedding_size": 4, "hidden_sizes": (3,), "head_size": 5, "activation": "tanh"}
    config = ClassifierConfig(**(sizes | settings))
    model = Classifier(config, len(WORDS), len(labels))
    start = {"tokens": np.ones((1, 1), int), "lengths": np.ones(1, int)}
    shapes = jax.eval_shape(model.init, jax.random.key(0), **start)["params"]
    draw = np.random.default_rng(1).normal
    params = jax.tree.map(lambda leaf: draw(size=leaf.shape).astype(np.float32), shapes)
    return TrainedClassifier(model=model, params=params, vocabulary=WORDS, labels=labels)


def read(checkpoint: TrainedClassifier, text: str) -> np.ndarray:
    return encode_texts(checkpoint.vocabulary, [text])[0]


@pytest.mark.parametrize("multiple", [False, True])
def test_leaving_out_is_classifying_the_text_without_the_token(multiple: bool) -> None:
    checkpoint = make(multiple)
    (found,) = attribute(checkpoint, TEXT, label="good")
    words = TEXT.split()
    shorter = [" ".join(words[:at] + words[at + 1 :]) for at in range(len(words))]
    whole, *others = zoo.classify(checkpoint, [TEXT, *shorter])
    log = [np.log(one.probabilities["good"]) for one in (whole, *others)]
    assert found.tokens == tuple(words)
    assert found.scores == pytest.approx([log[0] - one for one in log[1:]], abs=1e-5)
    assert found.log_probability == pytest.approx(log[0], abs=1e-5)
    assert found.baseline is None


def test_many_tokens_are_left_out_in_several_batches() -> None:
    checkpoint = make()
    row = read(checkpoint, " ".join([TEXT] * 14))  # 70 tokens
    scores = leave_one_out(checkpoint, row, 1)
    assert scores.shape == (70,)
    both = log_probabilities(checkpoint, [row, np.delete(row, 69)])[:, 1]
    assert scores[69] == pytest.approx(both[0] - both[1], abs=1e-6)


@pytest.mark.parametrize("multiple", [False, True])
@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_integrated_gradients_are_complete(pooling: str, multiple: bool) -> None:
    checkpoint = make(multiple, pooling=pooling)
    (found,) = attribute(checkpoint, TEXT, method="integrated_gradients")
    assert found.baseline is not None
    way = found.log_probability - found.baseline
    assert np.abs(found.scores).sum() > 0.01
    assert sum(found.scores) == pytest.approx(way, abs=1e-4)


def test_integrated_gradients_are_the_integral_of_finite_differences(float64: None) -> None:
    """The gradient comes from the loss of changed embeddings, and the integral from many steps."""
    checkpoint = make(pooling="mean")
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), checkpoint.params)
    checkpoint = dataclasses.replace(checkpoint, params=params)
    row = read(checkpoint, "not good")
    embedded = params["embedding"][row]
    way = embedded * np.array([[1.0], [1.0], [0.0]])  # the end stays as it is

    def value(vectors: np.ndarray) -> float:
        table = params["embedding"].copy()
        table[row] = vectors
        changed = dataclasses.replace(checkpoint, params=params | {"embedding": table})
        return float(log_probabilities(changed, [row])[0, 2])

    steps, tiny = 12, 1e-3
    expected = np.zeros(2)
    for middle in (np.arange(steps) + 0.5) / steps:
        at = embedded - way + middle * way
        for token in range(2):
            move = np.zeros_like(at)
            move[token] = way[token]
            slope = (value(at + tiny * move) - value(at - tiny * move)) / (2 * tiny)
            expected[token] += slope / steps
    scores, baseline = integrated_gradients(checkpoint, row, 2)
    assert scores == pytest.approx(expected, abs=5e-3)
    assert baseline == pytest.approx(value(embedded - way), abs=1e-6)


def test_padding_and_an_empty_text_change_nothing() -> None:
    checkpoint = make()
    (empty,) = attribute(checkpoint, "", method="integrated_gradients", label="bad")
    assert (empty.tokens, empty.scores) == ((), ())
    assert empty.baseline == pytest.approx(empty.log_probability, abs=1e-6)
    assert attribute(checkpoint, "")[0].scores == ()
    assert attribute(checkpoint, []) == []


def test_the_label_is_the_most_probable_one_unless_it_is_given() -> None:
    checkpoint = make()
    (chosen,) = zoo.classify(checkpoint, TEXT)
    (found,) = attribute(checkpoint, TEXT)
    assert (found.label,) == chosen.labels
    assert found.to_json()["method"] == "leave_one_out"


def test_what_is_unknown_is_named() -> None:
    with pytest.raises(UserError, match=r"label is .great.; .* has bad, dull, good"):
        attribute(make(), TEXT, label="great")
    with pytest.raises(UserError, match="method is 'lime'; choose one of leave_one_out"):
        attribute(make(), TEXT, method="lime")
