"""`python -m zoo evaluate` with --dynamic, --cache and --tune, as people and scripts use it."""

import json
import re

import jax
import numpy as np
import pytest
import tiny_checkpoints

import zoo
from zoo.__main__ import main
from zoo.data.vocabulary import build_vocabulary
from zoo.evaluation.adaptive import adapt
from zoo.evaluation.adaptive_tuning import tune
from zoo.evaluation.dynamic_evaluation import DynamicEvaluation
from zoo.evaluation.neural_cache import NeuralCache
from zoo.models import registry
from zoo.training import checkpoints

TEXTS = {
    "train": "a small net reads a line\nit guesses the next letter\n" * 3,
    "valid": "the letter is a guess\nit reads\n",
    "test": "a net guesses\nthe next line\n\nit reads\n",
}
MODELS = {
    "recurrent": {"architecture": "recurrent_lm", "embedding_size": 5, "hidden_sizes": [7]},
    "feed_forward": {"architecture": "feedforward_lm", "embedding_size": 4, "hidden_size": 5},
}


def write_texts(directory, train=TEXTS["train"]):
    directory.mkdir(exist_ok=True)
    for name, text in (TEXTS | {"train": train}).items():
        (directory / f"{name}.txt").write_text(text)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A directory with a corpus of three small files, and a run of each model on it."""
    root = tmp_path_factory.mktemp("adapting")
    write_texts(root)
    vocabulary = build_vocabulary("character", TEXTS["train"].splitlines())
    data = {"corpus": "text_file", "directory": str(root)}
    for name, settings in MODELS.items():
        model = registry.build(settings, len(vocabulary))
        checkpoints.save(
            root / name,
            step=1,
            params=jax.jit(model.init)(jax.random.key(0), np.ones((1, 1), np.int32))["params"],
            state={"step": np.int32(1)},
            config={"data": data, "model": settings},
            vocabulary=vocabulary.to_json(),
            progress={},
        )
    for name in ("topics", "counts", "lstm", "german"):
        tiny_checkpoints.save(root, name)
    return root


@pytest.fixture
def command(capsys):
    """Runs a command in this process; gives its exit code, output and errors."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    return run


def corpus_of(root):
    """The flag that says where the corpus lies: what a checkpoint says of it is not followed."""
    return f"--data_directory={root}"


ADAPTING = ("dynamic", "dynamic_rate", "dynamic_decay", "dynamic_window")
CACHING = ("cache", "cache_weight", "cache_flatness")


@pytest.mark.parametrize("mode", ["stream", "sentence"])
def test_the_settings_and_the_scores_are_printed(command, root, mode):
    flags = ("--dynamic=sgd", "--cache=10", f"--mode={mode}", "--split=test", "--json")
    code, out, err = command("evaluate", root / "recurrent", *flags, corpus_of(root))
    assert (code, err, out.count("\n")) == (0, "", 1)
    record = json.loads(out)
    sgd, cache = DynamicEvaluation(rule="sgd"), NeuralCache(size=10)
    assert [record[name] for name in ADAPTING] == ["sgd", sgd.rate, sgd.decay, sgd.window]
    assert [record[name] for name in CACHING] == [10, cache.weight, cache.flatness]
    lm = zoo.load(root / "recurrent")
    score = zoo.evaluate(adapt(lm, dynamic=sgd, cache=cache), TEXTS["test"], mode=mode)
    assert record["perplexity"] == pytest.approx(score.perplexity)
    assert record["perplexity"] != pytest.approx(zoo.perplexity(lm, TEXTS["test"], mode=mode))
    assert record["num_tokens"] == len(TEXTS["test"])


