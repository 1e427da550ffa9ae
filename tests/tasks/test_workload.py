"""A config's data, model and ways of scoring reach the workload that is trained."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_run import tiny_config

from zoo.data.batching import SentenceBatches
from zoo.data.streams import StreamBatches
from zoo.errors import UserError
from zoo.models.registry import ARCHITECTURES, task_of
from zoo.special_tokens import END_ID, START_ID
from zoo.tasks.registry import build_workload
from zoo.training.config import base_config

KEY = jax.random.key(0)


def first_batch(workload):
    return workload.batches.batch(0, 0)


def test_a_workload_is_the_model_on_the_training_part(corpus):
    workload = build_workload(tiny_config(corpus))
    text = corpus.read_text()
    train = text[: int(0.9 * len(text))]
    assert isinstance(workload.batches, StreamBatches)
    tokens = workload.vocabulary["tokens"]
    assert sorted(tokens[3:]) == sorted(set(train) - {"\n"})
    params = workload.init_params(KEY)
    assert params["embedding"].shape == (len(tokens), 6)
    assert [state.shape for state in jax.tree.leaves(workload.carry)] == [(4, 5)]
    uniform = jax.tree.map(jnp.zeros_like, params)
    scores = workload.evaluate(uniform)
    assert scores["perplexity"] == pytest.approx(len(tokens), rel=1e-5)
    assert scores[workload.criterion] == pytest.approx(math.log(len(tokens)), rel=1e-5)
    assert scores["bits_per_character"] == pytest.approx(math.log2(len(tokens)), rel=1e-5)
    assert f"perplexity {scores['perplexity']:.2f}, " in workload.describe(scores)


def test_the_way_of_scoring_is_that_of_the_config(corpus):
    params, nats = None, {}
    for mode, num_streams in (("stream", 1), ("stream", 3), ("sentence", 1)):
        workload = build_workload(
            tiny_config(corpus, evaluation__mode=mode, evaluation__num_streams=num_streams)
        )
        if params is None:
            params = jax.tree.map(lambda array: 3 * array, workload.init_params(KEY))
        nats[mode, num_streams] = workload.evaluate(params)["nats_per_token"]
    assert len(set(nats.values())) == 3


def test_reset_at_sentences_is_that_of_the_config(corpus):
    for reset in (False, True):
        config = tiny_config(corpus, training__reset_at_sentences=reset)
        assert build_workload(config).objective.reset_at_sentences is reset


def test_the_sample_has_as_many_tokens_as_asked_and_follows_the_seed(corpus):
    workload = build_workload(tiny_config(corpus, evaluation__sample_tokens=30))
    params = workload.init_params(KEY)
    assert len(workload.sample(params, 0)) == 30
    assert workload.sample(params, 0) == workload.sample(params, 0) != workload.sample(params, 1)
    assert build_workload(tiny_config(corpus)).sample(params, 0) == ""


def shapes(workload):
    batches = workload.batches
    indices = range(batches.batches_per_epoch)
    return [batches.batch(0, index).inputs.shape for index in indices]


# data.* -> one change, what it is seen beside, and what it changes.
DATA_CHANGES = {
    "vocabulary": ("word", {}, lambda w: w.vocabulary["tokens"]),
    "vocabulary_size": (10, {}, lambda w: len(w.vocabulary["tokens"])),
    "min_count": (60, {}, lambda w: len(w.vocabulary["tokens"])),
    "fractions": ((0.5, 0.25, 0.25), {}, lambda w: w.batches.batches_per_epoch),
    "batching": ("sentence", {}, lambda w: type(w.batches)),
    "batch_size": (3, {}, lambda w: (first_batch(w).inputs.shape, w.carry[0][0].shape)),
    "sequence_length": (5, {}, lambda w: first_batch(w).inputs.shape),
    "random_offset": (False, {}, lambda w: first_batch(w).inputs.tolist()),
    "random_length": (True, {}, shapes),
    "bucket_lengths": ((7,), {"data.batching": "sentence"}, shapes),
}


@pytest.mark.parametrize("field", DATA_CHANGES)
def test_every_setting_of_the_data_reaches_the_workload(corpus, field):
    value, beside, observe = DATA_CHANGES[field]
    before = observe(build_workload(tiny_config(corpus, **beside)))
    after = observe(build_workload(tiny_config(corpus, **beside, **{f"data.{field}": value})))
    assert before != after


def test_the_corpus_the_directory_and_the_cache_are_those_that_were_named(corpus, tmp_path):
    fields = set(tiny_config(corpus).data.keys())
    elsewhere = {"corpus", "directory", "cache_directory", "word_vectors"}  # here; training/
    assert fields == DATA_CHANGES.keys() | elsewhere
    with pytest.raises(UserError, match=r"ptb\.train\.txt is missing"):
        build_workload(
            tiny_config(corpus, data__corpus="penn_treebank", data__directory=str(tmp_path))
        )
    (tmp_path / "other.txt").write_text("xyz " * 200 + "\n")
    other = tiny_config(
        corpus,
        data__directory=str(tmp_path / "other.txt"),
        data__cache_directory=str(tmp_path / "cache"),
    )
    assert set(build_workload(other).vocabulary["tokens"][3:]) == set("xyz ")
    assert list((tmp_path / "cache").iterdir())


def test_sentence_batches_hold_whole_sentences(corpus):
    config = tiny_config(corpus, data__batching="sentence", data__bucket_lengths=(20, 32, 48))
    workload = build_workload(config)
    assert isinstance(workload.batches, SentenceBatches)
    batch = first_batch(workload)
    assert batch.fresh.all()
    assert (batch.inputs[:, 0] == START_ID).all()
    assert (batch.targets[np.arange(4), batch.lengths - 1] == END_ID).all()


# Each field of model.* -> one change, and what it is seen beside. What each of them means is
# tested with the model; here, that it gets there.
RECURRENT_CHANGES = {
    "cell": ("gru", {}),
    "embedding_size": (5, {}),
    "hidden_sizes": ((5, 5), {}),
    "block": ("residual", {"model.embedding_size": 5}),
    "convolution_width": (4, {"model.embedding_size": 5, "model.block": "residual"}),
    "tie_embeddings": (True, {"model.embedding_size": 5}),
    "learn_initial_state": (True, {}),
    "truncation": (3, {}),
    "embedding_dropout_rate": (0.5, {}),
    "layer_dropout_rate": (0.5, {"model.hidden_sizes": (5, 5)}),
    "output_dropout_rate": (0.5, {}),
    "word_dropout_rate": (0.5, {}),
    "weight_dropout_rate": (0.5, {}),
    "activation_penalty": (2.0, {}),
    "temporal_penalty": (1.0, {}),
    "dropout_shares_steps": (True, {}),
    "init_scale": (0.3, {}),
    "forget_bias": (2.0, {"model.cell": "lstm"}),
    "matmul_dtype": ("bfloat16", {}),
}
FEEDFORWARD_CHANGES = {
    "window": (2, {}),
    "embedding_size": (5, {}),
    "hidden_size": (5, {}),
    "activation": ("relu", {}),
    "direct_connections": (True, {}),
    "embedding_dropout_rate": (0.5, {}),
    "hidden_dropout_rate": (0.5, {}),
    "init_scale": (0.3, {}),
}
NGRAM_CHANGES = {
    "order": (2, {}),
    "estimator": ("maximum_likelihood", {}),
    "min_counts": ((1, 2), {}),
}


def other_architecture(name):
    """The tiny config with the model of another architecture."""

    def config(corpus, **more):
        config = tiny_config(corpus)
        sections = base_config(name)
        for section in set(sections) - {"model"}:
            for field in sections[section]:
                sections[section][field] = config[section][field]
        sections.update_from_flattened_dict(more)
        return sections

    return config


MODEL_CHANGES = {
    "recurrent_lm": (tiny_config, RECURRENT_CHANGES),
    "feedforward_lm": (other_architecture("feedforward_lm"), FEEDFORWARD_CHANGES),
    "ngram_lm": (other_architecture("ngram_lm"), NGRAM_CHANGES),
}


def programs(config):
    """What makes the parameters and what makes the gradient of the loss, traced; or counted."""
    workload = build_workload(config)
    if task_of(config.model.architecture) == "ngram_counting":
        return str(workload.estimate())
    gradient = jax.grad(workload.objective.loss, has_aux=True)
    params = jax.eval_shape(workload.init_params, KEY)
    batch = jax.tree.map(jnp.asarray, first_batch(workload))
    start = jax.make_jaxpr(workload.init_params)(KEY)
    return str(start), str(jax.make_jaxpr(gradient)(params, workload.carry, batch, KEY))


def test_every_architecture_has_its_changes():
    # test_classification.py, test_tagger.py, test_translation.py and test_encoder_decoder.py
    tasks = ("classification", "tagging", "translation")
    elsewhere = {name for name in ARCHITECTURES if task_of(name) in tasks}
    assert MODEL_CHANGES.keys() | elsewhere == ARCHITECTURES.keys()


@pytest.mark.parametrize("name", MODEL_CHANGES)
def test_every_setting_of_the_model_changes_a_program(corpus, monkeypatch, name):
    make, changes = MODEL_CHANGES[name]
    assert set(make(corpus).model.keys()) == changes.keys() | {"architecture"}
    lines = {"train": ["abcabc", "cab"] * 9, "validation": ["abc"], "test": ["abc"]}
    monkeypatch.setattr("zoo.tasks.encoded_text.find_text", lambda data: ("", lambda: lines))
    unchanged = programs(make(corpus))
    assert programs(make(corpus)) == unchanged
    for field, (value, beside) in changes.items():
        before = programs(make(corpus, **beside)) if beside else unchanged
        after = programs(make(corpus, **beside, **{f"model.{field}": value}))
        assert before != after, field


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("data__batching", "sentense", "data.batching is 'sentense'; use stream or sentence"),
        ("data__vocabulary", "wrod", "did you mean word?"),
        ("data__batch_size", 100000, "data.batch_size="),
        ("data__batch_size", 0, "batch_size is 0"),
        ("model__cell", "lstn", "model.cell is 'lstn'; choose one of"),
    ],
)
def test_a_bad_setting_is_one_line(corpus, field, value, message):
    with pytest.raises(UserError) as caught:
        build_workload(tiny_config(corpus, **{field: value}))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
