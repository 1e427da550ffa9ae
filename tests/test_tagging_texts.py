"""`zoo.tag` and `python -m zoo tag`: words, tags, probabilities and spans of texts."""

import dataclasses
import io
import json
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import zoo
from zoo.__main__ import main
from zoo.data.examples import Tagged
from zoo.data.vocabulary import build_vocabulary
from zoo.errors import UserError
from zoo.evaluation import tagger as taggers
from zoo.models.tagger import decode
from zoo.tasks.tagging import TAGGING, score
from zoo.training import checkpoints

WORDS = build_vocabulary("word", ["Anna lives in New Ulm", "Bonn , and Ulm ."])
CHARACTERS = build_vocabulary("character", ["AnaUlmBoin"])
TAGS = ["B-loc", "B-per", "I-loc", "I-per", "O"]
TEXTS = ["Anna lives in New Ulm.", "", "Ulm", "Bonn, and  Ulm and Bonn!", "   ", "x " * 20]


def record(**changes):
    own = {
        "words": WORDS.to_json(),
        "characters": CHARACTERS.to_json(),
        "tags": TAGS,
        "scheme": "iob2",
        "num_trained_words": len(WORDS),
    }
    return own | changes


def settings(**changes):
    small = {"embedding_size": 6, "hidden_sizes": (5,), "max_characters": 4}
    return {"architecture": "tagger", "character_size": 3, **small, **changes}


def save(directory, corpus="conll_file", lowercase=False, **changes):
    """A checkpoint with random parameters; gives the run's directory."""
    data = {"corpus": corpus, "lowercase": lowercase}
    characters = {"characters": None} if changes.get("characters") == "none" else {}
    config = {"data": data, "model": settings(**changes)}
    model = TAGGING.open(config, record(**characters), {}).model
    shapes = TAGGING.parameter_shapes(model)
    draw = np.random.default_rng(0).normal
    checkpoints.save(
        directory,
        step=1,
        params=jax.tree.map(lambda leaf: np.asarray(draw(size=leaf.shape), np.float32), shapes),
        state={"step": np.int32(1)},
        config=config,
        vocabulary=record(**characters),
        progress={},
    )
    return directory


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save(tmp_path_factory.mktemp("tagger"))


@pytest.fixture(scope="module")
def trained(run):
    return zoo.load(run)


def test_words_and_spans_lie_where_the_text_has_them(trained):
    results = zoo.tag(trained, TEXTS)
    assert [result.text for result in results] == TEXTS
    assert results[0].tokens == ("Anna", "lives", "in", "New", "Ulm", ".")
    assert results[1].tokens == results[4].tokens == ()
    assert results[1].spans == ()
    found = 0
    for result in results:
        assert len(result.tokens) == len(result.tags) == len(result.probabilities)
        assert all(0 < probability <= 1 for probability in result.probabilities)
        for span in result.spans:
            assert result.text[span.start : span.end] == span.text
            found += 1
        begins = [tag[2:] for tag in result.tags if tag.startswith("B-")]
        assert [span.label for span in result.spans] == begins  # since the scheme is kept
    assert found


def test_a_text_has_the_tags_that_it_has_alone(trained):
    together = zoo.tag(trained, TEXTS)
    for text, result in zip(TEXTS, together, strict=True):
        [alone] = zoo.tag(trained, text)
        assert (alone.tokens, alone.tags, alone.spans) == (result.tokens, result.tags, result.spans)
        np.testing.assert_allclose(alone.probabilities, result.probabilities, rtol=1e-5)


def test_tags_are_those_of_the_model(trained):
    tokens = ("Anna", "lives", "in", "Bonnula")
    [result] = zoo.tag(trained, [tokens])
    words = np.array([trained.vocabulary.encode(" ".join(tokens))], np.int32)
    characters = np.full((1, 4, 4), 2, np.int32)
    for number, token in enumerate(tokens):
        kept = token if len(token) <= 4 else token[:2] + token[-2:]  # "Bonnula" is B o l a
        spelled = CHARACTERS.encode(kept)
        characters[0, number, : len(spelled)] = spelled
    lengths = np.array([4], np.int32)
    apply = jax.jit(trained.model.apply)
    output = apply({"params": trained.params}, words, characters, lengths=lengths)
    tags, probabilities = jax.jit(decode)(output, lengths)
    assert result.tags == tuple(TAGS[tag] for tag in tags[0].tolist())
    np.testing.assert_allclose(result.probabilities, probabilities[0], rtol=1e-5)


def test_words_may_be_given(trained):
    [result] = zoo.tag(trained, [["New", "Ulm", "a b"]])
    assert (result.text, result.tokens) == ("New Ulm a b", ("New", "Ulm", "a b"))
    for span in result.spans:
        assert result.text[span.start : span.end] == span.text
    with pytest.raises(UserError, match="a word is ' '; give words that are not blank"):
        zoo.tag(trained, [["New", " "]])
    with pytest.raises(UserError, match="a word is 3; give words"):
        zoo.tag(trained, [["New", 3]])
    assert zoo.tag(trained, []) == []


