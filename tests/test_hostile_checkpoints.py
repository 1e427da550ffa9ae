"""Checkpoints that somebody else made: sound sums and hostile content, and nothing runs."""

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_checkpoints

import zoo
from zoo.__main__ import main
from zoo.errors import UserError
from zoo.training import arrays, checkpoints, step_files


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One step's directory of every task, by name."""
    root = tmp_path_factory.mktemp("sound")
    found = {}
    for name in ("lstm", "counts", "topics", "german"):
        run = tiny_checkpoints.save(root, name)
        found[name] = Path(checkpoints.step_directory(run, checkpoints.steps(run)[-1]))
    return found


def rewritten(directory: Path, target: Path) -> Path:
    """A copy to be changed."""
    shutil.copytree(directory, target)
    return target


def seal(directory: Path) -> Path:
    """Makes the sums agree with whatever the files now hold."""
    step_files.write_sums(checkpoints.epath.Path(directory))
    return directory


def refusal(directory: Path) -> str:
    """The one line with which a checkpoint is refused."""
    with pytest.raises(UserError) as told:
        zoo.load(directory)
    message = str(told.value)
    assert "\n" not in message
    return message


def test_a_model_of_more_layers_than_arrays_is_refused_at_once(
    sound: dict[str, Path], tmp_path: Path
) -> None:
    cases = {"lstm": {"hidden_sizes": [5] * 10**6}, "german": {"num_layers": 10**9}}
    for name, fields in cases.items():
        directory = rewritten(sound[name], tmp_path / name)
        config = json.loads((directory / "config.json").read_text())
        config["model"] |= fields
        (directory / "config.json").write_text(json.dumps(config))
        assert re.search(r"its config has 10+ layers, but it has \d+ ", refusal(seal(directory)))


def test_a_name_of_a_million_letters_is_told_without_its_middle(
    sound: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = rewritten(sound["lstm"], tmp_path / "step")
    config = json.loads((directory / "config.json").read_text())
    config["data"] = {"corpus": "x" * 10**6}
    (directory / "config.json").write_text(json.dumps(config))
    assert main(["evaluate", str(seal(directory))]) == 2
    err = capsys.readouterr().err
    assert (err.count("\n"), len(err)) == (1, 2000 + len("error: \n"))
    assert err.startswith("error: corpus 'xxx")


RECORDS: list[bytes] = [
    b"",
    b"[]",
    b"null",
    b"3",
    b'"text"',
    b"{}",
    b"{",
    b"\xff\xfe",
    b"[" * 100_000,
]


@pytest.mark.parametrize("name", ["lstm", "counts", "topics", "german"])
@pytest.mark.parametrize("file", ["config.json", "vocabulary.json", "progress.json"])
def test_records_of_the_wrong_form_are_refused_in_one_line(sound, tmp_path, name, file):
    for number, content in enumerate(RECORDS):
        directory = rewritten(sound[name], tmp_path / str(number))
        (directory / file).write_bytes(content)
        refusal(seal(directory))


def leaves_of(record: Any, path: tuple = ()) -> list[tuple]:
    """The path of every value of a JSON record."""
    if isinstance(record, dict):
        return [path, *(leaf for key in record for leaf in leaves_of(record[key], (*path, key)))]
    return [path]


ANYTHING = (None, -1, 10**20, 1e308, "x", [], {}, [[]], True)


@pytest.mark.parametrize("name", ["lstm", "counts", "topics", "german"])
@pytest.mark.parametrize("most", [8, pytest.param(10_000, marks=pytest.mark.slow)])
def test_any_value_of_a_config_may_be_anything(sound, tmp_path, name, most):
    """What still loads may load; what does not is refused in one line."""
    config = json.loads((sound[name] / "config.json").read_text())
    cases = [(path, value) for path in leaves_of(config) for value in ANYTHING]
    chosen = np.random.default_rng(0).permutation(len(cases))[:most]
    for path, value in (cases[index] for index in chosen):
        changed = json.loads(json.dumps(config))
        place = changed
        for key in path[:-1]:
            place = place[key]
        if path:
            place[path[-1]] = value
        directory = rewritten(sound[name], tmp_path / "changed")
        (directory / "config.json").write_text(json.dumps(changed if path else value))
        told = ""
        try:
            zoo.load(seal(directory))
        except UserError as error:
            told = str(error)
        assert "\n" not in told, (path, value)
        shutil.rmtree(directory)


def test_parameters_of_another_model_are_refused_before_they_are_read(sound, tmp_path, monkeypatch):
    directory = rewritten(sound["lstm"], tmp_path / "other")
    shutil.rmtree(directory / "params")
    shutil.copytree(sound["topics"] / "params", directory / "params")
    monkeypatch.setattr("zoo.soundness.read_whole", pytest.fail)
    assert "its parameters do not fit its config: [" in refusal(seal(directory))


def with_params(directory: Path, target: Path, change: Any) -> Path:
    """A copy with parameters that `change` made of its own."""
    copy = rewritten(directory, target)
    params = checkpoints.restore(directory).params
    shutil.rmtree(copy / "params")
    arrays.write_arrays(checkpoints.epath.Path(copy / "params"), change(params))
    return seal(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {**p, "embedding": p["embedding"] * np.nan}, r"\['embedding'\].*NaN"),
        (lambda p: {**p, "output_bias": p["output_bias"] + np.inf}, "infinite"),
        (lambda p: {**p, "embedding": p["embedding"].astype(np.complex64)}, "complex64, not float"),
        (lambda p: {**p, "embedding": p["embedding"].astype(np.int32)}, "int32, not float32"),
        (lambda p: {**p, "embedding": p["embedding"][:-1]}, r"\['embedding'\] is \(\d+, 6\) there"),
        (lambda p: {**p, "more": np.ones(2)}, r"\['more'\] is \(2,\) there and absent here"),
        (lambda p: {"embedding": p["embedding"]}, "is absent there"),
    ],
)
def test_parameters_that_do_not_hold_are_refused(sound, tmp_path, change, message):
    import re

    told = refusal(with_params(sound["lstm"], tmp_path / "changed", change))
    assert re.search(message, told), told


