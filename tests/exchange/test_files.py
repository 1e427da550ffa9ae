"""Safetensors files and StableHLO programs give what the checkpoint gives, for every task."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import zoo
from zoo.data.labels import make_labels
from zoo.data.vocabulary import build_vocabulary
from zoo.decoding.translation import TrainedTranslator
from zoo.errors import UserError
from zoo.evaluation.classifying import TrainedClassifier
from zoo.exchange.safetensors_file import StoredModel, read_safetensors, write_safetensors
from zoo.exchange.stablehlo import write_stablehlo
from zoo.models import kneser_ney, registry
from zoo.models.ngram_lm import NGramConfig
from zoo.models.tagger import decode
from zoo.models.trained import TrainedLanguageModel
from zoo.training import checkpoints

LINES = ["a net reads a line", "a line reads"]
VOCABULARY = build_vocabulary("word", LINES)
SOURCE = build_vocabulary("word", ["ein Netz liest", "eine Zeile"])
LABELS = make_labels([["yes"], ["no"]])
SMALL = {"embedding_size": 6, "hidden_sizes": (5,)}
TOKENS = np.random.default_rng(0).integers(0, len(VOCABULARY), (3, 4)).astype(np.int32)
LENGTHS = np.array([4, 1, 3], np.int32)
SOURCES = np.random.default_rng(1).integers(0, len(SOURCE), (3, 5)).astype(np.int32)
SPELLED = np.random.default_rng(2).integers(3, len(VOCABULARY), (3, 4, 4)).astype(np.int32)
SOURCE_LENGTHS = np.array([2, 5, 1], np.int32)

MODELS = {
    "lstm": {"architecture": "recurrent_lm", "learn_initial_state": True, **SMALL},
    "residual": {
        "architecture": "recurrent_lm",
        "cell": "delta_net",
        "block": "residual",
        "convolution_width": 3,
        "embedding_size": 5,
        "hidden_sizes": (5, 5),
    },
    "feedforward": {"architecture": "feedforward_lm", "embedding_size": 4, "hidden_size": 5},
    "ngram": {"architecture": "ngram_lm", "order": 3},
    "classifier": {"architecture": "classifier", "head_size": 4, **SMALL},
    "crf_tagger": {"architecture": "tagger", "max_characters": 4, **SMALL},
    "softmax_tagger": {
        "architecture": "tagger",
        "characters": "none",
        "output": "softmax",
        **SMALL,
    },
    "attention": {"architecture": "encoder_decoder", "embedding_size": 4, "hidden_size": 6},
    "transformer": {
        "architecture": "encoder_decoder",
        "encoder": "transformer",
        "decoder": "transformer",
        "embedding_size": 8,
        "hidden_size": 8,
    },
}
TAGGERS = ("crf_tagger", "softmax_tagger")


def record_of(name):
    """What vocabulary.json holds."""
    own = VOCABULARY.to_json()
    if name == "classifier":
        return {"tokens": own, "labels": LABELS.to_json()}
    if name in ("attention", "transformer"):
        return {"source": SOURCE.to_json(), "target": own}
    if name in TAGGERS:
        spelled = None if name == "softmax_tagger" else VOCABULARY.to_json()
        record = {
            "tags": ["B-x", "I-x", "O"],
            "scheme": "iob2",
            "num_trained_words": len(VOCABULARY),
        }
        return {"words": own, "characters": spelled, **record}
    return own


@partial(jax.jit, static_argnums=(0, 1))
def call(name, model, params):
    """A model's probabilities or logits for the batch of the tests."""
    if name == "classifier":
        logits = model.apply({"params": params}, TOKENS, lengths=LENGTHS).logits
        return jax.nn.softmax(logits)
    if name in ("attention", "transformer"):
        return model.apply({"params": params}, SOURCES, SOURCE_LENGTHS, TOKENS).logits
    if name in TAGGERS:
        characters = None if name == "softmax_tagger" else SPELLED
        output = model.apply({"params": params}, TOKENS, characters, lengths=LENGTHS)
        return decode(output, LENGTHS)[1]
    return model.apply({"params": params}, TOKENS).logits