def test_many_texts_make_few_programs_and_few_batches(trained, monkeypatch):
    shapes = []
    forward = taggers._forward

    def counted(model, params, inputs):
        shapes.append(inputs["words"].shape)
        return forward(model, params, inputs)

    monkeypatch.setattr(taggers, "_forward", counted)
    draw = np.random.default_rng(0)
    texts = [" ".join(["Ulm"] * int(n)) for n in draw.integers(1, 9, 300)]
    assert len(zoo.tag(trained, texts)) == 300
    assert shapes == [(128, 8), (128, 8), (64, 8)]


def test_lower_case_is_of_the_words_alone(tmp_path):
    trained = zoo.load(save(tmp_path / "run", lowercase=True))
    encoded = trained.encode([("ULM", "ulm")])
    assert encoded.words[0].tolist() == [0, 0]  # the vocabulary has Ulm
    assert encoded.table.tolist()[0] != encoded.table.tolist()[1]


def test_names_of_python_are_found_as_its_corpus_has_them(tmp_path):
    trained = zoo.load(save(tmp_path / "run", corpus="python_source_roles", characters="none"))
    [result] = zoo.tag(trained, "for key in table.keys():")
    assert result.tokens == ("key", "table", "keys")


def run_command(capsys, *arguments):
    assert main(["tag", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_the_command_gives_an_object_a_text(run, trained, capsys):
    lines = run_command(capsys, run, *TEXTS[:3]).splitlines()
    assert [json.loads(line) for line in lines] == [
        json.loads(json.dumps(result.to_json())) for result in zoo.tag(trained, TEXTS[:3])
    ]
    assert set(json.loads(lines[0])) == {"text", "tokens", "tags", "probabilities", "spans"}


def test_texts_may_stand_behind_flags(run, capsys):
    flag = "--no_compilation_cache"
    wanted = run_command(capsys, run, *TEXTS[:3], flag)
    assert run_command(capsys, run, flag, *TEXTS[:3]) == wanted
    assert run_command(capsys, run, TEXTS[0], flag, *TEXTS[1:3]) == wanted


@pytest.mark.parametrize("texts", [None, 3, b"x", ["the", 3], ["the", None]])
def test_what_is_no_text_is_told(trained, texts):
    with pytest.raises(TypeError, match="give a list"):
        zoo.tag(trained, texts)


def test_a_tagger_has_no_states_to_read(trained):
    with pytest.raises(UserError, match="is a tagger; give one of these models: language model"):
        zoo.states(trained, "New Ulm.")


def test_the_command_reads_files_and_pipes_and_writes_columns(
    run, trained, capsys, tmp_path, monkeypatch
):
    file = tmp_path / "texts.txt"
    file.write_text("New Ulm.\nBonn\n")
    tags = [result.tags for result in zoo.tag(trained, ["New Ulm.", "Bonn"])]
    wanted = f"New\t{tags[0][0]}\nUlm\t{tags[0][1]}\n.\t{tags[0][2]}\n\nBonn\t{tags[1][0]}\n\n"
    assert run_command(capsys, run, f"--file={file}", "--format=conll") == wanted
    monkeypatch.setattr("sys.stdin", SimpleNamespace(
        buffer=io.BytesIO(file.read_bytes()), isatty=lambda: False
    ))  # fmt: skip
    told = run_command(capsys, run, "--format=conll", "--split=spaces")
    assert [line.split("\t")[0] for line in told.splitlines()] == ["New", "Ulm.", "", "Bonn", ""]


@pytest.mark.parametrize("name", ["a.conll", "a.tsv", "a.bio"])
def test_columns_are_no_texts(run, capsys, tmp_path, name):
    (tmp_path / name).write_text("New\tB-LOC\nUlm\tI-LOC\n")
    assert main(["tag", str(run), f"--file={tmp_path / name}"]) == 2
    assert f"{name} has columns, but tag reads one text per line" in capsys.readouterr().err


def test_texts_and_a_file_are_one_too_many(run, capsys, tmp_path):
    assert main(["tag", str(run), "Ulm", "--file=x.txt"]) == 2
    assert "there are texts and --file; give one of them" in capsys.readouterr().err


def test_spans_of_given_words_are_those_of_their_text(trained):
    words = ["Anna", "lives", "in", "New", "Ulm"]
    [given], [read] = zoo.tag(trained, [words]), zoo.tag(trained, " ".join(words))
    assert read.spans  # of this model and text
    assert (given.text, given.spans) == (read.text, read.spans)
    for span in read.spans:
        assert set(span.text.split()) <= set(words)


def test_words_that_training_did_not_learn_are_scored_as_unknown(trained):
    """Only the first word of the vocabulary was learned; the others have a vector at most."""
    fewer = dataclasses.replace(trained, num_trained_words=4)
    assert WORDS.tokens[3] == "Ulm"
    found = score(fewer, [Tagged(("Anna", "lives", "in", "Ulm"), ("O",) * 4)])
    assert (found.known.num_tokens, found.unknown.num_tokens) == (1, 3)
