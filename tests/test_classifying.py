"""A classifier from the first command to the last: train, resume, evaluate, classify."""

import dataclasses
import io
import json

import numpy as np
import pytest
from labeled_texts import classifier_config, labeled_texts, write_csv
from tiny_run import saved_bits

import zoo
from zoo.__main__ import main
from zoo.diagnostics.confusion import draw_confusion
from zoo.errors import UserError
from zoo.evaluation.classifying import SHAPES
from zoo.training.loop import train


def config_of(corpus, **more):
    settings = {
        "model.embedding_size": 8,
        "model.hidden_sizes": (8,),
        "model.head_size": 8,
        "model.word_dropout_rate": 0.1,
        "optimizer.learning_rate": 0.02,
        "training.num_steps": 60,
        "training.checkpoint_every_steps": 20,
        "evaluation.every_steps": 20,
    }
    return classifier_config(corpus, **(settings | more))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    directory = tmp_path_factory.mktemp("labelled")
    return write_csv(directory / "texts.csv", labeled_texts(160), ("text", "label"))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "mood"
    lines = []
    train(config_of(corpus), str(workdir), log=lines.append)
    return workdir, lines


def test_it_learns_and_says_so(run, corpus):
    workdir, lines = run
    best = next(line for line in lines if line.startswith("best step"))
    assert float(best.split("accuracy ")[1].split()[0]) >= 0.9
    assert "majority 0." in best
    command = f"python -m zoo evaluate {workdir} --split=test --data_directory={corpus}"
    assert lines[-1] == f"for the test split: {command}"


@pytest.mark.slow
def test_stopped_and_resumed_it_is_the_same_bit_for_bit(corpus, run, tmp_path, monkeypatch):
    from zoo.training import loop

    class StopsAfterTheFirst(list):
        def __bool__(self):
            return True

    class Signals:
        def __enter__(self):
            return StopsAfterTheFirst()

        def __exit__(self, *error):
            return False

    workdir = tmp_path / "again"
    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(loop, "stop_signals", Signals)
            train(config_of(corpus), str(workdir), log=lambda line: None)
    train(config_of(corpus), str(workdir), log=lambda line: None)
    assert saved_bits(workdir, 60) == saved_bits(run[0], 60)


