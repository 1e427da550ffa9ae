"""Checkpoints by name and by path, and what is said where there is none."""

import functools
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jax
import numpy as np
import pytest

from zoo import soundness
from zoo.data.vocabulary import CharacterVocabulary, build_vocabulary
from zoo.errors import UserError
from zoo.hub import describe, list_checkpoints, load
from zoo.models import registry
from zoo.training import checkpoints
from zoo.training.release import release as release_step

ROOT = Path(__file__).parents[1]
LINES = ["small nets learn", "large nets learn too"]
CONFIG = {
    "data": {"corpus": "text_file"},
    "model": {
        "architecture": "recurrent_lm",
        "cell": "gru",
        "embedding_size": 4,
        "hidden_sizes": [5, 6],
    },
}


@functools.cache
def small_model():
    """Vocabulary, model and parameters, the same for all tests."""
    vocabulary = build_vocabulary(kind="character", lines=LINES)
    model = registry.build(CONFIG["model"], len(vocabulary))
    params = jax.jit(model.init)(jax.random.key(0), np.ones((1, 1), np.int32))["params"]
    return vocabulary, model, params


def save(workdir, step, **changes):
    """One step of a run of the small model."""
    vocabulary, _, params = small_model()
    records = {
        "config": CONFIG,
        "vocabulary": vocabulary.to_json(),
        "progress": {"best_step": None},
        **changes,
    }
    state = {"step": np.int32(step)}
    return Path(checkpoints.save(workdir, step=step, params=params, state=state, **records))


def release(root, name, step, card=None):
    """Put a step under a name into a directory of released checkpoints."""
    directory = root / name
    shutil.move(save(root / "run", step), directory)
    shutil.rmtree(root / "run")
    if card:
        (directory / "card.md").write_text(card)
    return directory


@pytest.fixture
def released(tmp_path, monkeypatch):
    root = tmp_path / "released"
    monkeypatch.setenv("ZOO_CHECKPOINTS", str(root))
    release(root, "small_gru", 3, "# A small GRU: 5.2 perplexity\n\nMore of it.\n")
    release(root, "other", 4)
    return root


def error_of(name):
    with pytest.raises(UserError) as caught:
        load(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["run", "run[1]", "a b/run*"])
def test_a_path_may_be_relative(tmp_path, monkeypatch, name):
    directory = save(tmp_path / name, 7)
    whole = load(directory).params
    for place, path in ((directory, "."), (directory.parent, "7"), (tmp_path, directory)):
        monkeypatch.chdir(place)
        found = load(os.path.relpath(path, place) if path == directory else path)
        jax.tree.map(np.testing.assert_array_equal, found.params, whole)


def test_a_step_has_all_that_is_needed_to_use_the_model(tmp_path):
    directory = save(tmp_path, 7, progress={"metrics": {"perplexity": 5.25}})
    checkpoint = load(directory)
    assert (checkpoint.step, checkpoint.name) == (7, str(directory))
    assert Path(checkpoint.directory) == directory
    assert checkpoint.config == CONFIG
    assert checkpoint.progress == {"metrics": {"perplexity": 5.25}}
    assert isinstance(checkpoint.vocabulary, CharacterVocabulary)
    tokens = np.asarray([checkpoint.vocabulary.encode("nets learn")], np.int32)
    assert checkpoint.vocabulary.decode(tokens[0]) == "nets learn"
    _, model, params = small_model()
    assert checkpoint.model == model
    actual = jax.jit(checkpoint.model.apply)({"params": checkpoint.params}, tokens)
    expected = jax.jit(model.apply)({"params": params}, tokens)
    np.testing.assert_array_equal(actual.logits, expected.logits)


@pytest.mark.parametrize(
    ("best_step", "loaded"), [(None, 30), (30, 30), (10, 10), (20, 30), (15, 30)]
)
def test_a_run_is_its_best_sound_step(tmp_path, best_step, loaded, caplog):
    for step in (10, 20, 30):
        save(tmp_path, step, progress={"best_step": best_step})
    (tmp_path / "checkpoints/20/config.json").unlink()
    with caplog.at_level(logging.WARNING):
        assert load(tmp_path).step == loaded
    assert len(caplog.messages) == (best_step in (15, 20))


