"""A config has every field of every record, and says at once what can't be."""

import dataclasses
import json
import math
import re

import jax
import jax.numpy as jnp
import pytest
from ml_collections import ConfigDict
from tiny_run import ROOT, read_config

from zoo.data.batching import SentenceBatches
from zoo.data.config import (
    DataConfig,
    LabeledDataConfig,
    ParallelDataConfig,
    TaggedDataConfig,
    TextConfig,
)
from zoo.data.examples import Tagged
from zoo.data.loading import LabeledCorpus, LabeledTexts, ParallelTexts, TaggedCorpus
from zoo.data.streams import StreamBatches
from zoo.data.vocabulary import build_vocabulary
from zoo.errors import UserError
from zoo.models.classifier import ClassifierConfig
from zoo.models.encoder_decoder import EncoderDecoderConfig
from zoo.models.ngram_lm import NGramConfig
from zoo.models.recurrent_lm import RecurrentLMConfig
from zoo.models.registry import task_of
from zoo.models.tagger import TaggerConfig
from zoo.tasks import (
    classification,
    encoded_labeled,
    encoded_pairs,
    encoded_tagged,
    encoded_text,
    language_modeling,
    translation,
)
from zoo.tasks.classification import ClassifierTraining
from zoo.tasks.language_modeling import LanguageModelEvaluation, LanguageModelTraining
from zoo.tasks.ngram_counting import CountingConfig, CountingEvaluation
from zoo.tasks.registry import build_workload, settle
from zoo.tasks.settings import EvaluationConfig, TrainingConfig
from zoo.tasks.tagging import TaggerTraining
from zoo.tasks.translation import TranslatorEvaluation, TranslatorTraining
from zoo.training import config as configs
from zoo.training import config_files
from zoo.training.config import base_config, section
from zoo.training.devices import MeshConfig
from zoo.training.optimizers import OptimizerConfig, make_optimizer
from zoo.training.release import without_paths
from zoo.training.state import create_state

STEPS = {"optimizer": OptimizerConfig, "mesh": MeshConfig}
RECORDS = {
    "recurrent_lm": {
        "data": DataConfig,
        "model": RecurrentLMConfig,
        "training": LanguageModelTraining,
        "evaluation": LanguageModelEvaluation,
        **STEPS,
    },
    "classifier": {
        "data": LabeledDataConfig,
        "model": ClassifierConfig,
        "training": ClassifierTraining,
        "evaluation": EvaluationConfig,
        **STEPS,
    },
    "encoder_decoder": {
        "data": ParallelDataConfig,
        "model": EncoderDecoderConfig,
        "training": TranslatorTraining,
        "evaluation": TranslatorEvaluation,
        **STEPS,
    },
    "tagger": {
        "data": TaggedDataConfig,
        "model": TaggerConfig,
        "training": TaggerTraining,
        "evaluation": EvaluationConfig,
        **STEPS,
    },
    "ngram_lm": {
        "data": TextConfig,
        "model": NGramConfig,
        "training": CountingConfig,
        "evaluation": CountingEvaluation,
    },
}
CONFIG_FILES = sorted((ROOT / "configs").glob("*.py"))
CLASSIFIERS = [path for path in CONFIG_FILES if path.stem.endswith("_classifier")]
TAGGERS = [path for path in CONFIG_FILES if path.stem.endswith("_tagger")]
TRANSLATORS = [path for path in CONFIG_FILES if path.stem.startswith(("toy_", "multi30k", "paral"))]


def changed(name, value):
    config = base_config("recurrent_lm")
    config.update_from_flattened_dict({name: value})
    return config


@pytest.mark.parametrize("architecture", RECORDS)
def test_a_config_has_every_field_of_its_task_with_its_default_and_no_other(architecture):
    config = base_config(architecture)
    assert set(config.keys()) == RECORDS[architecture].keys()
    for name, record in RECORDS[architecture].items():
        fields = dict(config[name].items())
        assert fields.pop("architecture", None) == (architecture if name == "model" else None)
        assert fields == dataclasses.asdict(record())
        if name != "model":
            assert section(config, name) == record()


