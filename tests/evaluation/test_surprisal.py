"""`zoo.surprisal` gives each token's bits, whatever the language model."""

import json
import math

import numpy as np
import pytest
import tiny_checkpoints

import zoo
from zoo.errors import UserError
from zoo.evaluation.neural_cache import NeuralCache
from zoo.evaluation.surprisal import Surprisal

TEXT = "a net reads a line\nit guesses the next net"
NUM_TOKENS = 12  # two ends among them


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Every kind of language model."""
    root = tmp_path_factory.mktemp("surprisal")
    lstm, counts = (zoo.load(tiny_checkpoints.save(root, name)) for name in ("lstm", "counts"))
    return {
        "lstm": lstm,
        "counts": counts,
        "mixture": zoo.mix([lstm, counts], TEXT),
        "adaptive": zoo.adapt(lstm, cache=NeuralCache(size=5)),
    }


@pytest.mark.parametrize("mode", ["stream", "sentence"])
@pytest.mark.parametrize("name", ["lstm", "counts", "mixture", "adaptive"])
def test_its_sum_is_what_evaluate_gives(models, name, mode):
    found = zoo.surprisal(models[name], TEXT, mode=mode)
    assert found.tokens[:3] == ("a", "net", "reads")
    assert found.tokens.count("</s>") == 2
    assert found.bits.shape == (NUM_TOKENS,) == (len(found.tokens),)
    score = zoo.evaluate(models[name], TEXT, mode=mode)
    assert found.bits.sum() * math.log(2) == pytest.approx(score.nats, rel=1e-5)
    assert found.probabilities.prod() == pytest.approx(math.exp(-score.nats), rel=1e-4)


def test_a_mixture_is_the_weighted_mean_of_its_parts(models):
    mixture = models["mixture"]
    parts = [zoo.surprisal(part, TEXT).probabilities for part in mixture.parts]
    expected = mixture.weights @ np.array(parts)
    np.testing.assert_allclose(zoo.surprisal(mixture, TEXT).probabilities, expected, rtol=1e-5)


def test_each_token_depends_on_those_before_it_alone(models):
    whole = zoo.surprisal(models["lstm"], TEXT).bits
    part = zoo.surprisal(models["lstm"], "a net reads a line").bits
    np.testing.assert_allclose(whole[: len(part)], part, rtol=1e-5)


def test_unknown_words_and_json(models):
    found = zoo.surprisal(models["lstm"], ["a zebra"])
    assert found.tokens == ("a", "<unk>", "</s>")
    record = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert record == {"tokens": list(found.tokens), "bits": found.bits.tolist()}
    with pytest.raises(UserError, match="the text is empty"):
        zoo.surprisal(models["lstm"], "")


def test_bits_without_end_are_null_in_json():
    found = Surprisal(("a", "b"), np.array([1.0, math.inf])).to_json()
    assert json.loads(json.dumps(found, allow_nan=False))["bits"] == [1.0, None]
