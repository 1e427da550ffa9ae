"""The checkpoints in checkpoints/: each loads, has a card, and scores what its card says."""

import json
import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from etils import epath

import zoo
from zoo.__main__ import main
from zoo.cards import JSON, MARKDOWN, Stored, read_card, render
from zoo.hub import list_checkpoints
from zoo.training.arrays import read_arrays
from zoo.training.step_files import write_sums

ROOT = Path(__file__).parents[1]
RELEASED = {checkpoint.name: Path(checkpoint.directory) for checkpoint in list_checkpoints()}
DATA = ROOT.parent / "shared" / "data"
DIRECTORY_OF = {
    "penn_treebank": DATA / "ptb",
    "trec": DATA / "trec",
    "multi30k": DATA / "multi30k",
    "ud_atis": DATA / "ud_atis",
}
WITH_DIRECTORY = [name for name in RELEASED if read_card(RELEASED[name] / JSON).needs_directory]
MOST_BYTES = 45e6


def use(checkpoint):
    """What the model is for, once."""
    if checkpoint.kind.command == "classify":
        return zoo.classify(checkpoint, ["What is a loop ?"])[0].labels
    if checkpoint.kind.command == "translate":
        return zoo.translate(checkpoint, ["der alte Hund schläft ."])[0].text
    if checkpoint.kind.command == "tag":
        return zoo.tag(checkpoint, ["show me flights"])[0].tags
    return zoo.generate(checkpoint, "", max_tokens=5, seed=3)