def test_a_task_has_no_field_without_a_use():
    training = {name: set(base_config(name).training.keys()) for name in RECORDS}
    steps = {field.name for field in dataclasses.fields(TrainingConfig)}
    assert {name: fields - steps for name, fields in training.items()} == {
        "recurrent_lm": {"reset_at_sentences", "freeze_word_vectors"},
        "classifier": {"freeze_word_vectors", "keep_tokens", "class_weights"},
        "encoder_decoder": {"label_smoothing", "scheduled_sampling_rate"},
        "tagger": {"freeze_word_vectors"},
        "ngram_lm": set(),
    }
    assert training["ngram_lm"] == {"seed"}
    evaluation = {name: set(base_config(name).evaluation.keys()) for name in RECORDS}
    always = {"every_steps", "every_epochs", "patience", "report"}
    assert evaluation == {
        "recurrent_lm": always | {"mode", "num_streams", "sample_tokens"},
        "classifier": always,
        "encoder_decoder": always | {"beam_size"},
        "tagger": always,
        "ngram_lm": {"sample_tokens", "report"},
    }


def test_two_configs_share_nothing():
    first, second = base_config("recurrent_lm"), base_config("recurrent_lm")
    first.training.num_steps = 7
    assert second.training.num_steps == TrainingConfig().num_steps


def test_a_section_has_the_values_of_its_config():
    assert section(changed("training.num_steps", 7), "training").num_steps == 7


def test_microbatches_have_to_divide_the_batch():
    advice = r"use training\.num_microbatches=2, or data\.batch_size=66$"
    with pytest.raises(UserError, match=rf"=3 does not divide data\.batch_size=64; {advice}"):
        configs.check(changed("training.num_microbatches", 3))
    configs.check(changed("training.num_microbatches", 4))
    with pytest.raises(UserError, match="num_microbatches is 0; use at least 1"):
        configs.check(changed("training.num_microbatches", 0))


def test_an_unknown_field_is_an_error_with_the_nearest_name():
    config = base_config("recurrent_lm")
    with pytest.raises(AttributeError, match='Did you mean "num_steps"'):
        config.training.num_step = 3
    with pytest.raises(AttributeError, match='Did you mean "optimizer"'):
        config.optimiser = {}


def test_a_value_of_another_type_is_an_error_that_names_the_field():
    config = base_config("recurrent_lm")
    with pytest.raises(TypeError, match="num_steps"):
        config.training.num_steps = "many"
    with pytest.raises(TypeError, match="hidden_sizes"):
        config.model.hidden_sizes = 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": 3}, "has 3 as its model; use a section with fields"),
        ({"model": {}}, "the config has no model.architecture; start from"),
        ({"extra": 3}, "has 3 as its extra; use a section with fields"),
        ({"extra": {"field": 3}}, "config has no extra.field, unlike this config"),
        ({"data": {}}, "config has data.batch_size, unlike this config"),
    ],
)
def test_a_config_of_other_sections_is_refused(changes, message, tmp_path):
    fields = {**base_config("recurrent_lm").to_dict(), **changes}
    with pytest.raises(UserError, match=message):
        configs.check(ConfigDict(fields))
    file = tmp_path / "mine.py"
    file.write_text(
        "from ml_collections import ConfigDict\n"
        f"def get_config():\n    return ConfigDict({fields!r})\n"
    )
    with pytest.raises(UserError, match=f"mine.py: .*{message}"):
        config_files.config(file)


def test_an_unknown_architecture_is_told_with_the_near_ones():
    with pytest.raises(UserError, match="'recurrent_ml'; try recurrent_lm"):
        base_config("recurrent_ml")
    with pytest.raises(UserError, match="'recurrent_ml'; try recurrent_lm"):
        configs.check(changed("model.architecture", "recurrent_ml"))


BAD_VALUES = [
    *(
        (f"training.{name}", value)
        for name in ("num_seeds", "steps_per_call", "log_every_steps")
        for value in (0, -3)
    ),
    *((f"training.{name}", -3) for name in ("num_steps", "checkpoint_every_steps")),
    *((f"training.{name}", -0.5) for name in ("num_epochs", "checkpoint_every_epochs")),
    *(("training.seed", value) for value in (-1, 2**32)),
    *(("training.learning_rate_factors", value) for value in ((), (0.5,), (1.0, 1.0), (-1.0, 1.0))),
    *(("evaluation.num_streams", value) for value in (0, -1)),
    *((f"evaluation.{name}", -1) for name in ("every_steps", "patience", "sample_tokens")),
    ("evaluation.every_epochs", -0.5),
    ("evaluation.mode", "streams"),
    ("optimizer.learning_rate", float("nan")),
    ("optimizer.warmup_steps", 2**31),  # a device counts steps in int32
    ("training.num_steps", 2**31),
    ("model.hidden_sizes", (8, 1.5)),
    ("model.hidden_sizes", ("8",)),
    ("model.hidden_sizes", (True,)),
    ("data.bucket_lengths", (16, "32")),
    *(("data.bucket_lengths", value) for value in ((), (0, 8))),
    *(("data.sequence_length", value) for value in (0, -1)),
    ("training.num_epochs", 1e308),  # a device holds fractions as float32
    ("data.fractions", (0.5, 0.25, "0.25")),
    ("data.corpus", None),  # ConfigDict takes None for every field
    ("model.hidden_sizes", None),
    ("training.num_steps", None),
    ("optimizer.learning_rate", None),
]


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_a_bad_value_is_one_line_that_names_field_and_value(name, value):
    with pytest.raises(UserError, match=rf"^{name} is {re.escape(repr(value))}; use ") as caught:
        configs.check(changed(name, value))
    assert "\n" not in str(caught.value)


