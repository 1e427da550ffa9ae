"""A run on real text, from the file to a checkpoint that can be used."""

import html
import json
import math

import numpy as np
import pytest
from tiny_run import metrics_of, read_metrics, tiny_config

import zoo
from zoo.training import checkpoints
from zoo.training.loop import train

pytestmark = pytest.mark.usefixtures("optax_dtypes")
SETTINGS = {
    "optimizer.learning_rate": 0.03,
    "optimizer.schedule": "constant",
    "training.num_steps": 90,
    "training.log_every_steps": 30,
    "training.checkpoint_every_steps": 45,
    "evaluation.every_steps": 45,
}


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """The workdir and the log of a finished run."""
    workdir, log = tmp_path_factory.mktemp("run"), []
    config = tiny_config(corpus, **SETTINGS, evaluation__sample_tokens=40, evaluation__report=True)
    train(config, str(workdir), log=log.append)
    return workdir, log


def test_training_lowers_the_loss_from_that_of_guessing(trained):
    workdir, _ = trained
    checkpoint = zoo.load(workdir)
    guessing = math.log(len(checkpoint.vocabulary))
    losses = [line["loss_nats"] for line in metrics_of(workdir, "train")]
    assert losses[0] < 1.05 * guessing
    assert sorted(losses, reverse=True) == losses
    assert losses[-1] < 0.8 * guessing


def test_every_line_of_the_metrics_has_its_scores(trained):
    workdir, _ = trained
    where = [(line["step"], line["split"]) for line in read_metrics(workdir)]
    assert where == [
        (30, "train"),
        (45, "validation"),
        (60, "train"),
        (90, "train"),
        (90, "validation"),
    ]
    for text in (workdir / "metrics.jsonl").read_text().splitlines():
        line = json.loads(text)
        if line["split"] == "train":
            assert set(line) == {
                "step",
                "split",
                "loss_nats",
                "gradient_norm",
                "learning_rate",
                "tokens_per_second",
            }
            assert line["tokens_per_second"] > 0
        else:
            assert math.log(line["perplexity"]) == pytest.approx(line["nats_per_token"])
            bits = line["nats_per_token"] / math.log(2)  # one token a character
            assert line["bits_per_character"] == pytest.approx(bits)


def test_the_run_can_be_loaded_and_scores_what_its_metrics_say(trained, corpus):
    workdir, log = trained
    checkpoint = zoo.load(workdir)
    text = corpus.read_text()
    validation = text[int(0.9 * len(text)) : int(0.95 * len(text))]
    last = metrics_of(workdir, "validation")[-1]
    assert checkpoint.step == 90
    # The run scored 8 streams side by side, each from the initial state.
    assert zoo.perplexity(checkpoint, validation) == pytest.approx(last["perplexity"], rel=0.1)
    assert checkpoint.progress["validation"].items() <= last.items()
    sample = log[-2].removeprefix("sample:\n")
    assert len(sample) == 40
    known = set(checkpoint.vocabulary.decode(np.arange(3, len(checkpoint.vocabulary)))) | {"\n"}
    assert set(sample) <= known


def test_sentences_in_buckets_train_too(corpus, tmp_path):
    config = tiny_config(
        corpus,
        **SETTINGS | {"training.num_steps": 60},
        data__batching="sentence",
        data__bucket_lengths=(30, 50),
        training__steps_per_call=8,
        evaluation__mode="sentence",
    )
    train(config, str(tmp_path), log=lambda line: None)
    losses = [line["loss_nats"] for line in metrics_of(tmp_path, "train")]
    assert losses[1] < losses[0] < 3.4
    assert checkpoints.steps(tmp_path) == [45, 60]


def test_the_report_shows_what_the_run_measured(trained):
    workdir, log = trained
    page = (workdir / "report.html").read_text("utf-8")
    assert f"report: {workdir / 'report.html'}" in log
    summary = json.loads((workdir / "summary.json").read_text())
    assert summary["best_step"] == 90
    assert f"{summary['scores']['perplexity']:,.5g}" in page
    (figure,) = summary["figures"]
    assert "Gradient through time" in figure["title"]
    assert figure["title"] in page
    samples = [
        json.loads(line) for line in (workdir / "samples.jsonl").read_text("utf-8").splitlines()
    ]
    assert [sample["step"] for sample in samples] == [45, 90]
    for sample in samples:
        assert html.escape(sample["sample"]) in page