def test_every_flag_of_a_setting_is_used(command, root):
    flags = {"dynamic_rate": 0.2, "dynamic_decay": 0.03, "dynamic_window": 3}
    flags |= {"cache_weight": 0.25, "cache_flatness": 0.9}
    given = [f"--{name}={value}" for name, value in flags.items()]
    given += ["--dynamic=sgd", "--cache=7", corpus_of(root), "--json"]
    code, out, _ = command("evaluate", root / "recurrent", *given)
    assert code == 0
    record = json.loads(out)
    assert {name: record[name] for name in flags} == flags
    dynamic = DynamicEvaluation(rule="sgd", rate=0.2, decay=0.03, window=3)
    cache = NeuralCache(size=7, weight=0.25, flatness=0.9)
    adapted = adapt(zoo.load(root / "recurrent"), dynamic=dynamic, cache=cache)
    assert record["perplexity"] == pytest.approx(zoo.perplexity(adapted, TEXTS["valid"]))


def test_dynamic_alone_reads_the_training_text_of_the_data_directory(command, root, tmp_path):
    """R is another with another training text, so the perplexity is."""
    other = "guess guess the letter\n" * 8
    write_texts(tmp_path / "other", train=other)
    found = {}
    for directory, text in ((root, TEXTS["train"]), (tmp_path / "other", other)):
        flags = ("--dynamic", corpus_of(directory), "--json")
        code, out, err = command("evaluate", root / "recurrent", *flags)
        assert (code, err) == (0, "")
        record = json.loads(out)
        assert record["dynamic"] == "rms"
        assert not set(CACHING) & set(record)
        lm = zoo.load(root / "recurrent")
        adapted = adapt(lm, dynamic=DynamicEvaluation(), training_text=text)
        found[str(directory)] = record["perplexity"]
        assert record["perplexity"] == pytest.approx(zoo.perplexity(adapted, TEXTS["valid"]))
    assert len(set(found.values())) == 2


def test_a_file_is_scored_with_the_training_text_of_the_data_directory(command, root, tmp_path):
    (tmp_path / "text.txt").write_text(TEXTS["test"])
    flags = (f"--text={tmp_path}/text.txt", corpus_of(root), "--dynamic", "--json")
    code, out, err = command("evaluate", root / "feed_forward", *flags)
    assert (code, err) == (0, "")
    lm = zoo.load(root / "feed_forward")
    adapted = adapt(lm, dynamic=DynamicEvaluation(), training_text=TEXTS["train"])
    assert json.loads(out)["perplexity"] == pytest.approx(zoo.perplexity(adapted, TEXTS["test"]))


def test_a_file_is_scored_with_settings_of_the_data_directory_s_validation_split(
    command, root, tmp_path
):
    (tmp_path / "text.txt").write_text(TEXTS["test"])
    write_texts(tmp_path / "other")
    other = "guess guess guess a guess\n" * 4
    (tmp_path / "other" / "valid.txt").write_text(other)
    flags = (f"--text={tmp_path}/text.txt", corpus_of(tmp_path / "other"))
    code, out, err = command(
        "evaluate", root / "recurrent", *flags, "--cache=9", "--tune", "--json"
    )
    assert code == 0
    record, lines = json.loads(out), []
    start = adapt(zoo.load(root / "recurrent"), cache=NeuralCache(size=9))
    tuned = tune(start, other, log=lines.append)
    assert tuned.model != tune(start, TEXTS["valid"]).model
    assert err.splitlines() == lines
    assert [record[name] for name in CACHING[1:]] == [
        tuned.model.cache.weight,
        tuned.model.cache.flatness,
    ]
    assert record["perplexity"] == pytest.approx(zoo.perplexity(tuned, TEXTS["test"]))


def test_settings_are_printed_as_they_are_typed(command, root):
    flags = {"dynamic_rate": "3e-05", "dynamic_decay": "0", "dynamic_window": "4"}
    flags |= {"cache_weight": "0.125", "cache_flatness": "0.05"}
    given = [f"--{name}={value}" for name, value in flags.items()]
    given += ["--dynamic=sgd", "--cache=7", corpus_of(root)]
    code, out, _ = command("evaluate", root / "recurrent", *given)
    assert code == 0
    values = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert {name: values[name] for name in flags} == flags
    assert (values["dynamic"], values["cache"]) == ("sgd", "7")


