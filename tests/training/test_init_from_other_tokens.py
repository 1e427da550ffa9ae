"""A run starts from a model of other tokens: rows go over by token, new ones are at the mean."""

import jax
import numpy as np
import pytest
import tiny_checkpoints
from ml_collections import ConfigDict
from paired_texts import translator_config
from tiny_run import array_bits, tiny_config, write_corpus

import zoo
from zoo.errors import UserError
from zoo.tasks.registry import build_workload
from zoo.training.config import base_config
from zoo.training.devices import MeshConfig, make_mesh
from zoo.training.init_from import load_start, start_from
from zoo.training.start import initial_state

TOKEN_AXES = {"embedding": 0, "output_kernel": 1, "output_bias": 0}  # of a language model


def expected(array, known, tokens, axis):
    """By a loop: each token's row, or the mean of all."""
    array = np.moveaxis(np.asarray(array), axis, 0)
    rows = [array[known.index(token)] if token in known else array.mean(axis=0) for token in tokens]
    return np.moveaxis(np.stack(rows), 0, axis)


def start_of(source, config):
    workload = build_workload(config)
    start = load_start(str(source), workload)
    state = initial_state(config, workload, make_mesh(MeshConfig(), num_rows=1))
    return workload, start, state, start_from(state, start.params)


def test_a_language_model_of_other_characters(tmp_path):
    source = tiny_checkpoints.save(tmp_path, "characters")
    config = tiny_config(write_corpus(tmp_path), model__cell="lstm", model__hidden_sizes=(5,))
    workload, start, _, state = start_of(source, config)
    trained, tokens = zoo.load(source), workload.trained.vocabulary.tokens
    known = trained.vocabulary.tokens
    assert set(tokens) - set(known)
    assert set(known) - set(tokens)
    for name, axis in TOKEN_AXES.items():
        wanted = expected(trained.params[name], known, tokens, axis)
        np.testing.assert_allclose(state.params[name], wanted, rtol=1e-6)
    assert array_bits(state.params["stack"]) == array_bits(trained.params["stack"])
    number = len(set(tokens) & set(known))
    assert start.notes == (
        f"{number} of {len(tokens)} tokens are known to {source}; the others start at the mean",
    )


def classifier_config(tmp_path, vocabulary, **more) -> ConfigDict:
    table = tmp_path / "table.csv"
    rows = [f"a net reads line {n} the word,label {n % 3}" for n in range(60)]
    table.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    config = base_config("classifier")
    settings = {
        "data.corpus": "table_file",
        "data.directory": str(table),
        "data.cache_directory": str(tmp_path / "cache"),
        "data.vocabulary": vocabulary,
        "model.embedding_size": 6,
        "model.hidden_sizes": (5,),
    }
    config.update_from_flattened_dict(settings | more)
    return config


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_classifier_takes_a_language_model_s_embeddings_and_layers(tmp_path, bidirectional):
    source = tiny_checkpoints.save(tmp_path, "lstm")
    config = classifier_config(tmp_path, "word", **{"model.bidirectional": bidirectional})
    workload, start, before, state = start_of(source, config)
    trained, tokens = zoo.load(source), workload.trained.vocabulary.tokens
    wanted = expected(trained.params["embedding"], trained.vocabulary.tokens, tokens, 0)
    np.testing.assert_allclose(state.params["embedding"], wanted, rtol=1e-6)
    layer = trained.params["stack"]["layer_0"]
    assert array_bits(state.params["stack"]["layer_0"]) == array_bits(layer)
    assert array_bits(state.params["head"]) == array_bits(before.params["head"])
    if bidirectional:
        name = "reverse_layer_0"
        stacks = state.params["stack"], before.params["stack"]
        assert array_bits(stacks[0][name]) == array_bits(stacks[1][name])
    assert start.notes[1].startswith(f"from {source}: embedding, stack/layer_0/")
    assert jax.tree.structure(state.params) == jax.tree.structure(before.params)


