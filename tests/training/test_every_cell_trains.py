"""Every cell in every kind of model: it is trained, goes on after a stop, and is used."""

import shutil

import numpy as np
import pytest
from labeled_texts import classifier_config, labeled_texts, write_csv
from paired_texts import translator_config
from tiny_run import saved_bits, tiny_config

import zoo
from zoo.layers.cells import cell_names

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("optax_dtypes")]
every_cell = pytest.mark.parametrize("cell", cell_names())


def train(config, workdir):
    config.training.num_steps = 8
    config.training.checkpoint_every_steps = config.evaluation.every_steps = 4
    config.evaluation.report = False
    zoo.train(config, workdir, log=lambda line: None)


@every_cell
def test_a_language_model_of_two_seeds(cell, corpus, tmp_path):
    """A run that goes on from its step 4 ends bit for bit as the run that was never stopped."""
    config = tiny_config(corpus, model__cell=cell, training__num_seeds=2)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(config, whole)
    shutil.copytree(whole, cut, ignore=shutil.ignore_patterns("8", "*_8"))
    train(config, cut)
    assert saved_bits(cut, 8) == saved_bits(whole, 8)
    first, second = (saved_bits(whole / f"seed_{seed}", 8)["params"] for seed in (0, 1))
    assert first.keys() == second.keys()
    assert first != second
    found = zoo.generate(whole / "seed_1", "the old", max_tokens=20, seed=3)
    assert len(found) > len("the old")
    assert found == zoo.generate(whole / "seed_1", "the old", max_tokens=20, seed=3)


@every_cell
def test_a_classifier_in_both_directions(cell, tmp_path):
    table = write_csv(tmp_path / "texts.csv", labeled_texts(), ("text", "label"))
    sizes = {"model.embedding_size": 4, "model.hidden_sizes": (6,), "model.bidirectional": True}
    train(classifier_config(table, **{"model.cell": cell, **sizes}), tmp_path / "run")
    (found,) = zoo.classify(tmp_path / "run", ["the film was good"])
    assert sum(found.probabilities.values()) == pytest.approx(1, rel=1e-4)


@every_cell
def test_an_encoder_and_a_decoder(cell, tmp_path):
    """It learns to turn words around."""
    table = tmp_path / "turned.de-en.tsv"
    words = [f"{a} {b} {c}" for a in "abcd" for b in "abcd" for c in "abcd"]
    table.write_text("".join(f"{text}\t{text[::-1]}\n" for text in words), encoding="utf-8")
    sides = {"model.encoder": cell, "model.decoder": cell, "data.bucket_lengths": (8,)}
    train(translator_config(table, **sides), tmp_path / "run")
    checkpoint = zoo.load(tmp_path / "run")
    together = zoo.translate(checkpoint, ["b a", "c"], beam_size=2)
    (alone,) = zoo.translate(checkpoint, ["c"], beam_size=2)
    assert together[1].text == alone.text
    assert np.isfinite(alone.score)