def test_a_cache_alone(command, root):
    code, out, err = command("evaluate", root / "recurrent", "--cache=20", corpus_of(root))
    assert (code, err) == (0, "")
    values = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (values["cache"], values["cache_weight"]) == ("20", "0.1")
    assert not set(ADAPTING) & set(values)
    adapted = adapt(zoo.load(root / "recurrent"), cache=NeuralCache(size=20))
    assert values["perplexity"] == f"{zoo.perplexity(adapted, TEXTS['valid']):.4f}"


def test_without_the_flags_nothing_adapts(command, root):
    record = json.loads(command("evaluate", root / "recurrent", corpus_of(root), "--json")[1])
    assert not {*ADAPTING, *CACHING} & set(record)
    plain = zoo.perplexity(zoo.load(root / "recurrent"), TEXTS["valid"])
    assert record["perplexity"] == pytest.approx(plain)


def test_tune_chooses_on_validation_and_tells_what_it_tried(command, root):
    flags = ("--dynamic=sgd", "--dynamic_rate=0.5", "--cache=10", "--tune", "--mode=sentence")
    flags += ("--split=test", corpus_of(root), "--json")
    code, out, err = command("evaluate", root / "recurrent", *flags)
    assert code == 0
    record = json.loads(out)
    lm, lines = zoo.load(root / "recurrent"), []
    dynamic = DynamicEvaluation(rule="sgd", rate=0.5)
    start = adapt(lm, dynamic=dynamic, cache=NeuralCache(size=10))
    tuned = tune(start, TEXTS["valid"], mode="sentence", log=lines.append)
    assert err.splitlines() == lines
    nats = zoo.evaluate(adapt(lm, dynamic=dynamic), TEXTS["valid"], mode="sentence").nats_per_token
    assert lines[0] == f"dynamic rate 0.5: {nats:.4f} nats per token"
    chosen = tuned.model
    assert [record[name] for name in ADAPTING] == pytest.approx(
        ["sgd", chosen.dynamic.rate, chosen.dynamic.decay, chosen.dynamic.window]
    )
    assert [record[name] for name in CACHING] == [10, chosen.cache.weight, chosen.cache.flatness]
    assert chosen != start.model
    assert record["perplexity"] == pytest.approx(
        zoo.perplexity(tuned, TEXTS["test"], mode="sentence")
    )


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("recurrent", ["--dynamic_rate=0.1"], "--dynamic_rate is a setting of --dynamic; give"),
        ("recurrent", ["--cache=9", "--dynamic_decay=0"], "--dynamic_decay is a setting of"),
        ("recurrent", ["--cache=9", "--dynamic_window=4"], "--dynamic_window is a setting of"),
        ("recurrent", ["--dynamic", "--cache_weight=0.1"], "--cache_weight is a setting of --cac"),
        ("recurrent", ["--cache_flatness=0"], "--cache_flatness is a setting of --cache; give"),
        ("recurrent", ["--tune"], "--tune chooses settings of --dynamic and --cache; give one"),
        ("recurrent", ["--dynamic=adam"], "'adam'; use rms or sgd"),
        ("recurrent", ["--dynamic=sgd", "--dynamic_rate=0"], "dynamic_rate is 0.0; use more"),
        ("recurrent", ["--dynamic=sgd", "--dynamic_decay=2"], "dynamic_decay is 2.0; use 0 to 1"),
        (
            "recurrent",
            ["--dynamic=sgd", "--dynamic_window=0"],
            "dynamic_window is 0; use 1 to 1000000",
        ),
        (
            "recurrent",
            ["--dynamic", "--dynamic_window=9", "--data_directory={root}"],
            "use --dynamic=sgd",
        ),
        ("recurrent", ["--cache=0"], "cache is 0; use 1 to 1000000, such as --cache=500"),
        ("recurrent", ["--cache=big"], "argument --cache: invalid int value: 'big'"),
        ("recurrent", ["--cache=9", "--cache_weight=1.5"], "cache_weight is 1.5; use 0 to"),
        ("recurrent", ["--cache=9", "--cache_flatness=-1"], "cache_flatness is -1.0; use 0 or"),
        (
            "feed_forward",
            ["--cache=9", "--data_directory={root}"],
            "use a model of the architecture recurrent_lm, or leave out --cache",
        ),
        ("topics", ["--dynamic=sgd"], "--dynamic is not for a classifier; leave it out"),
        ("topics", ["--cache=9"], "--cache is not for a classifier; leave it out"),
        ("german", ["--dynamic=sgd"], "--dynamic is not for a translator; leave it out"),
        (
            "counts",
            ["--dynamic=sgd", "--text={root}/test.txt"],
            "cannot adapt; give a recurrent or",
        ),
        ("counts", ["--dynamic", "--text={root}/test.txt"], "cannot adapt; give a recurrent or"),
        ("counts", ["--cache=9", "--text={root}/test.txt"], "cannot adapt; give a recurrent or"),
        ("recurrent", ["--dynamic", "--data_directory={root}/none"], "--data_directory"),
        # A file is scored, but R and what is tuned need a corpus, and nobody says where it lies.
        (
            "recurrent",
            ["--dynamic", "--text={root}/test.txt"],
            "from a checkpoint is not followed; if you trust it, type --data_directory={root}\n",
        ),
        (
            "recurrent",
            ["--cache=9", "--tune", "--text={root}/test.txt"],
            "from a checkpoint is not followed; if you trust it, type --data_directory={root}\n",
        ),
        # A file is scored, but R needs a corpus that this checkpoint does not know.
        (
            "lstm",
            ["--dynamic", "--text={root}/test.txt"],
            "lstm knows no corpus, so it has no train split to adapt with; use --dynamic=sgd",
        ),
        (
            "lstm",
            ["--cache=9", "--tune", "--text={root}/test.txt"],
            "lstm knows no corpus, so it has no validation split to adapt with; leave out --tune",
        ),
        ("lstm", ["--cache=9"], "lstm knows no corpus; give a text with --text=FILE"),
        (
            "recurrent",
            ["--dynamic=sgd", "--text={root}/test.txt", "--data_directory={root}"],
            "--data_directory names the corpus of --split; leave it out if you give a file",
        ),
        (
            "recurrent",
            ["--cache=9", "--text={root}/test.txt", "--data_directory={root}"],
            "--data_directory names the corpus of --split; leave it out if you give a file",
        ),
        (
            "recurrent",
            ["--text={root}/test.txt", "--data_directory={root}"],
            "--data_directory names the corpus of --split; leave it out if you give a file",
        ),
    ],
)
def test_a_mistake_is_one_line_and_code_2(command, root, name, flags, message):
    given = [flag.format(root=root) for flag in flags]
    code, out, err = command("evaluate", root / name, *given)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message.format(root=root) in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("flags", [["--dynamic_rate=0.1"], ["--tune"], ["--cache=0"]])
def test_a_mistake_is_told_before_anything_is_loaded(command, flags):
    code, _, err = command("evaluate", "no-such-checkpoint", *flags)
    assert code == 2
    assert "no-such-checkpoint" not in err


def test_the_help_states_the_defaults(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    dynamic, cache = DynamicEvaluation(), NeuralCache()
    for flag, default in {
        "dynamic_rate": dynamic.rate,
        "dynamic_decay": dynamic.decay,
        "dynamic_window": dynamic.window,
        "cache_weight": cache.weight,
        "cache_flatness": cache.flatness,
    }.items():
        assert re.search(rf"--{flag} {flag.upper()} [^()]*\(default: {default:g}\)", told), flag
