"""Corpora: their lines, and what the cache does."""

import dataclasses
import fcntl
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from corpus_files import PENN_TREEBANK_FILES, TEXT_FILES, WIKITEXT_FILES, write_files

from zoo.data import corpora, loading
from zoo.data.config import DataConfig
from zoo.data.corpora import find_corpus
from zoo.data.examples import Text
from zoo.data.loading import load_corpus
from zoo.data.splits import split_lines
from zoo.data.vocabulary import build_vocabulary, encode_lines

REPOSITORY = Path(__file__).parents[3]
SHARED = REPOSITORY.parent / "shared" / "data"
# What a corpus holds


def test_python_docs_is_the_manual_inside_this_python():
    from pydoc_data.topics import topics

    text = "\n\n".join(topics[key] for key in sorted(topics))
    first, second = int(0.9 * len(text)), int(0.95 * len(text))
    parts = {"train": text[:first], "validation": text[first:second], "test": text[second:]}
    corpus = load_corpus(DataConfig())
    assert list(corpus) == list(parts)
    for split, part in parts.items():
        assert "\n".join(corpus[split]) == part.removesuffix("\n")
    num_characters = sum(
        len(encode_lines(build_vocabulary("character", lines), lines)) for lines in corpus.values()
    )
    num_cut_lines = sum(not part.endswith("\n") for part in parts.values())
    assert num_characters == len(text) + num_cut_lines  # the end of a cut line is a token as well


def test_cached_python_docs_belong_to_one_python_version(cache, monkeypatch):
    corpus = find_corpus("python_docs", Text)
    assert ".".join(map(str, sys.version_info[:3])) == corpus.version
    load_corpus(DataConfig())
    [first] = (cache / "zoo_corpora").iterdir()
    assert first.name.startswith("python_docs_")
    newer = dataclasses.replace(corpus, version="3.99.0")
    monkeypatch.setitem(corpora._CORPORA, "python_docs", newer)
    load_corpus(DataConfig())
    assert len(list((cache / "zoo_corpora").iterdir())) == 2


@pytest.mark.skipif(not (SHARED / "ptb").exists(), reason="needs the Penn Treebank files")
def test_penn_treebank_has_the_counts_of_the_literature():
    corpus = load_corpus(DataConfig("penn_treebank", str(SHARED / "ptb")))
    assert [len(lines) for lines in corpus.values()] == [42_068, 3_370, 3_761]
    vocabulary = build_vocabulary("word", corpus["train"])
    assert len(vocabulary) == 10_001  # 10,000 types with </s>, and <s>
    counts = [len(encode_lines(vocabulary, lines)) for lines in corpus.values()]
    assert counts == [929_589, 73_760, 82_430]


@pytest.mark.skipif(not (SHARED / "tinyshakespeare").exists(), reason="needs tiny Shakespeare")
def test_tiny_shakespeare_is_split_as_tfds_does():
    directory = SHARED / "tinyshakespeare"
    found = load_corpus(DataConfig("tiny_shakespeare", str(directory)))
    text = (directory / "input.txt").read_text()
    assert len(text) == 1_003_854 + 55_770 + 55_770
    parts = text[:1_003_854], text[1_003_854:1_059_624], text[1_059_624:]
    for split, part in zip(("train", "validation", "test"), parts, strict=True):
        assert "\n".join(found[split]) == part.removesuffix("\n")


def test_what_tfds_reads_of_the_cache_are_blocks_of_examples(tmp_path, cache):
    directory = write_files(tmp_path / "text", TEXT_FILES, ["a\nb\u2028\n", "v", "t"])
    load_corpus(DataConfig("text_file", directory))
    [place] = (cache / "zoo_corpora").iterdir()
    sources = tfds.data_source(f"zoo_corpora/{place.name}", data_dir=cache, download=False)
    assert [json.loads(record["examples"]) for record in sources["train"]] == [["a", "b\u2028"]]


