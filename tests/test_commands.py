"""The commands of `python -m zoo` as people and scripts use them."""

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from tiny_run import environment_with, tiny_config

import zoo
from zoo.__main__ import COMMANDS, main
from zoo.data.vocabulary import build_vocabulary, encode_lines
from zoo.models import registry
from zoo.training import checkpoints

ROOT = Path(__file__).parents[1]
TEXTS = {
    "train": "a small net reads a line\nit guesses the next letter\n" * 3,
    "valid": "the letter is a guess\n",
    "test": "a net guesses\nthe next line\n\nit reads\n",
}
STEP = 12


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory):
    """One step of a run on a corpus of three small files, which lie beside it."""
    root = tmp_path_factory.mktemp("commands")
    for name, text in TEXTS.items():
        (root / f"{name}.txt").write_text(text)
    config = {
        "data": {
            "corpus": "text_file",
            "directory": str(root),
            "cache_directory": str(root / "cache"),
        },
        "model": {"architecture": "recurrent_lm", "embedding_size": 5, "hidden_sizes": [7]},
    }
    vocabulary = build_vocabulary("character", TEXTS["train"].splitlines())
    model = registry.build(config["model"], len(vocabulary))
    checkpoints.save(
        root / "run",
        step=STEP,
        params=jax.jit(model.init)(jax.random.key(0), np.ones((1, 1), np.int32))["params"],
        state={"step": np.int32(STEP)},
        config=config,
        vocabulary=vocabulary.to_json(),
        progress={},
    )
    return root / "run"


@pytest.fixture
def command(capsys):
    """Runs a command in this process; gives its exit code, output and errors."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    return run


def start(*arguments):
    """Starts a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("mode", ["stream", "sentence"])