def test_a_damaged_newest_step_of_a_run_is_skipped_and_left_where_it_is(tmp_path, caplog):
    save(tmp_path, 10)
    (save(tmp_path, 20) / "vocabulary.json").unlink()
    assert load(str(tmp_path)).step == 10
    assert "checkpoints/20 is damaged: vocabulary.json is missing" in caplog.text
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["10", "20"]


@pytest.mark.parametrize(
    ("module", "reader"),
    [
        (checkpoints, "verify"),
        (soundness, "read_record"),
        (soundness, "stored_tree"),
        (soundness, "read_whole"),
    ],
)
def test_a_step_that_its_run_deletes_meanwhile_is_passed_over(
    tmp_path, monkeypatch, caplog, module, reader
):
    read = getattr(module, reader)

    def save_and_read(*arguments):
        if (tmp_path / "checkpoints/20").exists():
            save(tmp_path, 30)
            shutil.rmtree(tmp_path / "checkpoints/20")
        return read(*arguments)

    for work in (load, describe):
        save(tmp_path, 10)
        save(tmp_path, 20)
        with monkeypatch.context() as patched:
            patched.setattr(module, reader, save_and_read)
            found = work(tmp_path)
        assert work is describe or found.step == 30
        shutil.rmtree(tmp_path / "checkpoints")
    assert caplog.messages == []


def test_a_step_that_is_never_whole_is_told_after_three_tries(tmp_path, monkeypatch):
    tries = []

    def save_and_fail(*arguments):
        save(tmp_path, 20 + len(tries))
        tries.append(arguments)
        raise OSError("gone")

    save(tmp_path, 10)
    monkeypatch.setattr(soundness, "open_step", save_and_fail)
    with pytest.raises(OSError, match="gone"):
        load(tmp_path)
    assert len(tries) == 3


def test_released_checkpoints_are_listed_and_loaded_by_name(released):
    listed = {record.name: record for record in list_checkpoints()}
    assert list(listed) == sorted(listed)
    assert listed["small_gru"].summary == "A small GRU: 5.2 perplexity"
    assert listed["other"].summary == ""
    assert Path(listed["other"].directory) == released / "other"
    assert [load(name).step for name in ("small_gru", "other")] == [3, 4]


def test_the_first_of_several_released_directories_wins(released, tmp_path, monkeypatch):
    release(tmp_path / "second", "other", 9)
    release(tmp_path / "second", "third", 9)
    roots = [str(released), "", str(tmp_path / "absent"), str(tmp_path / "second")]
    monkeypatch.setenv("ZOO_CHECKPOINTS", os.pathsep.join(roots))
    assert load("other").step == 4
    assert load("third").step == 9


def test_an_unknown_name_is_answered_with_near_ones(released):
    assert re.match(
        r"there is no checkpoint 'smal_gru'; released: small_gru;", error_of("smal_gru")
    )
    assert re.search(r"released: .*other, .*small_gru", error_of("zzzzz"))


def test_a_damaged_released_checkpoint_is_told(released):
    (released / "other/checksums.json").unlink()
    assert "other is damaged: checksums.json is missing" in error_of("other")


def test_nothing_is_loaded_from_a_run_whose_steps_are_all_damaged(tmp_path):
    (tmp_path / "checkpoints/5").mkdir(parents=True)
    error = error_of(tmp_path)
    assert f"{tmp_path} has no sound checkpoint" in error
    assert "checkpoints/5 is damaged: checksums.json is missing" in error


def test_files_and_wrong_steps_are_told_apart(tmp_path):
    for name in ("a.csv", "x.stablehlo"):
        (tmp_path / name).write_text("any")
        assert f"{name} is a file, but its name ends with neither .saf" in error_of(tmp_path / name)
    assert error_of(tmp_path / "x.stablehlo").endswith("A .stablehlo file runs with jax alone.")
    for step in (75, 200):
        (tmp_path / "checkpoints" / str(step)).mkdir(parents=True)
    assert error_of(tmp_path / "checkpoints/76") == (
        f"{tmp_path} has no step 76; it has 75, 200; or give {tmp_path}"
    )
    (tmp_path / "none/checkpoints").mkdir(parents=True)
    assert "there is no checkpoint" in error_of(tmp_path / "none/checkpoints/3")
    assert "the name of the checkpoint is empty; give its name" in error_of("")