def test_arrays_far_larger_than_their_files_are_refused_before_they_are_made(sound, tmp_path):
    """Zeros take no room on the disk when they are compressed."""
    import orbax.checkpoint as ocp

    directory = rewritten(sound["lstm"], tmp_path / "large")
    shutil.rmtree(directory / "params")
    zeros = {"embedding": np.zeros((2**13, 2**12), np.float32)}
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_compression=True)) as checkpointer:
        checkpointer.save(directory / "params", zeros)
    assert "its arrays would take 134 MB of memory, but its files have" in refusal(seal(directory))


@pytest.mark.parametrize("place", ["params/checkpoint", "params/more/file", "state/checkpoint"])
def test_a_file_among_the_arrays_that_no_sum_covers_is_damage(sound, tmp_path, place):
    directory = rewritten(sound["lstm"], tmp_path / "more")
    (directory / place).parent.mkdir(exist_ok=True)
    (directory / place).write_bytes(b"\x80")
    assert f"{place} is not listed in checksums.json" in refusal(directory)


def test_what_is_no_regular_file_is_damage(sound, tmp_path):
    directory = rewritten(sound["lstm"], tmp_path / "pipe")
    (directory / "config.json").unlink()
    os.mkfifo(directory / "config.json")
    assert "config.json is not a regular file" in refusal(directory)


def foreign_dataset(root: Path, name: str) -> Path:
    """A TFDS dataset whose features name a class of a module that writes a file when imported."""
    dataset = root / "ds" / "1.0.0"
    dataset.mkdir(parents=True)
    (root / "evil.py").write_text(f"open({str(root / 'ran')!r}, 'w')\n")
    info = {"name": "ds", "version": "1.0.0", "fileFormat": "array_record", "splits": []}
    (dataset / "dataset_info.json").write_text(json.dumps(info))
    features = {name: "evil.Feature", "featuresDict": {"features": {}}, "content": {}}
    (dataset / "features.json").write_text(json.dumps(features))
    return root


