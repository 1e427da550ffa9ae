"""Language models that a tagger reads with: their states, and how they live in its checkpoint."""

import json
import shutil

import jax
import numpy as np
import pytest
import tiny_checkpoints
from jax import export
from tagged_sentences import tagged_sentences, tagger_config, write_columns

import zoo
from zoo.errors import UserError
from zoo.exchange.stablehlo import write_stablehlo
from zoo.special_tokens import START_ID
from zoo.tasks.frozen_language_models import load_frozen
from zoo.tasks.registry import build_workload
from zoo.tasks.tagging import TAGGING
from zoo.training.config import check
from zoo.training.loop import train
from zoo.training.release import without_paths

SENTENCE = ("it", "reads", "a", "line")
ENDS = (1, 7, 9, 14)  # of the words in "it reads a line", from 0


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    """The directory of a tiny language model over characters."""
    return tiny_checkpoints.save(tmp_path_factory.mktemp("lm"), "characters")


@pytest.fixture(scope="module")
def run(tmp_path_factory, language_model):
    """A run whose weights decay, of a language model that is gone since, and that model."""
    directory = tmp_path_factory.mktemp("run")
    path = write_columns(directory / "names.conll", tagged_sentences(40))
    trained = zoo.load(language_model)
    copied = shutil.copytree(language_model, directory / "lm")
    config = tagger_config(
        path,
        model__language_models=(str(copied), str(language_model)),
        optimizer__name="adamw",
        optimizer__weight_decay=0.5,
        training__num_steps=3,
        evaluation__report=False,
    )
    with jax.numpy_dtype_promotion("standard"):
        train(config, str(directory / "run"), log=lambda line: None)
    shutil.rmtree(copied)
    return directory / "run", trained


def states(trained, tokens):
    """The states of a language model behind each character, from its own output."""
    text = np.array([[START_ID, *trained.vocabulary.encode(" ".join(tokens))]], np.int32)
    apply = jax.jit(lambda *given: trained.model.apply(*given).softmax.hidden)
    return apply({"params": trained.params}, text)[0, 1:]


def test_a_word_has_the_state_behind_its_last_character(run):
    tagger = zoo.load(run[0])
    others = [("a",), ("the", "next", "word"), SENTENCE * 9]
    found = tagger.features([SENTENCE, *others])[0]
    wanted = states(run[1], SENTENCE)[np.array(ENDS)]
    np.testing.assert_allclose(found, np.concatenate([wanted, wanted], axis=1), rtol=1e-5)
    np.testing.assert_allclose(tagger.features([SENTENCE])[0], found, rtol=1e-5)


def test_its_parameters_are_the_taggers_own_and_frozen(run):
    tagger = zoo.load(run[0])
    for name in ("language_models_0", "language_models_1"):
        jax.tree.map(np.testing.assert_array_equal, tagger.params[name], run[1].params)
    assert "/lm" not in json.dumps(tagger.vocabulary_record)
    assert without_paths(tagger.config)["model"]["language_models"] == ()
    released = {**tagger.config, "model": {**tagger.config["model"], "language_models": []}}
    opened = TAGGING.open(released, tagger.vocabulary_record, {})
    assert opened.model.language_models == (run[1].model,) * 2


def test_what_was_read_decides(run):
    tagger = zoo.load(run[0])
    [result] = zoo.tag(tagger, [SENTENCE])
    shaken = dict(tagger.params)
    shaken["language_models_1"] = jax.tree.map(lambda leaf: leaf * 2, run[1].params)
    [other] = zoo.tag(tagger.with_params(shaken), [SENTENCE])
    assert result.probabilities != other.probabilities


def test_a_program_reads_too(run, tmp_path):
    tagger = zoo.load(run[0])
    path = tmp_path / "tagger.stablehlo"
    write_stablehlo(path, tagger)
    described = json.loads((tmp_path / "tagger.stablehlo.json").read_text())
    assert list(described["inputs"]) == ["words", "lengths", "text_0", "text_1", "ends"]
    text = np.array([[START_ID, *run[1].vocabulary.encode(" ".join(SENTENCE))]], np.int32)
    words = np.array([tagger.vocabulary.encode(" ".join(SENTENCE))], np.int32)
    ends = np.array([ENDS], np.int32) + 1  # behind the start
    program = export.deserialize(path.read_bytes())
    _, probabilities = program.call(words, np.array([4], np.int32), text, text, ends)
    [result] = zoo.tag(tagger, [SENTENCE])
    np.testing.assert_allclose(probabilities[0], result.probabilities, rtol=1e-5)


def test_a_batch_has_the_features_of_its_sentences(run, tmp_path, language_model):
    path = write_columns(tmp_path / "names.conll", tagged_sentences(40))
    config = tagger_config(path, model__language_models=(str(language_model),))
    workload = build_workload(config)
    batch = workload.batches.batch(0, 0)
    words = workload.vocabulary["words"]["tokens"]
    for row, length in enumerate(batch.lengths):
        tokens = [words[number] for number in batch.words[row, :length]]
        at = np.cumsum([len(token) + 1 for token in tokens]) - 2
        np.testing.assert_allclose(
            batch.features[row, :length], states(run[1], tokens)[at], rtol=1e-4, atol=1e-6
        )
        assert (batch.features[row, length:] == 0).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [("lstm", "a recurrent_lm over word tokens"), ("counts", "a ngram_lm over word tokens")],
)
def test_another_model_is_refused(tmp_path, name, message):
    path = tiny_checkpoints.save(tmp_path, name)
    with pytest.raises(UserError, match=f"{message}; give a recurrent_lm over characters"):
        load_frozen([str(path)])


def test_bad_names_and_records_are_told(run, tmp_path):
    with pytest.raises(UserError, match=r"model\.language_models has 9 names; use at most 8"):
        load_frozen(["python_docs_lstm"] * 9)
    config = tagger_config(tmp_path, model__language_models=(3,))
    with pytest.raises(UserError, match=r"^model.language_models is \(3,\); use str values"):
        check(config)
    tagger = zoo.load(run[0])
    [reader, _] = tagger.vocabulary_record["language_models"]
    for settings in ({"architecture": "classifier"}, {"hidden_sizes": [5] * 17}):
        damaged = {**reader, "model": {**reader["model"], **settings}}
        record = {**tagger.vocabulary_record, "language_models": [damaged]}
        with pytest.raises(UserError, match="a language model of the tagger is damaged"):
            TAGGING.open(tagger.config, record, {})
    record = {**tagger.vocabulary_record, "language_models": [reader] * 9}
    with pytest.raises(UserError, match="it has 9 language models; a tagger has at most 8"):
        TAGGING.open(tagger.config, record, {})