def size_of(directory):
    """Bytes of a checkpoint's files, without its card."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files if path.name not in (JSON, MARKDOWN))


def precision_of(directory):
    """The precision of a checkpoint by the dtypes and the values of its stored arrays."""
    leaves = jax.tree.leaves(read_arrays(epath.Path(directory) / "params"))
    dtypes = {str(leaf.dtype) for leaf in leaves}
    if "int8" in dtypes:
        largest = max(np.abs(leaf).max() for leaf in leaves if leaf.dtype == np.int8)
        return {127: "int8", 31: "int6"}[largest]
    return "half" if "float16" in dtypes else "float32"


def test_there_are_released_checkpoints_and_they_are_small():
    assert "python_docs_lstm" in RELEASED
    assert sum(map(size_of, RELEASED.values())) < MOST_BYTES


@pytest.mark.parametrize("name", RELEASED)
def test_each_loads_and_has_a_card_with_its_command(name):
    checkpoint = zoo.load(name)
    card = read_card(RELEASED[name] / JSON)
    assert re.match(r"python train.py --config=configs/\w+\.py", card.command)
    assert (ROOT / re.search(r"configs/\w+\.py", card.command).group()).exists()
    for file in card.equations:
        assert (ROOT / file).exists()
    assert card.scores
    assert card.seed == checkpoint.config["training"]["seed"]
    assert use(checkpoint)


@pytest.mark.parametrize("name", RELEASED)
def test_each_card_for_people_is_that_for_programs(name):
    checkpoint = zoo.load(name)
    num_parameters = sum(leaf.size for leaf in jax.tree.leaves(checkpoint.params))
    card = read_card(RELEASED[name] / JSON)
    stored = Stored(num_parameters, size_of(RELEASED[name]), precision_of(RELEASED[name]))
    rendered = render(card, stored)
    assert (RELEASED[name] / MARKDOWN).read_text("utf-8") == rendered


@pytest.mark.parametrize("name", RELEASED)
def test_each_stands_in_the_readme_with_its_scores(name):
    card = read_card(RELEASED[name] / JSON)
    row = f"| `{name}` | {card.title} | "
    (line,) = [line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if row in line]
    for score in card.scores:
        assert f"{score.value:g}" in line


@pytest.mark.parametrize("name", RELEASED)
def test_no_text_of_it_names_a_place_on_somebody_s_machine(name):
    for path in RELEASED[name].rglob("*"):
        if path.suffix in (".json", ".txt") and path.name != "vocabulary.json":
            assert not re.search(r"(?<![\w./])/\w+/\w+", path.read_text()), path


@pytest.mark.parametrize(
    "name",
    [
        "python_docs_lstm",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in RELEASED
            if name not in ("python_docs_lstm", *WITH_DIRECTORY)
        ),
    ],
)
def test_each_of_a_corpus_of_ours_scores_what_its_card_says(name, capsys):
    assert main(["verify", name]) == 0
    card = read_card(RELEASED[name] / JSON)
    out = capsys.readouterr().out
    assert out.count(": agrees" if card.is_of_this_python else ": not compared") == len(card.scores)


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_DIRECTORY)
def test_what_needs_a_corpus_scores_what_its_card_says(name, capsys):
    directory = DIRECTORY_OF[zoo.load(name).config["data"]["corpus"]]
    if not directory.exists():
        pytest.skip("its corpus is not here")
    places = [f"--data_directory={place}" for place in (ROOT, directory, ROOT)]
    assert main(["verify", name, *places, "--json"]) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {result["verdict"] for result in results} == {"agrees"}


def test_the_gradient_of_the_lecture_s_elman_network_vanishes_before_that_of_the_lstm(capsys):
    names = ("python_docs_elman_uniform", "python_docs_elman", "python_docs_lstm")
    assert main(["diagnose", *names, "--fresh", "--steps=20", "--json"]) == 0
    before = json.loads(capsys.readouterr().out)["before training"]
    uniform, orthogonal, lstm = (before[name]["hidden"][0] for name in names)
    assert uniform[20] < 1e-3 * lstm[20] < lstm[20] < orthogonal[20]
    assert uniform[20] < 1e-4 * uniform[1]


def test_the_gradients_shown_without_a_name_are_those_of_the_lecture(capsys):
    assert main(["diagnose", "--steps=10"]) == 0
    before, after = capsys.readouterr().out.split("\n\n")
    for title, part in (("before training", before), ("after training", after)):
        names = [line.split("  ")[0] for line in part.splitlines()]
        assert names[:3] == [
            title,
            "python_docs_elman_uniform (start: uniform in +-0.0625)",
            "python_docs_lstm (start: orthogonal)",
        ]


def changed_card(tmp_path, monkeypatch, **changes):
    """The released character model under another name, with another card."""
    copy = tmp_path / "mine"
    shutil.copytree(RELEASED["python_docs_lstm"], copy)
    record = json.loads((copy / JSON).read_text())
    (copy / JSON).write_text(json.dumps(record | {"python": ""} | changes))
    write_sums(epath.Path(copy))
    monkeypatch.setenv("ZOO_CHECKPOINTS", str(tmp_path))
    return copy


def test_a_score_that_differs_is_told_with_exit_code_1(tmp_path, monkeypatch, capsys):
    score = {"measure": "perplexity", "flags": "--split=validation", "value": 2.0, "spread": 0.1}
    changed_card(tmp_path, monkeypatch, scores=[score])
    with pytest.raises(SystemExit) as caught:
        main(["verify", "mine"])
    assert caught.value.code == 1
    assert re.search(r"2 stated, \d\.\d+ measured: differs", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "changes", "message"),
    [
        (["verify"], {}, "give either the names of checkpoints or --all"),
        (["verify", "mine", "--all"], {}, "or --all"),
        (["verify", "nothing"], {}, "nothing is not released; see python -m zoo list"),
        (["verify", "mine"], {"seed": "0"}, "seed is '0', of the wrong type"),
        (["verify", "mine"], {"colour": 1}, "is no card: "),
        (["verify", "mine"], {"scores": [{"measure": "x"}]}, "is no card: "),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, capsys, arguments, changes, message):
    changed_card(tmp_path, monkeypatch, **changes)
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