@pytest.mark.parametrize("key", ["pythonClassName", "python_class_name", "type"])
@pytest.mark.parametrize("command", ["evaluate", "diagnose"])
def test_no_dataset_decides_what_is_imported(sound, tmp_path, capsys, monkeypatch, command, key):
    root = foreign_dataset(tmp_path / "data", key)
    monkeypatch.chdir(root)
    monkeypatch.syspath_prepend(str(root))
    directory = rewritten(sound["lstm"], tmp_path / "hostile")
    config = json.loads((directory / "config.json").read_text())
    config["data"] = {"corpus": "tfds:ds", "directory": str(root)}
    (directory / "config.json").write_text(json.dumps(config))
    seal(directory)
    assert main([command, str(directory)]) == 2
    assert "a path from a checkpoint is not followed" in capsys.readouterr().err
    assert main([command, str(directory), f"--data_directory={root}"]) == 2
    assert "'evil.Feature', which is not a feature of TFDS" in capsys.readouterr().err
    assert not (root / "ran").exists()
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    "flags",
    ["--picture=/tmp/x.svg", "--help", "--text=/etc/passwd", "--split=test;x", "x", "--json"],
)
def test_a_card_can_ask_for_scores_only(sound, tmp_path, capsys, monkeypatch, flags):
    directory = rewritten(sound["lstm"], tmp_path / "released" / "mine")
    card = json.loads((Path(__file__).parents[1] / "checkpoints/trec/card.json").read_text())
    card["scores"] = [{"measure": "perplexity", "flags": flags, "value": 1.0, "spread": 0.1}]
    (directory / "card.json").write_text(json.dumps(card))
    seal(directory)
    monkeypatch.setenv("ZOO_CHECKPOINTS", str(tmp_path / "released"))
    assert main(["verify", "mine"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"asks for {flags.split()[0]!r}" in err


def test_a_damaged_card_concerns_its_checkpoint_alone(sound, tmp_path, capsys, monkeypatch):
    directory = rewritten(sound["lstm"], tmp_path / "released" / "mine")
    (directory / "card.md").write_bytes(b"# A \xff card")
    (directory / "card.json").write_bytes(b"{\xff")
    monkeypatch.setenv("ZOO_CHECKPOINTS", str(tmp_path / "released"))
    assert main(["list"]) == 0
    assert "mine" in capsys.readouterr().out
    assert main(["verify", "mine"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_control_characters_of_a_vocabulary_are_shown_not_obeyed(tmp_path, capsys):
    run = tiny_checkpoints.save(tmp_path, "lstm")
    step = Path(checkpoints.step_directory(run, checkpoints.steps(run)[-1]))
    path = step / "vocabulary.json"
    record = json.loads(path.read_text())
    record["tokens"] = [*record["tokens"][:3], *("\x1b[2J\x9b\u202e" for _ in record["tokens"][3:])]
    record["tokens"] = [f"{t}{i}" if i > 2 else t for i, t in enumerate(record["tokens"])]
    path.write_text(json.dumps(record))
    seal(step)
    assert main(["generate", str(run), "--max_tokens=4", "--seed=1"]) == 0
    out = capsys.readouterr().out
    assert "\\u001b[2J\\u009b\\u202e" in out
    assert not set(out) & set("\x1b\x9b\u202e")


def table(change: Any) -> Any:
    """Changes the tables of a model of bigrams."""
    return lambda p: {**p, **change(p["order_1"], p["order_2"])}


@pytest.mark.parametrize(
    "change",
    [
        lambda p: {"order_1": p["order_1"]},  # which says where children lie
        lambda p: {**p, "order_3": p["order_2"]},
        lambda p: {"tables": p},
        table(lambda one, two: {"order_1": {**one, "log_prob": one["log_prob"][:-1]}}),
        table(lambda one, two: {"order_1": {**one, "log_prob": one["log_prob"][:, None]}}),
        table(lambda one, two: {"order_1": {**one, "log_prob": one["log_prob"] + 9}}),
        table(lambda one, two: {"order_1": {**one, "first_child": one["first_child"] + 1}}),
        table(lambda one, two: {"order_1": {**one, "first_child": one["first_child"][::-1]}}),
        table(lambda one, two: {"order_1": {**one, "first_child": one["first_child"] * 10**8}}),
        table(lambda one, two: {"order_1": {**one, "first_child": one["first_child"] * 1.0}}),
        table(lambda one, two: {"order_2": {**two, "word": two["word"] * 0}}),
        table(lambda one, two: {"order_2": {**two, "word": two["word"] - 99}}),
        table(lambda one, two: {"order_2": {**two, "word": two["word"] + 99}}),
        table(lambda one, two: {"order_2": {k: np.tile(v, 2) for k, v in two.items()}}),
    ],
)
def test_tables_of_n_grams_that_do_not_hold_are_refused(sound, tmp_path, change):
    assert "n-grams are damaged" in refusal(
        with_params(sound["counts"], tmp_path / "changed", change)
    )


@pytest.mark.parametrize("name", ["lstm", "topics", "german"])
def test_minus_infinity_is_no_parameter_of_a_network(sound, tmp_path, name):
    import jax

    def change(params: Any) -> Any:
        return jax.tree.map(lambda leaf: np.full_like(leaf, -np.inf), params)

    assert "infinite" in refusal(with_params(sound[name], tmp_path / "changed", change))
