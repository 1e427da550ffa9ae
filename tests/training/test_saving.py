"""`zoo.build` and `zoo.save`: a model of one's own training loop, used as any other."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny_checkpoints

import zoo
from zoo.__main__ import main
from zoo.data.vocabulary import build_vocabulary, encode_lines
from zoo.errors import UserError
from zoo.models.trained import TrainedLanguageModel
from zoo.training import checkpoints
from zoo.training.config import base_config

pytestmark = pytest.mark.usefixtures("optax_dtypes")
LINES = ["a net reads a line", "it guesses the next word"]
TEXT = "\n".join(LINES)


def tiny(architecture="recurrent_lm", **settings):
    config = base_config(architecture)
    if architecture == "encoder_decoder":
        config.model.embedding_size, config.model.hidden_size = 4, 6
    else:
        config.model.embedding_size, config.model.hidden_sizes = 6, (5,)
    config.update_from_flattened_dict(settings)
    return config


@pytest.fixture(scope="module")
def trained():
    """A language model, trained by a plain optax loop of this test."""
    checkpoint = zoo.build(tiny(), zoo.build_vocabulary("word", LINES))
    tokens = encode_lines(checkpoint.vocabulary, LINES)
    inputs, targets = jnp.array([[1, *tokens[:-1]]]), jnp.array([tokens])
    optimizer = optax.adam(0.05)

    def loss(params):
        logits = checkpoint.model.apply({"params": params}, inputs).logits
        return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()

    @jax.jit
    def step(params, state):
        updates, state = optimizer.update(jax.grad(loss)(params), state)
        return optax.apply_updates(params, updates), state

    params, state = checkpoint.params, optimizer.init(checkpoint.params)
    for _ in range(30):
        params, state = step(params, state)
    assert loss(params) < 0.5 * loss(checkpoint.params)
    return checkpoint.with_params(params)


def test_it_is_loaded_evaluated_exported_and_released(trained, tmp_path, capsys):
    place = zoo.save(trained, tmp_path / "mine")
    checkpoints.verify(place)
    loaded = zoo.load(place)
    assert zoo.perplexity(loaded, TEXT) == pytest.approx(zoo.perplexity(trained, TEXT))
    assert zoo.generate(place, "a", max_tokens=3) == zoo.generate(trained, "a", max_tokens=3)
    (tmp_path / "text.txt").write_text(TEXT)
    assert main(["evaluate", str(place), f"--text={tmp_path}/text.txt", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["perplexity"] == pytest.approx(
        zoo.perplexity(trained, TEXT)
    )
    assert main(["export", str(place), str(tmp_path / "mine.safetensors")]) == 0
    assert main(["release", str(place), str(tmp_path / "given"), "--half"]) == 0
    for other in ("mine.safetensors", "given"):
        assert zoo.perplexity(tmp_path / other, TEXT) == pytest.approx(
            zoo.perplexity(trained, TEXT), rel=1e-2
        )


def test_a_classifier_and_a_translator_are_built_and_saved(tmp_path):
    words, sources = zoo.build_vocabulary("word", LINES), zoo.build_vocabulary("word", ["ein Netz"])
    classifier = zoo.build(tiny("classifier"), words, labels=["bad", "good"])
    translator = zoo.build(tiny("encoder_decoder"), words, source_vocabulary=sources)
    for number, model in enumerate((classifier, translator)):
        loaded = zoo.load(zoo.save(model, tmp_path / str(number)))
        use = zoo.translate if model is translator else zoo.classify
        assert use(loaded, "a net") == use(model, "a net")


@pytest.mark.parametrize("name", ["lstm", "counts", "topics", "german"])
def test_what_was_loaded_is_saved_with_the_same_arrays(tmp_path, name):
    loaded = zoo.load(tiny_checkpoints.save(tmp_path, name))
    again = zoo.load(zoo.save(loaded, tmp_path / "copy"))
    assert again.config == loaded.config
    assert again.vocabulary_record == loaded.vocabulary_record
    jax.tree.map(np.testing.assert_array_equal, loaded.params, again.params)


def test_a_checkpoint_made_by_hand_needs_no_config(trained, tmp_path):
    model, params, vocabulary = trained.model, trained.params, trained.vocabulary
    bare = TrainedLanguageModel(model=model, params=params, vocabulary=vocabulary)
    loaded = zoo.load(zoo.save(bare, tmp_path / "bare"))
    assert loaded.config["model"]["architecture"] == "recurrent_lm"
    assert zoo.perplexity(loaded, TEXT) == pytest.approx(zoo.perplexity(trained, TEXT))


def test_other_precisions_are_stored_as_float32(trained, tmp_path):
    half = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), trained.params)
    loaded = zoo.load(zoo.save(trained.with_params(half), tmp_path / "half"))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(loaded.params)} == {"float32"}


def test_a_place_is_not_written_over_by_accident(trained, tmp_path):
    place = zoo.save(trained, tmp_path / "mine")
    with pytest.raises(UserError, match="exists already; name a new directory"):
        zoo.save(trained, place)
    other = trained.with_params(jax.tree.map(lambda leaf: leaf + 1, trained.params))
    zoo.save(other, place, overwrite=True)
    assert zoo.load(place).params["output_bias"][0] == other.params["output_bias"][0]
    (tmp_path / "diary").mkdir()
    (tmp_path / "diary" / "page.txt").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        zoo.save(trained, tmp_path / "diary", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diary", "mine"]


def test_what_could_not_be_loaded_is_not_saved(trained, tmp_path):
    params = trained.params
    wide = {**params, "output_bias": jnp.zeros(99)}
    nan = {**params, "output_bias": params["output_bias"].at[0].set(jnp.nan)}
    config = {**trained.config, "model": {**trained.config["model"], "hidden_sizes": [7]}}
    other = dataclasses.replace(trained, config=config)
    for model, message in (
        (trained.with_params(wide), r"do not fit the model: \['output_bias'\] is \(99,\) there"),
        (trained.with_params(nan), r"\['output_bias'\] holds values that are not finite"),
        (other, "model of the model differs from its config and progress"),
        (zoo.mix([trained, trained], TEXT), "the mixture consists of other models"),
    ):
        with pytest.raises(UserError, match=message):
            zoo.save(model, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_what_is_left_to_the_size_of_a_corpus_has_its_default(tmp_path):
    config = zoo.config("csv_classifier")
    assert config.model.cell is None
    built = zoo.build(config, build_vocabulary("word", LINES), labels=["bad", "good"])
    assert built.config["model"]["cell"] == base_config("classifier").model.cell
    assert None not in zoo.load(zoo.save(built, tmp_path / "mine")).config["data"].values()


@pytest.mark.parametrize("vocabulary", [None, ["a", "b"], "text"])
def test_what_is_no_vocabulary_is_told(vocabulary):
    with pytest.raises(TypeError, match=r"is no vocabulary; give one of zoo.build_vocabulary"):
        zoo.build("text_file_lstm", vocabulary)


def test_what_can_not_be_built_is_told():
    words = build_vocabulary("word", LINES)
    with pytest.raises(
        UserError, match=r"a classifier cannot be built .* give a classifier labels"
    ):
        zoo.build(tiny("classifier"), words)
    with pytest.raises(UserError, match=r"a translator cannot be built"):
        zoo.build(tiny("encoder_decoder"), words)
    with pytest.raises(UserError, match=r"an n-gram model is counted"):
        zoo.build(base_config("ngram_lm"), words)
