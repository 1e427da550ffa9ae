"""Both sides of the benchmark of use give the same answers, and a wrong answer ends it."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import use, use_zoo

ROOT = Path(__file__).resolve().parents[2]
COUNT, TOKENS = 3, 12


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """The texts and the model of every use."""
    made = tmp_path_factory.mktemp("use")
    for name in use.NUM_TEXTS:
        use_zoo.prepare(name, made, COUNT, TOKENS)
    return made


@pytest.fixture
def torch_side():
    """PyTorch's side on one thread: its threads wait for each other on a busy machine."""
    torch = pytest.importorskip("torch")
    from benchmarks import use_torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield use_torch
    torch.set_num_threads(before)


def answers_of(side, name, directory):
    texts, call = side.build(name, directory)
    assert len(texts) == COUNT
    return side.answers(name, directory, call(texts))


@pytest.mark.parametrize("name", use.NUM_TEXTS)
def test_pytorch_gives_our_answers(name, directory, torch_side):
    ours, theirs = (answers_of(side, name, directory) for side in (use_zoo, torch_side))
    if name == "generate":  # three short samples say little of their mean
        assert len(ours["likeliest"]) == TOKENS
        assert ours["likeliest"] == theirs["likeliest"]
        assert max(ours["nats"] + theirs["nats"]) < math.log(105) / 1.5  # of 105 characters
    else:
        assert not use.difference(name, ours, theirs)


def test_pytorchs_side_needs_neither_jax_nor_zoo():
    pytest.importorskip("torch")
    code = (
        "import sys, benchmarks.use, benchmarks.use_torch; print({'jax', 'zoo'} & {*sys.modules})"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "set()"


@pytest.mark.parametrize("name", ["score", "greedy"])
def test_our_side_measures_a_start_a_rate_and_the_memory(name, directory, tmp_path):
    file = tmp_path / "answers.json"
    found = use.measure("zoo", name, directory, 1, started=0.0, file=str(file))
    assert found["rate"] > 0
    assert found["first_seconds"] > 1e9  # since 1970
    assert found["peak_megabytes"] > 50
    assert file.read_text().count(",") >= COUNT - 1


LIKELY, CLOSE, FAR = 0.7, 0.7005, 0.703


@pytest.mark.parametrize(
    ("name", "ours", "theirs", "told"),
    [
        ("classify", [["a", [LIKELY, 0.3]]], [["a", [CLOSE, 0.3]]], ""),
        ("classify", [["a", [LIKELY, 0.3]]], [["a", [FAR, 0.3]]], "1 of 1"),
        ("classify", [["a", [LIKELY, 0.3]]], [["b", [LIKELY, 0.3]]], "1 of 1"),
        ("classify", [["a", [0.5, 0.4999]]], [["b", [0.5, 0.4999]]], ""),
        ("score", [90.0, 80.0], [90.0005, 80.0], ""),
        ("score", [90.0, 80.0], [90.0, 80.002], "1 of 2"),
        ("greedy", ["a"] * 100, ["b"] + ["a"] * 99, ""),
        ("beam", ["a"] * 100, ["b"] * 2 + ["a"] * 98, "2 of 100"),
    ],
)
def test_answers_that_differ_by_more_than_rounding_are_told(name, ours, theirs, told):
    found = use.difference(name, ours, theirs)
    assert found.startswith(told)
    assert bool(found) == bool(told)


def test_samples_may_differ_by_chance_only():
    ours = {"likeliest": "the ", "nats": [1.0, 1.2, 1.1, 0.9]}
    by_chance = {"likeliest": "the ", "nats": [1.1, 1.3, 1.2, 1.0]}
    shuffled = {"likeliest": "the ", "nats": [4.0, 4.2, 4.1, 3.9]}
    assert not use.difference("generate", ours, by_chance)
    assert "1.050 and 4.050 nats" in use.difference("generate", ours, shuffled)
    assert "'the '" in use.difference("generate", ours, {**ours, "likeliest": "a "})


def test_sides_that_differ_end_the_benchmark_in_one_line(monkeypatch, tmp_path):
    def run_apart(script, *arguments):
        for argument in arguments:
            if argument.startswith("--answers="):
                side = arguments[arguments.index("--measure") + 1]
                Path(argument.partition("=")[2]).write_text(json.dumps([side]))
        return {}

    monkeypatch.setattr(use, "run_apart", run_apart)
    with pytest.raises(SystemExit, match="zoo and torch differ in beam: 1 of 1 results") as ended:
        use.compare("beam", tmp_path, 1, 1, smoke=True)
    assert "\n" not in str(ended.value)


def test_the_table_has_medians_of_ratios_round_by_round():
    def side(cold, rates):
        rest = [{"rate": rate, "first_seconds": 2.0, "peak_megabytes": 300.0} for rate in rates]
        return [{"rate": 0.0, "first_seconds": cold, "peak_megabytes": 300.0}, *rest]

    found = {"zoo": side(9.0, [10, 2000, 3000]), "torch": side(5.0, [10, 1000, 1000])}
    assert use.line("score", found) == (
        "| score | 2,000 | 1,000 | 2.00 (1.00-3.00) "
        "| 2.0 (no program stored: 9.0) | 2.0 | 1.00 (1.00-1.00) | 300 | 300 | 1.00 (1.00-1.00) |"
    )
    assert use.heads().splitlines()[0].count("|") == use.line("score", found).count("|")