def test_a_classifier_of_few_texts_keeps_the_tokens_of_the_language_model(tmp_path):
    source = tiny_checkpoints.save(tmp_path, "lstm")
    keeping = {"training.init_from": str(source), "training.keep_tokens": True}
    without = build_workload(classifier_config(tmp_path, "word")).trained.vocabulary.tokens
    workload, _, _, state = start_of(source, classifier_config(tmp_path, "word", **keeping))
    trained, tokens = zoo.load(source), workload.trained.vocabulary.tokens
    known = trained.vocabulary.tokens
    assert set(known) - set(without)
    assert tokens == [*without, *(token for token in known if token not in without)]
    wanted = expected(trained.params["embedding"], known, tokens, 0)
    np.testing.assert_allclose(state.params["embedding"], wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "training.keep_tokens is True, but training.init_from is empty; name the model"),
        ({"training.init_from": "x", "data.vocabulary": "subword"}, "but data.vocabulary is sub"),
        ({"training.init_from": "nosuch"}, "nosuch"),
    ],
)
def test_tokens_that_can_not_be_kept(tmp_path, settings, told):
    config = classifier_config(tmp_path, "word", **{"training.keep_tokens": True}, **settings)
    with pytest.raises(UserError, match=told):
        build_workload(config)


def test_a_classifier_takes_the_labels_that_it_knows(tmp_path):
    source = tiny_checkpoints.save(tmp_path, "topics")
    config = classifier_config(tmp_path, "word", **{"model.pooling": "attention"})
    workload, start, _, state = start_of(source, config)
    trained, labels = zoo.load(source), workload.trained.labels.names
    assert labels == ("label 0", "label 1", "label 2")
    for name, axis in (("output_kernel", 1), ("output_bias", 0)):
        wanted = expected(trained.params["head"][name], trained.labels.names, labels, axis)
        np.testing.assert_allclose(state.params["head"][name], wanted, rtol=1e-6)
    assert "3 of 3 labels are known" in start.notes[1]


@pytest.mark.parametrize(
    ("source", "vocabulary", "settings", "told"),
    [
        ("lstm", "word", {"model.hidden_sizes": (4,)}, r"layer_0'\]\['bias'\] is \(20,\) there"),
        ("gru", "word", {}, "layer_0"),
        (
            "characters",
            "word",
            {},
            "'character', but the tokens of this config are of the kind 'word'; use data.voc",
        ),
        ("german", "word", {}, "is .*, a translator, but this config trains a classifier; give a"),
    ],
)
def test_what_does_not_fit_a_classifier_is_told(tmp_path, source, vocabulary, settings, told):
    workload = build_workload(classifier_config(tmp_path, vocabulary, **settings))
    with pytest.raises(UserError, match=told) as error:
        load_start(str(tiny_checkpoints.save(tmp_path, source)), workload)
    assert "\n" not in str(error.value)


def test_a_language_model_takes_no_classifier(tmp_path):
    source = tiny_checkpoints.save(tmp_path, "topics")
    workload = build_workload(tiny_config(write_corpus(tmp_path)))
    with pytest.raises(UserError, match="trains a language model; give a language model"):
        load_start(str(source), workload)


def test_a_translator_takes_the_rows_of_both_sides(tmp_path):
    source = tiny_checkpoints.save(tmp_path, "german")
    pairs = tmp_path / "mine.de-en.tsv"
    lines = [f"ein Netz liest Zeile {n}\ta net reads line {n}" for n in range(60)]
    pairs.write_text("\n".join(lines), encoding="utf-8")
    workload, start, _, state = start_of(source, translator_config(pairs))
    trained = zoo.load(source)
    sides = {"source": "source_embedding", "target": "target_embedding"}
    for side, name in sides.items():
        known, tokens = trained.tokens[side], workload.trained.tokens[side]
        assert set(tokens) - set(known)
        assert set(known) & set(tokens)
        wanted = expected(trained.params[name], known, tokens, 0)
        np.testing.assert_allclose(state.params[name], wanted, rtol=1e-6)
    assert len(start.notes) == 2
    assert array_bits(state.params["encoder"]) == array_bits(trained.params["encoder"])
