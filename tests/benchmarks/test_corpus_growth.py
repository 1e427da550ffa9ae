"""Memory against the corpus: texts are as long as they should be, and what is found is shown."""

import json
import sys

import pytest

from benchmarks import corpus_growth

FOUND = [
    {
        "megabytes": megabytes,
        "processes": 2,
        "prepare_seconds": 9.0,
        "prepare_megabytes": 600.0 + megabytes,
        "prepare_anonymous_megabytes": 450.0,
        "train_seconds": 0.5,
        "train_megabytes": 500.0,
        "train_anonymous_megabytes": 400.0,
        "characters_per_second": 12345.6,
    }
    for megabytes in (1, 4)
]


@pytest.mark.parametrize("num_bytes", [1_000, 150_000])
def test_a_text_is_about_as_long_as_it_should_be_and_of_known_words(tmp_path, num_bytes):
    corpus_growth.write_text(tmp_path / "a.txt", num_bytes, seed=1)
    text = (tmp_path / "a.txt").read_text()
    assert num_bytes <= len(text) < 2 * num_bytes
    assert {len(line.split()) for line in text.splitlines()} == {corpus_growth.LINE}
    assert len(set(text.split())) <= corpus_growth.NUM_WORDS
    corpus_growth.write_text(tmp_path / "b.txt", num_bytes, seed=2)
    assert (tmp_path / "b.txt").read_text() != text


def test_the_picture_and_the_table_show_what_was_measured(tmp_path):
    corpus_growth.draw(tmp_path / "a.png", FOUND)
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert "| 4 | 2 | 9.0 | 604 | 450 | 0.5 | 500 | 400 | 12,346 |" in corpus_growth.table(FOUND)


@pytest.mark.slow
@pytest.mark.parametrize("num_processes", [1, 2])
def test_a_text_is_measured(tmp_path, monkeypatch, capsys, num_processes):
    options = [f"--directory={tmp_path}", "--megabytes=1", "--num_steps=4"]
    options.append(f"--num_processes={num_processes}")
    monkeypatch.setattr(sys, "argv", ["corpus_growth.py", *options])
    corpus_growth.main()
    assert f"| 1 | {num_processes} |" in capsys.readouterr().out
    (found,) = json.loads((tmp_path / "growth_corpus.json").read_text())
    assert found["megabytes"] == 1
    assert found["characters_per_second"] > 0
    assert found["train_megabytes"] > found["train_anonymous_megabytes"] > 50
    assert found["train_seconds"] < found["prepare_seconds"]
    for run in ("prepare", "train"):
        assert len(found[f"{run}_over_time"]) == num_processes