def test_penn_treebank_lines_are_stripped_sentences(tmp_path):
    texts = [" a tree grows \n two <unk> trees \n\n", " one \n", " last line has no end "]
    directory = write_files(tmp_path / "ptb", PENN_TREEBANK_FILES, texts)
    assert load_corpus(DataConfig("penn_treebank", directory)) == {
        "train": ["a tree grows", "two <unk> trees"],
        "validation": ["one"],
        "test": ["last line has no end"],
    }


def test_wikitext_keeps_its_blank_lines(tmp_path):
    texts = [" \n = Trees = \n \n A tree grows . \n", "\n one \n", " two \n \n \n three \n"]
    directory = write_files(tmp_path / "wiki", WIKITEXT_FILES, texts)
    assert load_corpus(DataConfig("wikitext", directory)) == {
        "train": ["", "= Trees =", "", "A tree grows ."],
        "validation": ["", "one"],
        "test": ["two", "", "", "three"],
    }


def test_of_text_files_only_the_line_ends_are_changed(tmp_path):
    train = "  spaces  stay \n\n\nx\x0by\u2028\rz\x85\r\n\n"
    directory = write_files(tmp_path / "text", TEXT_FILES, [train, "v", "t\n"])
    corpus = load_corpus(DataConfig("text_file", directory))
    assert corpus["train"] == ["  spaces  stay ", "", "", "x\x0by\u2028\rz\x85", ""]
    assert corpus["validation"] == ["v"]
    assert corpus["test"] == ["t"]


def test_one_text_is_divided_alike_whatever_its_line_ends_and_encoding(tmp_path):
    text = "".join(f"Baum {number}\n" for number in range(40))
    corpora = []
    for name, encoding, end in (
        ("a", "utf-8", "\n"),
        ("b", "utf-8-sig", "\r\n"),
        ("c", "utf-16", "\r\n"),
    ):
        path = tmp_path / f"{name}.txt"
        path.write_bytes(text.replace("\n", end).encode(encoding))
        corpora.append(load_corpus(DataConfig("text_file", str(path))))
    assert corpora[1] == corpora[2] == corpora[0]
    assert "".join("".join(lines) for lines in corpora[0].values()) == text.replace("\n", "")


def test_text_file_takes_either_name_of_the_validation_file(tmp_path):
    directory = write_files(tmp_path / "text", ("train.txt", "validation.txt", "test.txt"), "abc")
    assert load_corpus(DataConfig("text_file", directory))["validation"] == ["b"]


def test_many_lines_are_kept_in_order(tmp_path):
    lines = [f"line {index}" if index % 3 else "" for index in range(2500)]
    directory = write_files(tmp_path / "text", TEXT_FILES, ["\n".join(lines) + "\n", "v", "t"])
    assert load_corpus(DataConfig("text_file", directory))["train"] == lines


def test_one_text_file_is_split_at_character_positions(tmp_path):
    path = tmp_path / "book.txt"
    text = "".join(f"Satz {index} über Bäume\n" for index in range(50))
    path.write_text(text, encoding="utf-8")
    corpus = load_corpus(DataConfig("text_file", str(path), fractions=(0.5, 0.25, 0.25)))
    half, three_quarters = len(text) // 2, int(0.75 * len(text))
    assert "\n".join(corpus["train"]) == text[:half].removesuffix("\n")
    assert "\n".join(corpus["validation"]) == text[half:three_quarters].removesuffix("\n")
    assert "\n".join(corpus["test"]) == text[three_quarters:].removesuffix("\n")


@pytest.mark.parametrize(
    ("num_characters", "fractions", "sizes"),
    [
        (1_115_394, (0.9, 0.05, 0.05), [1_003_854, 55_770, 55_770]),
        (465_126, (0.9, 0.05, 0.05), [418_613, 23_256, 23_257]),
        (10, (0.7, 0.2, 0.1), [7, 2, 1]),
        (10, (0.1, 0.7, 0.2), [1, 7, 2]),
        (19, (0.8, 0.1, 0.1), [15, 2, 2]),
    ],
)
def test_fractions_round_down_and_lose_no_character(num_characters, fractions, sizes):
    text = "".join(chr(0x100 + index % 5000) for index in range(num_characters))
    cuts = np.sort(np.random.default_rng(0).integers(0, num_characters, 50))
    lines = [text[start:stop] for start, stop in itertools.pairwise([0, *cuts, num_characters])]
    parts = ["".join(s for _, s in part) for part in split_lines(lines, fractions).values()]
    assert "".join(parts) == text
    assert [len(part) for part in parts] == sizes