def shaken_params(name):
    """Random parameters; those of an n-gram model are counted."""
    settings = MODELS[name]
    if name == "ngram":
        stream = np.array([*VOCABULARY.encode(LINES[0]), 2, *VOCABULARY.encode(LINES[1]), 2])
        return kneser_ney.estimate(stream, NGramConfig(order=3), len(VOCABULARY)).params
    arguments, sizes, options = (TOKENS,), {}, {}
    if name == "classifier":
        sizes, options = {"num_labels": 2}, {"lengths": LENGTHS}
    elif name in ("attention", "transformer"):
        sizes = {"source_vocabulary_size": len(SOURCE)}
        arguments = (SOURCES, SOURCE_LENGTHS, TOKENS)
    elif name in TAGGERS:
        sizes = {"num_tags": 3, "num_characters": len(VOCABULARY)}
        arguments, options = (TOKENS, SPELLED), {"lengths": LENGTHS}
    model = registry.build(settings, len(VOCABULARY), **sizes)
    shapes = jax.eval_shape(model.init, jax.random.key(0), *arguments, **options)["params"]
    draw = np.random.default_rng(3).normal
    return jax.tree.map(lambda leaf: jnp.asarray(draw(size=leaf.shape), jnp.float32), shapes)


@pytest.fixture(scope="module", params=MODELS)
def checkpoint(request, tmp_path_factory):
    """A checkpoint of every architecture, and the name of its case."""
    name = request.param
    step = checkpoints.save(
        tmp_path_factory.mktemp(name),
        step=7,
        params=shaken_params(name),
        state={"step": np.int32(7)},
        config={"data": {"directory": "/home/me"}, "model": MODELS[name]},
        vocabulary=record_of(name),
        progress={"best_score": 1.5},
    )
    return SimpleNamespace(case=name, loaded=zoo.load(step))


def test_a_safetensors_file_is_the_whole_checkpoint(checkpoint, tmp_path):
    from zoo.__main__ import main

    path = tmp_path / "model.safetensors"
    before = checkpoint.loaded
    assert main(["export", str(before.directory), str(path)]) == 0
    after = zoo.load(path)
    jax.tree.map(np.testing.assert_array_equal, after.params, before.params)
    assert (after.step, after.progress) == (before.step, before.progress)
    assert after.vocabulary_record == before.vocabulary_record == record_of(checkpoint.case)
    np.testing.assert_array_equal(
        call(checkpoint.case, after.model, after.params),
        call(checkpoint.case, before.model, before.params),
    )
    assert b"/home/me" not in path.read_bytes()