def test_a_tuple_of_too_many_values_is_not_written_out():
    configs.check(changed("model.hidden_sizes", (8,) * 100))
    with pytest.raises(UserError, match=r"^model.hidden_sizes has 101 values; use at most 100$"):
        configs.check(changed("model.hidden_sizes", (8,) * 101))


@pytest.mark.parametrize("value", [0, 2**32 - 1])
def test_the_smallest_and_the_largest_seed_are_fine(value):
    configs.check(changed("training.seed", value))


def test_whole_numbers_do_where_fractions_stand():
    config = changed("optimizer.learning_rate", 1)
    assert config.optimizer.learning_rate == 1.0
    configs.check(changed("data.fractions", (1, 2, 3)))  # what they add up to, the corpus says


def plain(config):
    return json.loads(config.to_json())


def test_a_config_comes_back_from_json():
    config = changed("model.hidden_sizes", (8, 8))
    record = plain(config)
    again = base_config("recurrent_lm")
    for name in record:
        for field, value in record[name].items():
            again[name][field] = tuple(value) if isinstance(value, list) else value
    assert again == config
    assert plain(again) == record


@pytest.mark.parametrize("path", CLASSIFIERS, ids=lambda path: path.stem)
def test_every_classifier_in_configs_builds_its_model(path, monkeypatch):
    config = read_config(path)
    configs.check(config)
    assert config.is_locked
    config.data.word_vectors = ""
    texts = LabeledTexts(["a b c", "c d"] * 100, [("yes",), ("no",)] * 100)
    splits = dict.fromkeys(("train", "validation", "test"), texts)
    corpus = LabeledCorpus(splits, "goemotions" in path.stem)
    for module in (encoded_labeled, classification):
        monkeypatch.setattr(module, "load_labeled_corpus", lambda data, **_: corpus)
    config = settle(config)
    workload = build_workload(config)
    params = jax.eval_shape(workload.init_params, jax.random.key(0))
    batch = workload.batches.batch(0, 0)
    assert batch.tokens.shape[0] == config.data.batch_size
    loss, _ = jax.eval_shape(workload.objective.loss, params, (), batch, jax.random.key(0))
    assert (loss.shape, loss.dtype) == ((), jnp.float32)
    assert params["embedding"].shape == (7, config.model.embedding_size)


@pytest.mark.parametrize("path", TAGGERS, ids=lambda path: path.stem)
def test_every_tagger_in_configs_builds_its_model(path, monkeypatch):
    config = read_config(path)
    config.data.word_vectors, config.data.keep_word_vectors = "", False
    config.training.freeze_word_vectors = False
    configs.check(config)
    assert config.is_locked
    sentences = [Tagged(("a", "b", "c"), ("B-x", "I-x", "O")), Tagged(("c", "d"), ("O", "O"))] * 100
    splits = dict.fromkeys(("train", "validation", "test"), sentences)
    monkeypatch.setattr(
        encoded_tagged, "load_tagged_corpus", lambda data: TaggedCorpus(splits, "iob2")
    )
    workload = build_workload(config)
    params = jax.eval_shape(workload.init_params, jax.random.key(0))
    batch = workload.batches.batch(0, 0)
    assert batch.words.shape[0] == config.data.batch_size
    loss, _ = jax.eval_shape(workload.objective.loss, params, (), batch, jax.random.key(0))
    assert (loss.shape, loss.dtype) == ((), jnp.float32)
    assert params["embedding"].shape == (7, config.model.embedding_size)