def test_evaluate_prints_one_json_object_with_what_python_gives(command, run_directory, mode):
    flags = ("--split=test", f"--mode={mode}", f"--data_directory={run_directory.parent}")
    code, out, err = command("evaluate", run_directory, *flags, "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    record = json.loads(out)
    score = zoo.evaluate(zoo.load(run_directory), TEXTS["test"], mode=mode)
    assert record == {
        "checkpoint": str(run_directory / "checkpoints" / str(STEP)),
        "step": STEP,
        "split": "test",
        "mode": mode,
        "perplexity": pytest.approx(score.perplexity),
        "nats_per_token": pytest.approx(score.nats_per_token),
        "bits_per_character": pytest.approx(score.nats_per_token / math.log(2)),
        "num_tokens": len(TEXTS["test"]),
        "num_characters": len(TEXTS["test"]),
        "num_unknown": 0,
    }


def test_a_page_does_not_replace_another_kind_of_file(command, tmp_path):
    file = tmp_path / "config.json"
    file.write_text("{}")
    code, out, err = command("report", tmp_path, f"--output={file}")
    assert (code, out, file.read_text()) == (2, "", "{}")
    assert "name a page that ends with .html" in err


def test_evaluate_scores_validation_unless_told_otherwise(command, run_directory):
    code, out, _ = command("evaluate", run_directory, f"--data_directory={run_directory.parent}")
    assert code == 0
    values = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (values["split"], values["mode"], values["step"]) == ("validation", "stream", str(STEP))
    score = zoo.evaluate(zoo.load(run_directory), TEXTS["valid"])
    assert values["perplexity"] == f"{score.perplexity:.4f}"
    assert values["num_tokens"] == str(len(TEXTS["valid"]))


def test_evaluate_a_file_and_another_directory(command, run_directory, tmp_path):
    text = "a nét\nline"
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    _, out, err = command("evaluate", run_directory, f"--text={tmp_path}/text.txt", "--json")
    assert err.startswith(f"note: 1 of {len(text) + 1} tokens (")
    assert err.count("\n") == 1
    record = json.loads(out)
    assert (record["num_tokens"], record["num_unknown"]) == (len(text) + 1, 1)
    assert record["text"] == f"{tmp_path}/text.txt"
    assert "split" not in record

    for name in TEXTS:
        (tmp_path / f"{name}.txt").write_text("it reads\n")
    directory = f"--data_directory={tmp_path}"
    _, out, _ = command("evaluate", run_directory, "--split=train", directory, "--json")
    assert json.loads(out)["num_tokens"] == len("it reads\n")


def test_generate_prints_the_text_and_a_newline(command, run_directory):
    options = {"max_tokens": 40, "temperature": 0.7, "top_k": 5, "top_p": 0.9, "seed": 3}
    flags = [f"--{name}={value}" for name, value in options.items()]
    code, out, err = command("generate", run_directory, "--prompt=a net", *flags)
    assert (code, err) == (0, "")
    assert out == zoo.generate(zoo.load(run_directory), "a net", **options) + "\n"


def test_generate_takes_every_flag(command, run_directory):
    checkpoint = zoo.load(run_directory)
    generate = ("generate", run_directory, "--max_tokens=50")
    assert command(*generate)[1] == zoo.generate(checkpoint, max_tokens=50) + "\n"
    greedy = zoo.generate(checkpoint, max_tokens=50, temperature=0)
    assert command(*generate, "--greedy")[1] == greedy + "\n"
    stopped = zoo.generate(checkpoint, max_tokens=50, stop="end")
    assert command(*generate, "--stop=end")[1] == stopped + "\n"
    unknown = zoo.generate(checkpoint, max_tokens=50, temperature=3.0, allow_unknown=True)
    assert command(*generate, "--allow_unknown", "--temperature=3")[1] == unknown + "\n"
    assert "<unk>" in unknown


def test_generate_several_samples_as_text_and_as_json(command, run_directory):
    samples = zoo.generate(zoo.load(run_directory), ["it", "it"], max_tokens=9)
    flags = ["--prompt=it", "--max_tokens=9", "--num_samples=2"]
    assert command("generate", run_directory, *flags)[1] == "\n\n".join(samples) + "\n"
    record = json.loads(command("generate", run_directory, *flags, "--json")[1])
    assert record == {
        "checkpoint": str(run_directory / "checkpoints" / str(STEP)),
        "step": STEP,
        "samples": samples,
    }


@pytest.mark.filterwarnings("default")
def test_generate_notes_what_the_vocabulary_lacks(command, run_directory):
    code, out, err = command("generate", run_directory, "--prompt=a nÉt", "--max_tokens=3")
    assert code == 0
    assert out.startswith("a nÉt")
    assert err == "note: the vocabulary lacks 'É' of the prompt; the model reads <unk>\n"


def test_list_names_all_there_is_without_jax():
    program = (
        "import sys; from zoo.__main__ import main; main(['list'])\n"
        "assert not {'jax', 'tensorflow_datasets', 'orbax'} & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in (
        "architectures:",
        "recurrent_lm",
        "released checkpoints:",
        "configs:",
        "csv_classifier ",
        "corpora:",
        "python_docs",
        "corpora of labelled texts:",
        "goemotions",
        "corpora of sentence pairs:",
        "toy_german",
    ):
        assert name in result.stdout


def test_list_names_released_checkpoints(command, run_directory, monkeypatch):
    monkeypatch.setenv("ZOO_CHECKPOINTS", str(run_directory / "checkpoints"))
    assert f"  {STEP} " in command("list")[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(name, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([name, "--help"])
    assert exit_.value.code == 0
    assert f"\n  python -m zoo {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["invent"], "invalid choice: 'invent'"),
        (["evaluate"], "CHECKPOINT"),
        (["evaluate", "x", "--mode=line"], "argument --mode: invalid choice: 'line'"),
        (["evaluate", "x", "--split=dev"], "argument --split: invalid choice: 'dev'"),
        (["evaluate", "x", "--split=test", "--text=y"], "not allowed with"),
        (["evaluate", "x", "--text=no/such/file"], "cannot read no/such/file"),
        (["evaluate", "no-such-checkpoint"], "no-such-checkpoint"),
        (["generate", "no-such-checkpoint"], "no-such-checkpoint"),
        (["generate", "http://127.0.0.1/x"], "is an address that is not supported; give a path"),
        (["export", "file:///x", "y.arpa"], "is an address that is not supported; give a path"),
        (["generate", "x", "--max_tokens=1.5"], "--max_tokens: invalid int value: '1.5'"),
        (["generate", "x", "--max_tokens=0"], "max_tokens is 0"),
        (["generate", "x", "--temperature=-1"], "temperature is -1.0"),
        (["generate", "x", "--top_k=-3"], "top_k is -3"),
        (["translate", "x", "y", "--beam_size=--"], "--beam_size is '--', which is not a value"),
        (["generate", "x", "--top_p=0"], "top_p is 0.0"),
        (["generate", "x", "--seed=-1"], "seed is -1"),
        (["generate", "x", "--num_samples=0"], "num_samples is 0"),
        (["generate", "x", f"--num_samples={10**20}"], "use 1 to 10000"),
        (["mix", "x", "y", "--tune=a", "--text=b", f"--cache={10**20}"], "use 1 to 1000000"),
        (["evaluate", "x", "--dynamic", f"--dynamic_window={10**20}"], "use 1 to 1000000"),
        (["generate", "x", "--prompt=\udcff"], "the prompt is not UTF-8"),
        (["generate", "x", "--max_token=3"], "--max_token=3; see python -m zoo generate --help"),
        (["evaluate", "x", "--picture=no/such/a.png"], "there is no directory no/such"),
        (["mix", "x", "y"], "--tune"),
        (["mix", "x", "y", "--tune=README.md"], "nothing to score; give --text=FILE or --sentence"),
        (
            ["mix", "x", "--tune=README.md", "--text=README.md", "--picture=p.png"],
            "--sentence=TEXT",
        ),
        (["mix", "x", "y", "x", "--tune=a", "--text=b"], "x is given twice"),
        (["mix", "x", "--tune=no/such/file", "--text=README.md"], "cannot read no/such/file"),
        (["diagnose", "x", "--steps=0"], "--steps is 0; use at least 1"),
        (["diagnose", "no-such-checkpoint"], "no-such-checkpoint"),
        (["export", "no-such.arpa", "y.arpa"], "cannot read no-such.arpa: No such file"),
        (["export", "no-such.safetensors", "y.arpa"], "cannot read no-such.safetensors: No such"),
        (["export", "x", "y.onnx"], "end the name with one of .safetensors, .stablehlo, .arpa"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(command, arguments, message):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"), [(b" \n", "is empty"), (b"ab\xffc", "byte 0xff at offset 2")]
)
def test_a_text_that_is_none_is_one_line(command, run_directory, tmp_path, content, message):
    (tmp_path / "text.txt").write_bytes(content)
    code, _, err = command("evaluate", run_directory, f"--text={tmp_path}/text.txt")
    assert (code, err.count("\n")) == (2, 1)
    assert message in err


@pytest.mark.parametrize("words", ["evaluate {} --text={}", "mix {} --tune={} --text=README.md"])
def test_a_table_is_no_running_text(command, run_directory, tmp_path, words):
    (tmp_path / "a.csv").write_text("text,label\na net,good\n")
    code, _, err = command(*words.format(run_directory, tmp_path / "a.csv").split())
    assert (code, err.count("\n")) == (2, 1)
    assert "a.csv is a table, but a language model reads running text" in err


def test_a_directory_that_only_the_checkpoint_names_is_not_followed(command, run_directory):
    for name in ("evaluate", "diagnose"):
        code, out, err = command(name, run_directory)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert f"if you trust it, type --data_directory={run_directory.parent}\n" in err


def test_a_missing_corpus_is_told_with_the_flag_of_this_command(command, run_directory, tmp_path):
    code, _, err = command("evaluate", run_directory, f"--data_directory={tmp_path}/none")
    assert (code, err.count("\n")) == (2, 1)
    assert "--config" not in err
    (tmp_path / "train.txt").write_text("a\n")
    _, _, err = command("evaluate", run_directory, f"--data_directory={tmp_path}")
    assert "--data_directory=DIR" in err


def test_a_field_that_no_flag_of_a_command_sets_is_told_as_one(command, tmp_path):
    (tmp_path / "table.csv").write_text("words,topic\na,b\n")
    code, _, err = command("evaluate", "trec", f"--text={tmp_path}/table.csv")
    assert (code, err.count("\n")) == (2, 1)
    assert "--config" not in err
    assert "use data.text_column=NAME" in err
    assert err.endswith("(a field of the config that the model was trained with)\n")


def test_text_streams_and_ctrl_c_and_a_closed_pipe_end_it_quietly(run_directory):
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("started in a shell's background, where Ctrl-C is ignored")
    endless = ("generate", run_directory, f"--max_tokens={10**8}", "--prompt=it")
    interrupted, closed = start(*endless), start(*endless)
    try:
        assert interrupted.stdout.read(500).startswith("it")
        interrupted.send_signal(signal.SIGINT)
        assert closed.stdout.read(500).startswith("it")
        closed.stdout.close()
        deadline = time.monotonic() + 60
        interrupted.stdout.read()
        assert interrupted.wait(deadline - time.monotonic()) == 130
        assert closed.wait(deadline - time.monotonic()) == 0
        assert interrupted.stderr.read() == "interrupted\n"
        assert closed.stderr.read() == ""
    finally:
        for process in (interrupted, closed):
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_program_without_standard_streams_ends_as_any_other(tmp_path, closed):
    program = f"{sys.executable} -m zoo generate python_docs_kneser_ney --max_tokens=3"
    for command, code in ((program, 0), (f"{program} --top_k=-1", 2)):
        line = f"{command} {closed}"
        environment = environment_with(1) | {"TMPDIR": str(tmp_path)}
        done = subprocess.run(line, shell=True, capture_output=True, text=True, env=environment)
        assert done.returncode == code
        assert done.stderr.count("\n") == (code == 2 and "2>" not in closed)
    assert list(tmp_path.iterdir()) == []  # no traceback was saved


def test_a_data_directory_is_refused_where_a_text_file_is_scored(run_directory, command):
    text = run_directory.parent / "test.txt"
    flags = (f"--text={text}", f"--data_directory={run_directory.parent}")
    code, out, err = command("evaluate", run_directory, *flags)
    assert (code, out) == (2, "")
    told = "--data_directory names the corpus of --split; leave it out if you give a file"
    assert err == f"error: {told}\n"


@pytest.fixture(scope="module")
def ngram_file(run_directory):
    """A Kneser-Ney model over the same characters as the run's, as an ARPA file."""
    from zoo.exchange.arpa import write_arpa
    from zoo.models import kneser_ney
    from zoo.models.ngram_lm import NGramConfig

    vocabulary = zoo.load(run_directory).vocabulary
    tokens = encode_lines(vocabulary, TEXTS["train"].splitlines())
    estimate = kneser_ney.estimate(tokens, NGramConfig(order=3), len(vocabulary))
    path = run_directory.parent / "trigrams.arpa.gz"
    write_arpa(path, estimate.params, vocabulary)
    return path


def test_mix_prints_weights_scores_and_winners(command, run_directory, ngram_file):
    texts = [f"--tune={run_directory.parent}/valid.txt", f"--text={run_directory.parent}/test.txt"]
    names = [str(run_directory), str(ngram_file)]
    code, out, err = command("mix", *names, *texts, "--sentence=it", "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    parts = [zoo.load(name) for name in names]
    mixture = zoo.mix(parts, TEXTS["valid"])
    assert record["weights"] == pytest.approx(dict(zip(names, mixture.weights, strict=True)))
    assert sum(record["weights"].values()) == pytest.approx(1)
    assert record["parts"] == pytest.approx(
        {name: zoo.perplexity(part, TEXTS["test"]) for name, part in zip(names, parts, strict=True)}
    )
    assert record["perplexity"] < min(record["parts"].values()) * 1.01
    assert record["num_tokens"] == len(TEXTS["test"])
    assert [row["token"] for row in record["sentence"]] == ["i", "t", "</s>"]
    for row in record["sentence"]:
        assert row["winner"] == names[int(row["parts"][1] > row["parts"][0])]
        assert row["mixture"] == pytest.approx(mixture.weights @ row["parts"], rel=1e-4)


def test_mix_prints_a_table_and_draws(command, run_directory, ngram_file, tmp_path):
    tune = f"--tune={run_directory.parent}/valid.txt"
    flags = (tune, "--sentence=a net", f"--picture={tmp_path}/winners.png")
    code, out, _ = command("mix", run_directory, ngram_file, *flags)
    assert code == 0
    rows = out.split("token ")[1].splitlines()[1:]
    assert [row[:4].strip() for row in rows] == ["a", "", "n", "e", "t", "</s>"]
    assert (tmp_path / "winners.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_an_arpa_file(command, ngram_file, run_directory):
    text = f"--text={run_directory.parent}/test.txt"
    assert json.loads(command("evaluate", ngram_file, text, "--json")[1])["num_unknown"] == 0
    code, _, err = command("evaluate", ngram_file, "--split=test")
    assert (code, err.count("\n")) == (2, 1)
    assert "knows no corpus; give a text with --text=FILE" in err


def test_export_writes_what_it_read(command, ngram_file, run_directory, tmp_path):
    code, out, err = command("export", ngram_file, tmp_path / "copy.arpa")
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path / 'copy.arpa'}: 0.0 MB")
    text = f"--text={run_directory.parent}/test.txt"
    found, copied = (
        json.loads(command("evaluate", path, text, "--json")[1])
        for path in (ngram_file, tmp_path / "copy.arpa")
    )
    assert found["perplexity"] == pytest.approx(copied["perplexity"], rel=1e-5)
    code, _, err = command("export", run_directory, tmp_path / "no.arpa")
    told = f"error: {run_directory} has the architecture recurrent_lm, which has no ARPA format; "
    told += "end the name of the file with .safetensors, or export an n-gram model\n"
    assert (code, err) == (2, told)


def test_diagnose_prints_norms_before_and_after_training(command, run_directory, tmp_path):
    picture = tmp_path / "gradients.svg"
    corpus = f"--data_directory={run_directory.parent}"
    flags = ("--steps=6", "--fresh", f"--picture={picture}", corpus)
    code, out, err = command("diagnose", run_directory, *flags)
    assert (code, err) == (0, "")
    assert [line.split("  ")[0] for line in out.splitlines() if line.startswith(("b", "af"))] == [
        "before training",
        "after training",
    ]
    assert out.splitlines()[1].startswith(f"{run_directory} (start: orthogonal)  ")
    assert "<svg" in picture.read_text()
    record = json.loads(command("diagnose", run_directory, *flags, "--json")[1])
    after = record["after training"][str(run_directory)]
    assert (len(after["hidden"]), len(after["hidden"][0]), after["reach"]) == (1, 7, 6)
    assert after["start"] == "orthogonal"


def test_diagnose_refuses_what_has_no_states(command, ngram_file, run_directory):
    code, _, err = command("diagnose", ngram_file, f"--text={run_directory.parent}/train.txt")
    told = f"{ngram_file} has no state that is carried through time; give a recurrent_lm"
    assert (code, err) == (2, f"error: {told}\n")
    corpus = f"--data_directory={run_directory.parent}"
    code, _, err = command("diagnose", run_directory, "--steps=500", corpus)
    assert (code, err.count("\n")) == (2, 1)
    assert "too few to go 500 steps back" in err


@pytest.mark.parametrize("place", ["http://127.0.0.1/x", "file:///x", "gs://bucket/x"])
def test_release_to_an_address_is_refused(command, run_directory, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command("release", run_directory, place)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is not supported" in err or "gs://bucket/x cannot be written" in err
    assert not list(tmp_path.iterdir())


def test_release_of_a_file_is_refused(command, ngram_file, tmp_path):
    code, _, err = command("release", ngram_file, tmp_path / "mine")
    assert (code, err) == (
        2,
        f"error: {ngram_file} is not a step of a run; give a run, or the directory of one step\n",
    )


def test_release_writes_a_checkpoint_that_scores_the_same(command, run_directory, tmp_path):
    code, out, err = command("release", run_directory, tmp_path / "mine", "--half")
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path}/mine: 0.0 MB")
    text = f"--text={run_directory.parent}/test.txt"
    found, copied = (
        json.loads(command("evaluate", path, text, "--json")[1])
        for path in (run_directory, tmp_path / "mine")
    )
    assert copied["perplexity"] == pytest.approx(found["perplexity"], rel=1e-3)


def test_release_writes_the_card_for_programs_and_for_people(command, run_directory, tmp_path):
    card = ROOT / "checkpoints" / "python_docs_lstm" / "card.json"
    code, _, err = command("release", run_directory, tmp_path / "mine", f"--card={card}")
    assert (code, err) == (0, "")
    assert json.loads((tmp_path / "mine" / "card.json").read_text()) == json.loads(card.read_text())
    params = zoo.load(run_directory).params
    num_parameters = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert f"{num_parameters:,} parameters" in (tmp_path / "mine" / "card.md").read_text()
    code, _, err = command("release", run_directory, tmp_path / "other", "--card=README.md")
    assert (code, err.count("\n")) == (2, 1)
    assert "README.md is no card" in err
    assert not (tmp_path / "other").exists()


def test_diagnose_before_training_is_the_start_of_the_run(command, corpus, tmp_path):
    """A run whose rate is next to nothing ends where it started."""
    run = tmp_path / "run"
    config = tiny_config(corpus, optimizer__learning_rate=1e-12, training__seed=3)
    zoo.train(config, run, log=lambda line: None)
    flags = ("--steps=6", "--fresh", f"--data_directory={corpus}", "--json")
    record = json.loads(command("diagnose", run, *flags)[1])
    before, after = (record[f"{when} training"][str(run)]["hidden"] for when in ("before", "after"))
    np.testing.assert_allclose(before, after, rtol=1e-4)
