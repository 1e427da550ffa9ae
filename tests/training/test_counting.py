"""Models that are counted: the run's directory, its config, and going on with it."""

import html
import json
import math

import pytest
from tiny_run import ROOT, read_config, write_corpus

import zoo
from zoo.data.config import DataConfig
from zoo.data.loading import load_corpus
from zoo.errors import UserError
from zoo.training.config import base_config
from zoo.training.loop import train


@pytest.fixture
def config(tmp_path):
    config = read_config(ROOT / "configs" / "text_file_kneser_ney.py")
    config.data.directory = str(write_corpus(tmp_path))
    config.data.cache_directory = str(tmp_path / "cache")
    return config


def run(config, workdir, **options):
    lines = []
    progress = train(config, str(workdir), log=lines.append, **options)
    return progress, lines


def test_a_counted_run_is_a_checkpoint_like_any_other(config, tmp_path):
    progress, lines = run(config, tmp_path / "run")
    assert lines[0].startswith("counted in ")
    assert lines[1].startswith("n-grams: ")
    checkpoint = zoo.load(tmp_path / "run")
    assert checkpoint.step == progress.best_step == 1
    corpus = load_corpus(DataConfig(**config.data))
    score = zoo.evaluate(checkpoint, corpus["validation"])
    assert progress.validation["perplexity"] == pytest.approx(score.perplexity, rel=1e-5)
    (record,) = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    assert record == {"step": 1, "split": "validation", **progress.validation}
    assert zoo.generate(checkpoint, "the", max_tokens=5).startswith("the")
    (sample,) = [line for line in lines if line.startswith("sample:")]
    assert len(sample.split()) > 5
    (saved,) = map(json.loads, (tmp_path / "run" / "samples.jsonl").read_text().splitlines())
    assert saved == {"step": 1, "sample": sample.removeprefix("sample:\n")}
    assert html.escape(saved["sample"]) in (tmp_path / "run" / "report.html").read_text()
    assert json.loads((tmp_path / "run" / "config.json").read_text())["model"]["order"] == 5


def test_the_same_command_again_only_scores(config, tmp_path):
    first, _ = run(config, tmp_path / "run")
    sessions = (tmp_path / "run" / "sessions.jsonl").read_text()
    again, lines = run(config, tmp_path / "run")
    assert lines[0] == "counted before"
    assert (tmp_path / "run" / "sessions.jsonl").read_text() == sessions
    assert len((tmp_path / "run" / "samples.jsonl").read_text().splitlines()) == 1
    assert again.validation == pytest.approx(first.validation, rel=1e-6)


def test_a_damaged_model_is_counted_again(config, tmp_path):
    run(config, tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "1" / "progress.json").write_text("{}")
    _, lines = run(config, tmp_path / "run")
    assert "progress.json differs from its checksum" in lines[0]
    assert lines[1].startswith("counted in")


def test_another_config_or_corpus_is_refused(config, tmp_path):
    run(config, tmp_path / "run")
    config.model.order = 3
    with pytest.raises(UserError, match=r"another config \(model\.order: 5 -> 3\)"):
        run(config, tmp_path / "run")
    config.model.order = 5
    (tmp_path / "corpus.txt").write_text("other words\n" * 60)
    with pytest.raises(UserError, match="the corpus has another vocabulary"):
        run(config, tmp_path / "run")


@pytest.mark.parametrize("changed", ["order", "estimator", "text"])
def test_an_allowed_change_is_counted_again(config, tmp_path, changed):
    """Not only noted in config.json, beside the old model."""
    run(config, tmp_path / "run")
    if changed == "order":
        config.model.order = 3
    elif changed == "estimator":
        config.model.estimator = "maximum_likelihood"
    else:
        corpus = tmp_path / "corpus.txt"
        lines = corpus.read_text().splitlines()
        corpus.write_text("\n".join([*lines[:-1], " ".join(lines[-1].split()[::-1])]) + "\n")
    progress, lines = run(config, tmp_path / "run", allow_config_change=True)
    assert any("it is counted again" in line for line in lines)
    fresh, _ = run(config, tmp_path / "fresh")
    assert progress.validation == fresh.validation
    _, lines = run(config, tmp_path / "run", allow_config_change=True)
    assert lines[0] == "counted before"


def test_a_run_of_another_architecture_stays_as_it_was(config, tmp_path):
    trained = read_config(ROOT / "configs" / "text_file_lstm.py")
    trained.data.directory = config.data.directory
    trained.data.cache_directory = config.data.cache_directory
    trained.data.vocabulary, trained.data.batch_size = config.data.vocabulary, 2
    trained.model.hidden_sizes, trained.model.embedding_size = (4,), 4
    trained.training.num_steps = trained.evaluation.every_steps = 2
    train(trained, str(tmp_path / "run"), log=lambda line: None)
    before = (tmp_path / "run" / "config.json").read_text()
    with pytest.raises(UserError, match=r"is a recurrent_lm, not a ngram_lm; choose another"):
        run(config, tmp_path / "run", allow_config_change=True)
    assert (tmp_path / "run" / "config.json").read_text() == before


def test_maximum_likelihood_may_score_infinity_and_saves_all_the_same(config, tmp_path):
    config.model.estimator = "maximum_likelihood"
    config.model.order = 4
    config.data.fractions = (0.5, 0.25, 0.25)
    progress, lines = run(config, tmp_path / "run")
    assert any(line.startswith("validation: perplexity inf") for line in lines)
    assert progress.validation == {}
    again, _ = run(config, tmp_path / "run")
    assert again.validation == {}
    checkpoint = zoo.load(tmp_path / "run")
    lines = load_corpus(DataConfig(**config.data))
    assert math.isfinite(zoo.perplexity(checkpoint, lines["train"]))
    with pytest.raises(
        UserError, match="in line 1, an unknown token, probability 0: it has no <unk>"
    ):
        zoo.perplexity(checkpoint, lines["validation"])


def test_order_zero_is_told_before_the_corpus_is_read(config, tmp_path):
    config.data.directory = "nowhere"
    config.model.order = 0
    with pytest.raises(UserError, match=r"model\.order is 0; use 1 to 256, such as 5"):
        run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_its_config_has_the_fields_that_counting_reads_and_no_others():
    config = base_config("ngram_lm")
    assert set(config) == {"data", "model", "training", "evaluation"}
    assert set(config.training) == {"seed"}
    assert set(config.evaluation) == {"sample_tokens", "report"}
    assert "batch_size" not in config.data