def test_evaluate_gives_the_scores_of_a_split_and_of_a_file(run, corpus, tmp_path, capsys):
    place = f"--data_directory={corpus}"
    assert main(["evaluate", str(run[0]), "--split=test", place, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {"accuracy", "macro_f1", "micro_f1", "num_examples"} <= record.keys()
    assert record["num_examples"] == 16
    assert record["accuracy"] >= 0.8
    assert np.trace(record["confusion"]) == round(record["accuracy"] * 16)
    assert [row["label"] for row in record["by_label"]] == ["bad", "good"]
    file = write_csv(tmp_path / "more.tsv", labeled_texts(40, seed=1), ("text", "label"))
    picture = tmp_path / "confusion.png"
    assert main(["evaluate", str(run[0]), f"--text={file}", f"--picture={picture}"]) == 0
    out = capsys.readouterr().out
    assert "num_examples        40\n" in out
    assert "label  precision  recall      F1  texts" in out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_classify_labels_arguments_files_and_pipes(run, tmp_path, capsys, monkeypatch):
    texts = ["the film was good", "a dull story", ""]
    assert main(["classify", str(run[0]), *texts]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["text"] for record in records] == texts
    assert [record["labels"] for record in records][:2] == [["good"], ["bad"]]
    assert set(records[0]) == {"text", "labels", "probabilities", "is_cut"}
    for record in records:
        assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(texts) + "\n")
    assert main(["classify", str(run[0]), f"--file={file}"]) == 0
    from_file = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    assert main(["classify", str(run[0])]) == 0
    piped = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for other in (from_file, piped):
        for got, wanted in zip(other, records, strict=True):
            assert got["labels"] == wanted["labels"]
            assert got["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-5)


def test_words_that_the_model_does_not_know_are_told(run, capsys):
    assert main(["classify", str(run[0]), "it was lovely", "it was qwertz"]) == 0
    assert "note: 1 of the tokens read are not" in capsys.readouterr().err


def test_the_shares_of_tokens_are_told_and_drawn(run, tmp_path, capsys):
    picture = tmp_path / "tokens.svg"
    command = ["classify", str(run[0]), "it was lovely", "--tokens", f"--picture={picture}"]
    assert main(command) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["tokens"] == ["it", "was", "lovely", "</s>"]
    assert sum(record["weights"]) == pytest.approx(1, abs=1e-5)
    assert "share of each token in the pooled vector" in picture.read_text()


@pytest.mark.parametrize("method", ["leave_one_out", "integrated_gradients"])
def test_attributions_are_told_and_drawn(run, tmp_path, capsys, method):
    picture = tmp_path / "tokens.svg"
    flags = [f"--attribution={method}", f"--picture={picture}"]
    assert main(["classify", str(run[0]), "it was lovely", *flags]) == 0
    record = json.loads(capsys.readouterr().out)
    found = record["attribution"]
    assert found["tokens"] == ["it", "was", "lovely"]
    assert found["label"] == record["labels"][0] == "good"
    assert max(found["scores"]) == found["scores"][2] > 0.01
    assert "largest attribution" in picture.read_text()


def test_a_table_holds_no_attributions(run, capsys):
    command = ["classify", str(run[0]), "it was", "--format=csv", "--attribution=leave_one_out"]
    assert main(command) == 2
    assert "--attribution adds lists" in capsys.readouterr().err


def test_a_text_s_labels_do_not_depend_on_the_others(run):
    checkpoint = zoo.load(run[0])
    texts = [text for text, _ in labeled_texts(70, seed=5)]  # more than one batch
    texts += [" ".join(text for text, _ in labeled_texts(SHAPES.lengths[-1] // 4, seed=6))]
    assert len(texts[-1].split()) > SHAPES.lengths[-1]
    together = zoo.classify(checkpoint, texts)
    for index in (0, 33, 69, 70):
        alone = zoo.classify(checkpoint, texts[index])[0]
        assert alone.text == together[index].text == texts[index]
        assert alone.tokens == together[index].tokens
        for got, wanted in ((alone, together[index]),):
            assert got.probabilities == pytest.approx(wanted.probabilities, abs=1e-6)
            assert got.weights == pytest.approx(wanted.weights, abs=1e-6)
    assert zoo.classify(checkpoint, []) == []


@pytest.mark.parametrize(
    ("cut", "tokens"), [("end", ("the", "film", "was")), ("middle", ("the", "film", "story"))]
)
def test_what_is_read_is_what_was_read_in_training(corpus, tmp_path, capsys, cut, tokens):
    workdir = tmp_path / "short"
    settings = {"data.max_tokens": 3, "data.cut": cut, "training.num_steps": 4}
    train(config_of(corpus, **settings), str(workdir), log=lambda line: None)
    (result,) = zoo.classify(zoo.load(workdir), "the film was a lovely story")
    assert result.tokens == (*tokens, "</s>")
    assert result.is_cut
    assert main(["classify", str(workdir), "the film was a lovely story", "the film"]) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line)["is_cut"] for line in out.splitlines()] == [True, False]
    assert "note: 1 of 2 texts have more than 3 tokens, of which the model does not read" in err


def test_several_labels_from_training_to_the_command(tmp_path, capsys):
    rows = []
    for number, (text, mood) in enumerate(labeled_texts(160)):
        words = f"{text} rain" if number % 3 == 0 else text
        rows.append((words, f"{mood};wet" if number % 3 == 0 else mood))
    path = write_csv(tmp_path / "texts.csv", rows, ("text", "label"))
    workdir = tmp_path / "several"
    settings = {"data.label_separator": ";", "model.cell": "none", "training.num_steps": 400}
    config = config_of(path, **settings)
    train(config, str(workdir), log=lambda line: None)
    checkpoint = zoo.load(workdir)
    assert checkpoint.labels.multiple
    chosen = checkpoint.progress["validation"]
    assert checkpoint.thresholds.tolist() == [
        chosen[f"threshold.{name}"] for name in ("bad", "good", "wet")
    ]
    assert main(["classify", str(workdir), "it was good rain", "a poor film"]) == 0
    first, second = (json.loads(line)["labels"] for line in capsys.readouterr().out.splitlines())
    assert set(first[:2]) == {"good", "wet"}  # the most probable come first
    assert second == ["bad"]
    place = f"--data_directory={path}"
    assert main(["evaluate", str(workdir), "--split=test", place, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["confusion"] is None
    assert record["macro_f1"] > 0.8
    score = zoo.evaluate_classifier(checkpoint, ["good"], [["good"]])
    with pytest.raises(UserError, match="texts may have several labels"):
        draw_confusion(tmp_path / "c.png", score)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "RUN"], "this is a classifier, not a language model; use classify"),
        (
            ["mix", "RUN", "python_docs_lstm", "--tune=T", "--text=T"],
            "this is a classifier, not a language model",
        ),
        (["diagnose", "RUN"], "give a recurrent_lm"),
        (["evaluate", "RUN", "--mode=stream"], "--mode is not for a classifier; leave it out"),
        (["evaluate", "RUN", "--text=T"], "T ends with '.txt'; use one of .csv, .tsv, .jsonl"),
        (["classify", "RUN", "a", "--file=T"], "there are texts and --file; give one of them"),
        (["classify", "RUN", "--file=T", "--picture=p.png"], "--picture draws the texts of the"),
        (["classify", "python_docs_lstm", "a"], "this is a language model, not a classifier; use"),
        (["evaluate", "python_docs_lstm", "--data_directory=D"], "python_docs reads no files"),
        (["evaluate", "python_docs_topics", "--data_directory=D"], "leave --data_directory=D out"),
        (
            ["evaluate", "python_docs_lstm", "--picture=p.png"],
            "--picture is not for a language model",
        ),
    ],
)
def test_a_wrong_command_is_one_line(run, tmp_path, capsys, arguments, message):
    file = tmp_path / "t.txt"
    file.write_text("the film\n")
    filled = [part.replace("RUN", str(run[0])).replace("=T", f"={file}") for part in arguments]
    assert main(filled) == 2
    error = capsys.readouterr().err
    assert message.replace("T ends", f"{file} ends") in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_table_without_a_row_is_one_line(run, tmp_path, capsys):
    file = tmp_path / "empty.csv"
    file.write_text("text,label\n")
    assert main(["evaluate", str(run[0]), f"--text={file}"]) == 2
    error = capsys.readouterr().err
    assert error == f"error: {file} has a header but no rows; put labelled texts under the header\n"
    assert error.count("\n") == 1


def test_labels_for_each_text_are_needed(run):
    checkpoint = zoo.load(run[0])
    with pytest.raises(UserError, match="there are 0 texts and labels for 0"):
        zoo.evaluate_classifier(checkpoint, [], [])
    with pytest.raises(UserError, match="label 'odd' does not occur in training"):
        zoo.evaluate_classifier(checkpoint, ["x"], [["odd"]])
    for labels in ([], list(checkpoint.labels.names[:2])):
        with pytest.raises(UserError, match="give one label for each text"):
            zoo.evaluate_classifier(checkpoint, ["x"], [labels])


def test_of_several_labels_the_most_probable_is_the_first(run):
    trained = zoo.load(run[0])
    labels = dataclasses.replace(trained.labels, multiple=True)
    several = dataclasses.replace(trained, labels=labels, thresholds=np.zeros(len(labels)))
    for text, wanted in (("the film was good", ("good", "bad")), ("a dull story", ("bad", "good"))):
        (found,) = zoo.classify(several, text)
        assert found.labels == wanted


@pytest.mark.filterwarnings("always")
def test_evaluate_notes_other_texts(run, corpus, tmp_path, capsys):
    other = write_csv(tmp_path / "texts.csv", labeled_texts(160, seed=2), ("text", "label"))
    for place, noted in ((corpus, False), (other, True)):
        flags = ["--split=test", f"--data_directory={place}"]
        assert main(["evaluate", str(run[0]), *flags]) == 0
        err = capsys.readouterr().err
        assert ("the test split that was found is not the test split of the run" in err) == noted