def test_the_directory_of_the_steps_names_its_run(tmp_path):
    save(tmp_path, 3)
    error = error_of(tmp_path / "checkpoints")
    assert error == f"{tmp_path / 'checkpoints'} has the steps of a run; give the run, {tmp_path}"


def test_directories_without_a_checkpoint_are_told_apart(tmp_path):
    assert f"{tmp_path} is no checkpoint" in error_of(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "checkpoints/.5.incomplete").mkdir(parents=True)
    assert f"{tmp_path} has no complete checkpoint yet" in error_of(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"), [("gates", 5), ("architecture", "liquid_lm"), ("cell", "liquid")]
)
def test_a_model_from_a_newer_version_is_told(tmp_path, field, value):
    config = {**CONFIG, "model": {**CONFIG["model"], field: value}}
    error = error_of(save(tmp_path, 1, config=config))
    assert (field if field == "gates" else value) in error
    assert "pip install --upgrade recurrent-zoo" in error


def test_a_changed_byte_is_noticed_before_anything_is_built(tmp_path):
    directory = save(tmp_path, 1)
    config = json.loads((directory / "config.json").read_text())
    config["model"]["cell"] = "lstm"
    (directory / "config.json").write_text(json.dumps(config))
    assert "config.json differs from its checksum" in error_of(directory)


@pytest.mark.skipif(find_spec("gcsfs") is not None, reason="would ask the network")
def test_remote_storage_without_its_package_is_told():
    assert "gcsfs" in error_of("gs://bucket/run")


def test_listing_imports_no_jax_and_loading_no_tensorflow_datasets(released):
    program = """
import sys
from zoo import hub
assert "small_gru" in [record.name for record in hub.list_checkpoints()]
assert "jax" not in sys.modules
hub.load("small_gru")
assert "tensorflow_datasets" not in sys.modules
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


def test_a_release_has_no_paths_and_no_optimizer_and_half_the_size(tmp_path):
    config = {**CONFIG, "data": {"corpus": "text_file", "directory": "/my/texts"}}
    step = save(tmp_path / "run", 3, config=config)
    place = release_step(step, tmp_path / "whole")
    half = release_step(step, tmp_path / "half", precision="half")
    assert load(place).config["data"] == {"corpus": "text_file", "directory": ""}
    assert not (place / "state").exists()
    _, _, params = small_model()
    for found, rtol in ((load(place), 0), (load(half), 1e-3)):
        assert found.step == 3
        jax.tree.map(
            lambda a, b, rtol=rtol: np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol / 1e3),
            found.params,
            params,
        )
        assert {leaf.dtype.name for leaf in jax.tree.leaves(found.params)} == {"float32"}
    stored = checkpoints.restore(half).params
    assert {leaf.dtype.name for leaf in jax.tree.leaves(stored)} == {"float16"}
    with pytest.raises(UserError, match="exists already; name a new directory"):
        release_step(step, place)


def test_a_parameter_beyond_half_precision_is_told(tmp_path):
    directory = checkpoints.save(
        tmp_path / "run",
        step=1,
        params={"bias": np.array([1e6], np.float32)},
        state={"step": np.int32(1)},
        config=CONFIG,
        vocabulary={},
        progress={},
    )
    with pytest.raises(UserError, match="parameter bias has values too large for 16 bits"):
        release_step(directory, tmp_path / "half", precision="half")
    assert not (tmp_path / "half").exists()


def test_a_description_is_what_is_loaded_without_the_arrays(tmp_path):
    save(tmp_path / "run", 3)
    described, loaded = describe(tmp_path / "run"), load(tmp_path / "run")
    assert described == {"config": loaded.config, "vocabulary": loaded.vocabulary_record}
    with pytest.raises(UserError, match="there is no checkpoint 'nothing'"):
        describe("nothing")


@pytest.mark.parametrize("given", [5, None, b"x", [], ["python_docs_lstm"]])
def test_what_is_neither_a_name_nor_a_path_is_told(given):
    with pytest.raises(TypeError, match=r"^the checkpoint is .*; give its name, or its path$"):
        load(given)
