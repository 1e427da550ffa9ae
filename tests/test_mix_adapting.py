"""`python -m zoo mix` with models that adapt beside the models themselves."""

import json

import numpy as np
import pytest
import tiny_checkpoints

import zoo
from zoo.__main__ import main
from zoo.evaluation.interpolation import evaluate_mixture
from zoo.models.trained import TrainedModel

TUNE = "a net reads a line\nit guesses the next word\na net guesses\n"
TEXT = "it reads the next line\na net reads a word\n"


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Checkpoints of an LSTM, a GRU and of counts, over the same words."""
    root = tmp_path_factory.mktemp("models")
    (root / "tune.txt").write_text(TUNE)
    (root / "text.txt").write_text(TEXT)
    return [str(tiny_checkpoints.save(root, name)) for name in ("lstm", "counts")]


def run(capsys, names, *flags):
    directory = names[0].rpartition("/")[0]  # all lie in one
    texts = [f"--tune={directory}/tune.txt", f"--text={directory}/text.txt"]
    code = main(["mix", *names, *texts, "--json", *flags])
    return code, *capsys.readouterr()


def test_every_neural_model_takes_part_once_more_for_each_way_to_adapt(capsys, names):
    code, out, err = run(capsys, names, "--dynamic=sgd", "--dynamic_rate=0.5", "--cache=4")
    assert (code, err) == (0, "")
    record = json.loads(out)
    lstm, counts = names
    checkpoint, ngrams = zoo.load(lstm), zoo.load(counts)
    parts: list[TrainedModel] = [
        checkpoint,
        zoo.adapt(checkpoint, dynamic=zoo.DynamicEvaluation("sgd", rate=0.5)),
        zoo.adapt(checkpoint, cache=zoo.NeuralCache(4)),
        ngrams,
    ]
    mixture = zoo.mix(parts, TUNE)
    assert list(record["weights"]) == [lstm, f"{lstm}+dynamic", f"{lstm}+cache", counts]
    np.testing.assert_allclose(list(record["weights"].values()), mixture.weights, atol=1e-6)
    mixed = evaluate_mixture(mixture, TEXT).mixture.perplexity
    assert record["perplexity"] == pytest.approx(mixed, rel=1e-5)
    alone = [zoo.evaluate(part, TEXT).perplexity for part in parts]
    assert list(record["parts"].values()) == pytest.approx(alone, rel=1e-5)


def test_without_the_flags_nothing_is_added(capsys, names):
    code, out, _ = run(capsys, names)
    assert (code, list(json.loads(out)["weights"])) == (0, names)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--dynamic", "knows no corpus, so it has no train split to adapt with; use"),
        ("--cache_weight=0.1", "--cache_weight is a setting of --cache; give both"),
        ("--dynamic=adam", "'adam'; use rms or sgd"),
    ],
)
def test_a_mistake_is_one_line(capsys, names, flag, message):
    code, out, err = run(capsys, names, flag)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data_directory=somewhere"], "which nothing reads here; give --dynamic, or leave out"),
        (["--cache=4"], "--cache is for recurrent language models, and none of these is one"),
        (["--dynamic=sgd"], "--dynamic is for neural language models, and none of these is one"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused(capsys, names, flags, message):
    code, out, err = run(capsys, names[1:], *flags)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