def test_a_program_gives_what_the_model_gives(checkpoint, tmp_path):
    path = tmp_path / "model.stablehlo"
    write_stablehlo(path, checkpoint.loaded)
    described = json.loads((tmp_path / "model.stablehlo.json").read_text())
    assert described["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    program = export.deserialize(path.read_bytes())
    assert program.platforms == ("cpu", "cuda", "tpu")
    known = {
        "tokens": TOKENS,
        "lengths": LENGTHS,
        "sources": SOURCES,
        "source_lengths": SOURCE_LENGTHS,
        "inputs": TOKENS,
        "fresh": np.ones(3, bool),
        "words": TOKENS,
        "characters": SPELLED,
    }
    given = [
        known[name] if name in known else np.zeros((3, *spec["shape"][1:]), spec["dtype"])
        for name, spec in described["inputs"].items()
    ]
    results = program.call(*given)
    assert len(results) == len(described["outputs"])
    expected = call(checkpoint.case, checkpoint.loaded.model, checkpoint.loaded.params)
    answer = dict(zip(described["outputs"], results, strict=True))
    main = answer.get("probabilities", answer.get("logits"))
    np.testing.assert_allclose(main, expected, rtol=1e-5, atol=1e-6)
    if "tags" in answer:
        assert described["tags"] == ["B-x", "I-x", "O"]
        assert (answer["tags"][:, 0] != 1).all() or checkpoint.case == "softmax_tagger"
    if "fresh" in described["inputs"]:  # two calls that hand the carry on are as good as one
        fresh, carry = given[1], given[2:]
        first = program.call(TOKENS[:, :2], fresh, *carry)
        second = program.call(TOKENS[:, 2:], ~fresh, *first[1:])
        np.testing.assert_allclose(second[0], expected[:, 2:], rtol=1e-5, atol=1e-6)


def test_a_program_runs_without_this_package(tmp_path):
    model = registry.build(MODELS["lstm"], len(VOCABULARY))
    params = shaken_params("lstm")
    path = tmp_path / "model.stablehlo"
    write_stablehlo(path, TrainedLanguageModel(model=model, params=params, vocabulary=VOCABULARY))
    script = (
        "import sys, json, numpy, jax.export\n"
        "program = jax.export.deserialize(open(sys.argv[1], 'rb').read())\n"
        "tokens, carry = numpy.ones((2, 1), numpy.int32), numpy.zeros((2, 5), numpy.float32)\n"
        "logits = program.call(tokens, numpy.ones(2, bool), carry, carry)[0]\n"
        "assert 'zoo' not in sys.modules\n"
        "print(json.dumps(logits[0, 0].tolist()))"
    )
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    expected = jax.jit(model.apply)({"params": params}, np.ones((2, 1), np.int32)).logits[0, 0]
    np.testing.assert_allclose(json.loads(done.stdout), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("cell", ["min_gru", "linear_attention", "slstm"])
def test_a_program_takes_any_number_of_steps_of_cells_that_are_faster_with_a_known_one(
    cell, tmp_path
):
    """Every cell is tried by tests/test_every_cell_is_used.py."""
    model = registry.build({**MODELS["lstm"], "cell": cell}, len(VOCABULARY))
    params = jax.jit(model.init)(jax.random.key(0), TOKENS)["params"]
    path = tmp_path / "model.stablehlo"
    write_stablehlo(path, TrainedLanguageModel(model=model, params=params, vocabulary=VOCABULARY))
    program = export.deserialize(path.read_bytes())
    carry = jax.tree.leaves(model.zero_carry(len(TOKENS)))
    found = program.call(TOKENS, np.ones(len(TOKENS), bool), *carry)[0]
    expected = jax.jit(model.apply)({"params": params}, TOKENS).logits
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_file_of_weights_alone_is_refused(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "weights.safetensors"
    save_file({"weight": np.ones(2)}, path)
    with pytest.raises(UserError, match="has arrays but no model of this zoo"):
        zoo.load(path)
    save_file({"weight": np.ones(2)}, path, {"zoo": '{"step": 1}'})
    with pytest.raises(UserError, match=r"is damaged: .*missing 4 required"):
        read_safetensors(path)


def test_a_record_nested_too_deep_is_refused(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "deep.safetensors"
    save_file({"weight": np.ones(2)}, path, {"zoo": "[" * 100_000})
    with pytest.raises(UserError, match="is damaged: maximum recursion depth"):
        read_safetensors(path)


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, StoredModel(1, {"a": {"b": np.ones(3)}}, {}, {}, {}))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match=r"cannot read .*write it again with zoo export"):
        zoo.load(path)


@pytest.mark.parametrize("name", ["model.safetensors", "model.stablehlo"])
def test_a_place_that_is_not_there_is_told(checkpoint, tmp_path, name, capsys):
    from zoo.__main__ import main

    path = tmp_path / "missing" / name
    assert main(["export", str(checkpoint.loaded.directory), str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: cannot write {tmp_path / 'missing'}")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_program_of_several_labels_gives_each_its_own_probability(tmp_path):
    model = registry.build(MODELS["classifier"], len(VOCABULARY), num_labels=len(LABELS))
    several = TrainedClassifier(
        model=model,
        params=shaken_params("classifier"),
        vocabulary=VOCABULARY,
        labels=dataclasses.replace(LABELS, multiple=True),
        thresholds=np.array([0.2, 0.7]),
    )
    path = tmp_path / "model.stablehlo"
    write_stablehlo(path, several)
    described = json.loads((tmp_path / "model.stablehlo.json").read_text())
    assert described["thresholds"] == [0.2, 0.7]
    (found,) = export.deserialize(path.read_bytes()).call(TOKENS, LENGTHS)
    logits = jax.jit(model.apply)({"params": several.params}, TOKENS, lengths=LENGTHS).logits
    np.testing.assert_allclose(found, jax.nn.sigmoid(logits), rtol=1e-5, atol=1e-6)


def test_a_program_says_whether_sources_are_lower_cased(tmp_path):
    sizes = {"source_vocabulary_size": len(SOURCE)}
    for lowercase in (False, True):
        translator = TrainedTranslator(
            model=registry.build(MODELS["attention"], len(VOCABULARY), **sizes),
            params=shaken_params("attention"),
            vocabulary=VOCABULARY,
            source_vocabulary=SOURCE,
            lowercase=lowercase,
        )
        write_stablehlo(tmp_path / "model.stablehlo", translator)
        described = json.loads((tmp_path / "model.stablehlo.json").read_text())
        assert described["lowercase"] is lowercase