# The cache


def test_a_prepared_corpus_is_read_not_prepared_again(tmp_path, monkeypatch):
    config = DataConfig("text_file", write_files(tmp_path / "text", TEXT_FILES, "abc"))
    first = load_corpus(config)

    def fail(*arguments):
        raise AssertionError("prepared twice")

    monkeypatch.setattr(loading, "_blocks", fail)
    assert load_corpus(config) == first


def test_a_changed_file_is_prepared_anew(tmp_path):
    directory = write_files(tmp_path / "text", TEXT_FILES, ["old", "v", "t"])
    config = DataConfig("text_file", directory)
    assert load_corpus(config)["train"] == ["old"]
    old_times = os.stat(tmp_path / "text" / "train.txt")
    write_files(tmp_path / "text", TEXT_FILES, ["new", "v", "t"])
    os.utime(tmp_path / "text" / "train.txt", ns=(old_times.st_atime_ns, old_times.st_mtime_ns))
    assert load_corpus(config)["train"] == ["new"]
    write_files(tmp_path / "text", TEXT_FILES, ["new", "t", "v"])
    assert load_corpus(config) == {"train": ["new"], "validation": ["t"], "test": ["v"]}


def test_other_fractions_are_another_dataset(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("abcdefghij")
    for fractions, train in (((0.8, 0.1, 0.1), "abcdefgh"), ((0.2, 0.4, 0.4), "ab")):
        corpus = load_corpus(DataConfig("text_file", str(path), fractions=fractions))
        assert corpus["train"] == [train]


def test_cache_directory_of_the_config_comes_before_the_environment(tmp_path, cache):
    directory = write_files(tmp_path / "text", TEXT_FILES, "abc")
    load_corpus(DataConfig("text_file", directory, cache_directory=str(tmp_path / "mine")))
    assert (tmp_path / "mine" / "zoo_corpora").is_dir()
    assert not cache.exists()


def test_an_interrupted_preparation_leaves_nothing_that_is_used(tmp_path, cache, monkeypatch):
    config = DataConfig("text_file", write_files(tmp_path / "text", TEXT_FILES, "abc"))

    def interrupted(*arguments):
        yield '["half"]'
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loading, "_blocks", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load_corpus(config)
    assert not list(cache.rglob("dataset_info.json"))
    assert load_corpus(config)["train"] == ["a"]


def test_processes_that_prepare_at_once_do_not_disturb_each_other(tmp_path, cache):
    directory = write_files(tmp_path / "text", TEXT_FILES, ["tree\n" * 20_000, "v", "t"])
    program = (
        "import random, sys; random.seed(0)\n"  # TFDS names its working directory with random
        "from zoo.data.config import DataConfig\n"
        "from zoo.data.loading import load_corpus\n"
        f"corpus = load_corpus(DataConfig('text_file', {directory!r}))\n"
        "print(len(corpus['train']))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    assert [process.communicate(timeout=120)[0] for process in processes] == ["20000\n"] * 2
    assert [path.name for path in cache.iterdir()] == ["zoo_corpora"]


def test_the_slower_of_two_processes_without_locks_uses_what_the_faster_one_made(
    tmp_path, monkeypatch
):
    def refuse(*arguments):
        raise OSError("this file system has no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    config = DataConfig("text_file", write_files(tmp_path / "text", TEXT_FILES, "abc"))
    blocks = loading._blocks

    def while_another_finishes(*arguments):
        monkeypatch.setattr(loading, "_blocks", blocks)
        load_corpus(config)
        return blocks(*arguments)

    monkeypatch.setattr(loading, "_blocks", while_another_finishes)
    assert load_corpus(config)["train"] == ["a"]


def test_loading_is_silent(tmp_path, capfd):
    load_corpus(DataConfig("text_file", write_files(tmp_path / "text", TEXT_FILES, "abc")))
    assert capfd.readouterr() == ("", "")
