"""Many texts at once: `classify`, `translate` and `perplexity` from tables to tables."""

import csv
import io
import json
import math

import pytest
import tiny_checkpoints

import zoo
from zoo.__main__ import main
from zoo.commands.rows import row_writer
from zoo.data.labels import make_labels
from zoo.training.config import base_config

TEXTS = ["a net reads", 'it "guesses", a\tline', "", "zebra"]
IDS = ["7", "x,y", "0", "last"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Checkpoints, and the texts as a table of each kind and as a plain file."""
    root = tmp_path_factory.mktemp("rows")
    for name in ("lstm", "topics", "german"):
        tiny_checkpoints.save(root, name)
    with (root / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("n", "text"), *zip(IDS, TEXTS, strict=True)])
    rows = [{"n": key, "text": text} for key, text in zip(IDS, TEXTS, strict=True)]
    (root / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "in.txt").write_text("\n".join(text.replace("\t", " ") for text in TEXTS) + "\n")
    return root


@pytest.fixture
def command(root, capsys):
    """A command in this process: its lines, and what it says on standard error."""

    def run(*words):
        code = main([str(word).format(root=root) for word in words])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out, err

    return run


def table(text, **options):
    return list(csv.DictReader(io.StringIO(text), **options))


def test_classify_writes_a_table_for_a_table(root, command):
    words = ("--file={root}/in.csv", "--column=text", "--id=n")
    out, err = command("classify", "{root}/topics", *words)
    rows = table(out)
    expected = zoo.classify(root / "topics", TEXTS)
    assert [row["n"] for row in rows] == IDS
    assert list(rows[0]) == ["n", "label", "probability"]
    for row, one in zip(rows, expected, strict=True):
        assert row["label"] == one.labels[0]
        assert float(row["probability"]) == pytest.approx(one.probabilities[row["label"]], rel=1e-4)
    assert "are not in the model's vocabulary (<unk>), the first in text 2" in err


def test_the_most_probable_labels(root, command):
    words = ("--file={root}/in.jsonl", "--column=text", "--id=n", "--top=3", "--format=csv")
    rows = table(command("classify", "{root}/topics", *words)[0])
    assert list(rows[0])[1::2] == ["label", "label_2", "label_3"]
    for row, one in zip(rows, zoo.classify(root / "topics", TEXTS), strict=True):
        best = sorted(one.probabilities, key=one.probabilities.get, reverse=True)[:3]
        assert [row["label"], row["label_2"], row["label_3"]] == best
    line, _ = command("classify", "{root}/topics", "a net", "--top=2")
    found = list(json.loads(line)["probabilities"].items())
    assert len(found) == 2
    assert found[0][1] >= found[1][1]


@pytest.mark.parametrize("source", ["in.csv", "in.jsonl", "in.txt"])
@pytest.mark.parametrize("target", ["out.csv", "out.tsv", "out.jsonl"])
def test_results_go_to_a_file_in_its_form(root, command, tmp_path, source, target):
    words = [f"--file={{root}}/{source}", f"--output={tmp_path / target}"]
    has_ids = source != "in.txt"
    words += ["--column=text", "--id=n"] if has_ids else []
    out, _ = command("perplexity", "{root}/lstm", *words)
    assert out == ""
    assert [path.name for path in tmp_path.iterdir()] == [target]
    text = (tmp_path / target).read_text()
    if target == "out.jsonl":
        rows = [json.loads(line) for line in text.splitlines()]
    elif target == "out.tsv":
        rows = table(text, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        rows = table(text)
    first = [row["n" if has_ids else "text"] for row in rows]
    plain = [text.replace("\t", " ") for text in TEXTS]
    assert first == (IDS if has_ids else plain)
    scores = [zoo.evaluate(root / "lstm", [t or "", "a"], mode="sentence") for t in plain]
    last = zoo.evaluate(root / "lstm", ["a"], mode="sentence")
    for row, score in zip(rows, scores, strict=True):
        nats, count = score.nats - last.nats, score.num_tokens - last.num_tokens
        assert float(row["nats"]) == pytest.approx(nats, rel=1e-4)
        assert float(row["perplexity"]) == pytest.approx(math.exp(nats / count), rel=1e-3)
        assert int(row["num_tokens"]) == count


def test_translate_writes_a_table_too(root, command):
    words = ("--file={root}/in.csv", "--column=text", "--id=n", "--beam_size=3", "--n_best=2")
    rows = table(command("translate", "{root}/german", *words)[0])
    found = zoo.translate(root / "german", TEXTS, beam_size=3, n_best=2)
    assert [row["n"] for row in rows] == IDS
    assert [row["translation"] for row in rows] == [one.text for one in found]
    assert rows[0]["translation_2"] == found[0].others[0][0]
    assert rows[2] == {
        "n": "0",
        "translation": "",
        "score": "0",
        "translation_2": "",
        "score_2": "",
    }
    assert command("translate", "{root}/german", "a net")[0] == f"{_translated(root)}\n"


def _translated(root):
    return zoo.translate(root / "german", "a net")[0].text


def test_what_is_drawn_does_not_depend_on_how_a_pipe_comes(root, command, monkeypatch):
    flags = ("--temperature=1", "--seed=3")
    texts = ["ein Netz", "eine Zeile", "ein Netz"]
    together = zoo.translate(root / "german", texts, beam_size=1, temperature=1.0, seed=3)

    class Slow(io.BytesIO):
        def read1(self, size=-1):
            return self.readline()

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Slow("\n".join(texts).encode())))
    out, _ = command("translate", "{root}/german", *flags)
    assert out.splitlines() == [one.text for one in together]


def test_several_labels_are_one_cell(tmp_path, capsys):
    config = base_config("classifier")
    config.model.embedding_size, config.model.hidden_sizes = 6, (5,)
    config.data.label_separator = "|"
    labels = make_labels([["a", "b"], ["c"]], multiple=True)
    classifier = zoo.build(config, tiny_checkpoints.WORDS, labels=labels)
    place = zoo.save(classifier, tmp_path / "several")
    assert main(["classify", str(place), "a net", "--format=csv", "--top=2"]) == 0
    (row,) = table(capsys.readouterr().out)
    (one,) = zoo.classify(classifier, "a net")
    assert list(row) == ["text", "labels", "label_1", "probability_1", "label_2", "probability_2"]
    assert row["labels"] == "|".join(one.labels)


def test_the_tokens_of_perplexity(root, command):
    line, _ = command("perplexity", "{root}/lstm", "a net", "--tokens")
    record = json.loads(line)
    assert record["tokens"] == ["a", "net", "</s>"]
    assert sum(record["bits"]) * math.log(2) == pytest.approx(record["nats"])
    assert json.loads(command("perplexity", "{root}/lstm", "", "--tokens")[0])["tokens"] == ["</s>"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "--file=x"], "there are texts and --file; give one of them"),
        (["a", "--column=x"], "--column is a column of a table; give the table with --file"),
        (["--file={root}/in.csv", "--id=n"], "give the column of the text with --column"),
        (
            ["--file={root}/in.csv", "--column=txt"],
            "no column 'txt'; it has 'n', 'text'; use --col",
        ),
        (
            ["--file={root}/in.csv", "--column=text", "--id=m"],
            "no column 'm'; it has 'n', 'text'; ",
        ),
        (["--file={root}/in.jsonl", "--column=text", "--id=m"], "there is no column 'm'"),
        (["--file={root}/in.txt", "--column=text"], "ends with '.txt'; use one of .csv, .tsv"),
        (["--file={root}/in.csv"], "in.csv is a table; name the column of the text, such as --col"),
        (["--file={root}/in.csv"], "(it has 'n', 'text'), or rename it to .txt"),
        (["--file={root}/in.jsonl"], "(it has 'n', 'text'), or rename it to .txt"),
        (["a", "--output={root}/none/x.csv"], "none does not exist; create it, or choose"),
        (["a", "--tokens", "--format=csv"], "--tokens adds lists, which a table does not hold"),
    ],
)
@pytest.mark.parametrize("name", ["classify {root}/topics", "perplexity {root}/lstm"])
def test_mistakes_are_one_line_and_leave_no_file(root, capsys, name, words, message):
    before = sorted(root.iterdir())
    assert main([word.format(root=root) for word in (*name.split(), *words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert sorted(root.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("topics", ["classify", "--id=label"], "--id=label is also the name of a result"),
        ("lstm", ["perplexity", "--id=nats"], "--id=nats is also the name of a result"),
        ("german", ["translate", "--id=source", "--format=jsonl"], "--id=source is also the name"),
        ("lstm", ["perplexity", "--id=text", "--output=x.csv.gz"], "packed; use x.csv"),
    ],
)
def test_no_id_and_no_ending_is_lost(root, capsys, tmp_path, name, words, message):
    file = tmp_path / "in.csv"
    file.write_text("label,nats,source,text\n1,2,3,a net\n")
    command, *flags = words
    flags += [f"--file={file}", "--column=text"]
    assert main([command, str(root / name), *flags]) == 2
    assert message in capsys.readouterr().err


def test_a_top_of_nothing_is_told(root, capsys):
    assert main(["classify", str(root / "topics"), "a", "--top=0"]) == 2
    assert "--top is 0; use at least 1, such as 5" in capsys.readouterr().err


def test_json_has_null_for_a_number_that_is_not_finite(tmp_path):
    path = tmp_path / "out.jsonl"
    with row_writer(str(path), "jsonl") as write:
        write({"text": "a", "nats": math.inf, "perplexity": math.nan, "num_tokens": 2})
    assert path.read_text() == '{"text": "a", "nats": null, "perplexity": null, "num_tokens": 2}\n'