@pytest.mark.parametrize("path", TRANSLATORS, ids=lambda path: path.stem)
def test_every_translator_in_configs_builds_its_model(path, monkeypatch):
    config = read_config(path)
    configs.check(config)
    assert config.is_locked
    config.data.vocabulary, config.data.vocabulary_size = "word", 0  # a text of four words
    texts = ParallelTexts(["a b c", "c d"] * 100, ["b", "d a d"] * 100, [()] * 200)
    splits = dict.fromkeys(("train", "validation", "test"), texts)
    for module in (encoded_pairs, translation):
        monkeypatch.setattr(module, "load_parallel_corpus", lambda data: splits)
    config = settle(config)
    workload = build_workload(config)
    params = jax.eval_shape(workload.init_params, jax.random.key(0))
    batch = workload.batches.batch(0, 0)
    assert batch.sources.shape[0] == config.data.batch_size
    loss, _ = jax.eval_shape(workload.objective.loss, params, (), batch, jax.random.key(0))
    assert (loss.shape, loss.dtype) == ((), jnp.float32)


@pytest.mark.parametrize(
    "path",
    sorted({*CONFIG_FILES} - {*CLASSIFIERS, *TRANSLATORS, *TAGGERS}),
    ids=lambda path: path.stem,
)
def test_every_language_model_in_configs_builds_its_model(path, monkeypatch):
    """With a text and a vocabulary of our own, and shapes alone: nothing is computed."""
    config = read_config(path)
    configs.check(config)
    assert config.is_locked
    for field, default in base_config(config.model.architecture).model.items():
        assert type(config.model[field]) is type(default), field
    line = " ".join(f"w{number}" for number in range(50))
    lines = {"train": [line] * 2000, "validation": [line], "test": [line]}
    monkeypatch.setattr(language_modeling, "open_corpus", lambda data: lines)
    monkeypatch.setattr(encoded_text, "find_text", lambda data: ("", lambda: lines))
    config = settle(config)
    workload = build_workload(config)
    if task_of(config.model.architecture) == "ngram_counting":
        params, _ = workload.estimate()
        assert math.isfinite(workload.evaluate(params)["perplexity"])
        return
    optimizer = make_optimizer(section(config, "optimizer"), config.training.num_steps)
    params = jax.eval_shape(workload.init_params, jax.random.key(0))
    state = jax.eval_shape(
        lambda params, carry: create_state(
            workload.objective, optimizer, params, carry, jax.random.key(0)
        ),
        params,
        workload.carry,
    )
    batch = workload.batches.batch(0, 0)
    rows = config.data.batch_size
    assert isinstance(workload.batches, StreamBatches | SentenceBatches)
    assert batch.inputs.shape[0] == rows
    if config.data.batching == "stream":
        assert batch.inputs.shape == (rows, config.data.sequence_length)
    loss, (carry, metrics) = jax.eval_shape(
        workload.objective.loss, state.params, state.carry, batch, jax.random.key(0)
    )
    assert (loss.shape, loss.dtype) == ((), jnp.float32)
    assert jax.tree.map(jnp.shape, carry) == jax.tree.map(jnp.shape, workload.carry)
    assert set(metrics) == {"loss_nats", "num_targets", "num_tokens"}
    data = config.data
    tokens = build_vocabulary(
        data.vocabulary, lines["train"], max_size=data.vocabulary_size, min_count=data.min_count
    )
    assert params["embedding"].shape == (len(tokens), config.model.embedding_size)


@pytest.mark.parametrize("path", CONFIG_FILES, ids=lambda path: path.stem)
def test_every_config_says_how_to_run_it(path):
    docstring = path.read_text("utf-8").split('"""')[1]
    assert f"python train.py --config=configs/{path.name}" in docstring
    assert " --workdir=" in docstring


def test_a_released_config_describes_its_corpus_without_the_vectors_of_its_training():
    config = base_config("classifier")
    config.data.word_vectors, config.data.keep_word_vectors = "/home/me/vectors.txt", True
    released = without_paths(config.to_dict())
    assert LabeledDataConfig(**released["data"]) == LabeledDataConfig()


def test_a_value_of_another_kind_is_one_line_however_it_came_in():
    config = base_config("recurrent_lm")
    for value in ({"a": {"b": 1}}, "many", True, (1,) * 1000, 10**400):
        with config.ignore_type():
            config.training.num_steps = value
        with pytest.raises(UserError, match=r"^training\.num_steps is ") as caught:
            configs.check(config)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize("architecture", RECORDS)
def test_every_field_is_set_by_a_config_or_explained_by_a_page(architecture):
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    files = [*CONFIG_FILES, *(ROOT / "experiments").glob("*.py"), *pages]
    words = set(re.findall(r"\w+", "\n".join(path.read_text("utf-8") for path in files)))
    config = base_config(architecture)
    assert {field for section in config.values() for field in section} <= words
