"""Table 2: its rows are what their names say, its arithmetic, and, slow, all of it at once."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.table2 import ROWS, mix_all, mixed_perplexity, perplexity
from experiments.table2_report import Entry, markdown, write_report

ROOT = Path(__file__).parents[2]
ABOUT = {
    "corpus": "penn_treebank",
    "is_penn_treebank": True,
    "word_vectors": "",
    "num_seeds": 2,
    "machine": "one",
    "versions": "some",
}
KN5 = Entry("KN5", (141.2, None), {"stream": [141.0], "sentence": [141.0]}, {}, [148.0], 0.1)
RNN = Entry(
    "RNN by BP",
    (137, 113),
    {"stream": [130.0, 132.0], "sentence": [140.0, 144.0]},
    {"stream": [110.0, 110.5], "sentence": [115.0, 116.0]},
    [135.0, 136.0],
    12.0,
)


def random_scores(seed):
    draw = np.random.default_rng(seed)
    sizes = {"validation": 50, "test": 40}
    return {
        f"{mode} {split}": np.log(draw.uniform(0.01, 1, size))
        for mode in ("stream", "sentence")
        for split, size in sizes.items()
    }


def test_the_rows_are_what_their_names_say():
    truncation = {
        name: {**row.get_config().model, **{k[6:]: v for k, v in row.settings.items()}}
        for name, row in ROWS.items()
    }
    for name, steps in (("RNN by BP", 1), ("RNN by BPTT(5)", 5), ("RNN by BPTT(35)", 0)):
        assert truncation[name]["truncation"] == steps
        assert truncation[name]["cell"] == "elman"
    assert ROWS["RNN by BPTT(35)"].get_config().data.sequence_length == 35
    assert (truncation["KN3"]["order"], truncation["KN5"]["order"]) == (3, 5)
    assert (truncation["GRU"]["cell"], truncation["LSTM"]["cell"]) == ("gru", "lstm")


def test_a_mixture_is_tuned_on_validation_and_scored_on_test():
    parts = [random_scores(0), random_scores(1)]
    found, weights = mixed_perplexity(parts, "stream")
    mixed = sum(
        weight * np.exp(part["stream test"]) for weight, part in zip(weights, parts, strict=True)
    )
    assert found == pytest.approx(float(np.exp(-np.log(mixed).mean())))
    other = [{**part, "stream test": part["stream test"] - 1} for part in parts]
    assert mixed_perplexity(other, "stream")[1].tolist() == weights.tolist()
    entry = mix_all({"a": parts[0], "b": parts[1]})
    assert entry.mixed["stream"] == [found]
    assert perplexity(np.log([0.5, 0.125])) == pytest.approx(4)


def test_the_table_has_the_paper_beside_ours_with_the_spread():
    text = markdown([KN5, RNN], ABOUT)
    assert "| KN5 | 141.2 | - | 141.0 | - | 141.0 | - | 148.0 | 0.1 |" in text
    assert (
        "| RNN by BP | 137 | 113 | 131.0 +- 1.0 | 110.2 +- 0.2 | 142.0 +- 2.0 | 115.5 +- 0.5 "
        "| 135.5 +- 0.5 | 12.0 |"
    ) in text
    assert "do not compare" not in text
    other = markdown([KN5], ABOUT | {"corpus": "text_file", "is_penn_treebank": False})
    assert "do not compare" in other
    assert "141.2" not in other


def test_the_report_is_three_files(tmp_path):
    text = write_report(tmp_path, [KN5, RNN], ABOUT)
    assert (tmp_path / "table2.md").read_text() == text
    rows = json.loads((tmp_path / "table2.json").read_text())["rows"]
    assert rows[1]["alone"]["stream"] == [130.0, 132.0]
    assert (tmp_path / "table2.png").read_bytes().startswith(b"\x89PNG")


def run(script, *flags, cwd):
    return subprocess.run(
        [sys.executable, ROOT / "experiments" / script, *flags],
        cwd=cwd,
        capture_output=True,
        text=True,
    )


def test_without_a_corpus_it_says_what_to_type(tmp_path):
    done = run("table2.py", f"--workdir={tmp_path / 'run'}", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "error: there is no corpus; give --data_directory=DIR, or --smoke for a test run\n"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "files"),
    [
        ("table2.py", ["table2.json", "table2.md", "table2.png"]),
        ("vanishing_gradient.py", ["gradients.png", "recall.png", "vanishing_gradient.md"]),
        ("decision_surface.py", ["decision_surface.json", "decision_surface.png"]),
    ],
)
def test_every_experiment_runs_whole(tmp_path, script, files):
    done = run(script, f"--workdir={tmp_path / 'run'}", "--smoke", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in files:
        assert (tmp_path / "run" / name).stat().st_size > 100
