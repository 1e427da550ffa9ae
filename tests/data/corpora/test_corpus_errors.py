"""Corpora: what the user is told, the download, and datasets that TFDS prepared."""

import dataclasses
import gzip
import hashlib
import io
import os
from pathlib import Path

import pytest
import requests
import tensorflow_datasets as tfds
from corpus_files import PENN_TREEBANK_FILES, TEXT_FILES, WIKITEXT_FILES, write_files

from zoo.data import corpora
from zoo.data.config import DataConfig, LabeledDataConfig, ParallelDataConfig
from zoo.data.corpora import find_corpus, list_corpora
from zoo.data.examples import Labeled, Pair, Text
from zoo.data.files import find_files
from zoo.data.loading import load_corpus, load_labeled_corpus, load_parallel_corpus
from zoo.errors import UserError


def expect_error(config, *parts):
    with pytest.raises(UserError) as caught:
        load_corpus(config)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message
    return message


def test_unknown_corpus_names_the_nearest():
    expect_error(DataConfig("pen_treebank"), "'pen_treebank'", "did you mean penn_treebank?")
    message = expect_error(DataConfig("zzz"), *list_corpora())
    assert "did you mean" not in message


@pytest.mark.parametrize("corpus", ["penn_treebank", "text_file", "wikitext"])
def test_no_directory_given(corpus):
    expect_error(DataConfig(corpus), corpus, "no directory", "data.directory=DIR")


def test_directory_that_is_none(tmp_path):
    expect_error(DataConfig("text_file", str(tmp_path / "no")), tmp_path / "no", "train.txt")
    path = tmp_path / "file.txt"
    path.write_text("text")
    expect_error(DataConfig("penn_treebank", str(path)), "is not a directory", "ptb.train.txt")


@pytest.mark.parametrize(
    ("corpus", "names"),
    [
        ("penn_treebank", PENN_TREEBANK_FILES),
        ("wikitext", WIKITEXT_FILES),
        ("text_file", TEXT_FILES),
        ("tiny_shakespeare", ("input.txt",)),
    ],
)
def test_missing_and_empty_files_are_named(tmp_path, corpus, names):
    for name in names:
        directory = tmp_path / f"{corpus}_{name}"
        write_files(directory, names, ["some text\n" * 50] * len(names))
        (directory / name).unlink()
        expect_error(
            DataConfig(corpus, str(directory)), directory / name, "missing", "put it there"
        )
        (directory / name).write_text("")
        expect_error(DataConfig(corpus, str(directory)), directory / name, "is empty")
        (directory / name).write_text(" \n\n")
        expect_error(DataConfig(corpus, str(directory)), directory / name, "is empty")


@pytest.mark.parametrize(
    ("config", "gives", "names"),
    [
        (LabeledDataConfig("table_file"), Labeled, ("train.csv", "train.jsonl")),
        (LabeledDataConfig("table_file"), Labeled, ("validation.csv", "dev.csv.gz")),
        (DataConfig("text_file"), Text, ("valid.txt", "validation.txt")),
        (ParallelDataConfig("parallel_text"), Pair, ("valid.de", "dev.de")),
    ],
)
def test_two_files_for_one_split_are_refused(tmp_path, config, gives, names):
    for name in names:
        (tmp_path / name).write_text("any text")
    config = dataclasses.replace(config, directory=str(tmp_path))
    with pytest.raises(UserError, match=f"has {' and '.join(names)} for the same split; keep one"):
        find_files(find_corpus(config.corpus, gives), config)


def test_packed_files_are_read_and_a_packed_copy_is_no_other_file(tmp_path):
    directory = write_files(tmp_path / "text", TEXT_FILES, "abc")
    expected = load_corpus(DataConfig("text_file", directory))
    for name in TEXT_FILES:
        path = Path(directory) / name
        path.with_name(f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert load_corpus(DataConfig("text_file", directory)) == expected
    for name in TEXT_FILES:
        (Path(directory) / name).unlink()
    assert load_corpus(DataConfig("text_file", directory)) == expected


def test_not_utf8_names_file_and_offset(tmp_path):
    directory = write_files(tmp_path / "text", TEXT_FILES, "abc")
    path = tmp_path / "text" / "valid.txt"
    path.write_bytes("äb".encode() + b"\xfc\n")
    expect_error(DataConfig("text_file", directory), path, "0xfc at offset 3")


def test_unreadable_file_is_named(tmp_path):
    directory = write_files(tmp_path / "text", TEXT_FILES, "abc")
    (tmp_path / "text" / "train.txt").unlink()
    (tmp_path / "text" / "train.txt").mkdir()
    path = tmp_path / "text" / "train.txt"
    expect_error(DataConfig("text_file", directory), f"cannot read {path}: it is a directory")


@pytest.mark.parametrize("corpus", ["text_file", "table_file", "trec", "parallel_text"])
def test_devices_and_pipes_are_refused_at_once(tmp_path, corpus):
    names = {
        "text_file": TEXT_FILES,
        "table_file": ("train.csv", "test.csv"),
        "trec": ("train.txt", "test.txt"),
        "parallel_text": ("train.de", "train.en"),
    }[corpus]
    load = {"text_file": load_corpus, "parallel_text": load_parallel_corpus}.get(
        corpus, load_labeled_corpus
    )
    record = {"text_file": DataConfig, "parallel_text": ParallelDataConfig}.get(
        corpus, LabeledDataConfig
    )
    for name in names:
        (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(UserError, match=r"cannot read .*: it is a device, not a regular file"):
        load(record(corpus, str(tmp_path)))
    for name in names:
        (tmp_path / name).unlink()
        os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match=r"cannot read .*: it is a named pipe, not a regular file"):
        load(record(corpus, str(tmp_path)))


@pytest.mark.parametrize("record", [DataConfig, LabeledDataConfig])
def test_a_device_in_place_of_the_only_file(record):
    corpus, load = (
        ("text_file", load_corpus) if record is DataConfig else ("table_file", load_labeled_corpus)
    )
    with pytest.raises(UserError, match="cannot read /dev/zero: it is a device"):
        load(record(corpus, "/dev/zero"))


@pytest.mark.parametrize(
    ("load", "config"),
    [
        (load_corpus, DataConfig("text_file", "~nosuchuser/texts")),
        (load_labeled_corpus, LabeledDataConfig("table_file", "~nosuchuser/texts")),
        (load_parallel_corpus, ParallelDataConfig("parallel_text", "~nosuchuser/texts")),
        (load_corpus, DataConfig("text_file", "/tmp/" + 300 * "x")),
        (load_labeled_corpus, LabeledDataConfig("table_file", "/tmp/" + 300 * "x")),
        (load_parallel_corpus, ParallelDataConfig("parallel_text", "/tmp/" + 300 * "x")),
    ],
)
def test_a_directory_whose_name_cannot_be_is_told(load, config):
    with pytest.raises(UserError, match=r"names no home directory|xxx: File name too long"):
        load(config)


@pytest.mark.parametrize(
    "fractions", [(0.9, 0.05, 0.06), (0.9, 0.1), (1.1, -0.2, 0.1), (0.9, 0.1, 0.0), ()]
)
def test_fractions_that_are_none(tmp_path, fractions):
    path = tmp_path / "book.txt"
    path.write_text("text " * 100)
    config = DataConfig("text_file", str(path), fractions=fractions)
    expect_error(config, "sum to 1", "fractions=0.9,0.05,0.05")


def test_a_split_that_is_empty_is_named(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("abc")
    expect_error(DataConfig("text_file", str(path)), "split validation", "0 characters")


def test_cache_that_cannot_be_written(tmp_path):
    directory = write_files(tmp_path / "text", TEXT_FILES, "abc")
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    config = DataConfig("text_file", directory, cache_directory=str(blocked))
    expect_error(config, blocked, "data.cache_directory=DIR")


# The download of tiny Shakespeare, without a network


URL = find_corpus("tiny_shakespeare", Text).url


def refuse(*arguments, **options):
    raise requests.ConnectionError("no route")


def test_without_a_network_the_file_and_its_place_are_told(monkeypatch):
    monkeypatch.setattr(requests, "get", refuse)
    expect_error(DataConfig("tiny_shakespeare"), URL, "as input.txt", "data.directory=DIR")


def test_an_answer_that_is_no_file_is_told(monkeypatch):
    answer = requests.Response()
    answer.status_code, answer.raw = 404, io.BytesIO(b"not found")
    monkeypatch.setattr(requests, "get", lambda url, **options: answer)
    expect_error(DataConfig("tiny_shakespeare"), f"cannot download {URL} (HTTPError)")


def test_a_downloaded_file_is_checked_and_kept(monkeypatch):
    text = b"A tree.\n" * 100

    def answer(url, timeout, stream):
        assert (url, timeout, stream) == (URL, 5, True)
        response = requests.Response()
        response.status_code, response.raw = 200, io.BytesIO(text)
        return response

    monkeypatch.setattr(requests, "get", answer)
    expect_error(DataConfig("tiny_shakespeare"), "its checksum differs")
    known = find_corpus("tiny_shakespeare", Text)
    changed = dataclasses.replace(known, sha256=hashlib.sha256(text).hexdigest())
    monkeypatch.setitem(corpora._CORPORA, "tiny_shakespeare", changed)
    assert load_corpus(DataConfig("tiny_shakespeare"))["train"] == ["A tree."] * 90
    monkeypatch.setattr(requests, "get", refuse)  # now it is in the cache
    assert load_corpus(DataConfig("tiny_shakespeare"))["test"] == ["A tree."] * 5


# Datasets that TFDS prepared


class PreparedPoems(tfds.core.GeneratorBasedBuilder):
    """A stranger's dataset."""

    VERSION = tfds.core.Version("2.0.0")
    SPLITS = ("train", "validation", "test")

    def _info(self):
        features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
        return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in self.SPLITS}

    def _generate_examples(self, split):
        yield 0, {"text": f"{split} one\nline two\n"}
        yield 1, {"text": "line three"}


def prepare_poems(directory):
    PreparedPoems(data_dir=directory, file_format="array_record").download_and_prepare()


def test_a_dataset_that_tfds_prepared_is_read_by_name(tmp_path):
    prepare_poems(tmp_path)
    for name in ("tfds:prepared_poems", "tfds:prepared_poems/2.0.0"):
        corpus = load_corpus(DataConfig(name, str(tmp_path)))
        assert corpus["validation"] == ["validation one", "line two", "line three"]


def test_unusable_tfds_datasets_are_told(tmp_path, monkeypatch):
    expect_error(DataConfig("tfds:prepared_poems", str(tmp_path)), "0 datasets", tmp_path)
    expect_error(DataConfig("tfds:prepared_poems"), "0 datasets", "data.directory=DIR")
    monkeypatch.setattr(PreparedPoems, "SPLITS", ("train", "test"))
    prepare_poems(tmp_path)
    expect_error(DataConfig("tfds:prepared_poems", str(tmp_path)), "no split validation")
    monkeypatch.setattr(PreparedPoems, "VERSION", tfds.core.Version("3.0.0"))
    prepare_poems(tmp_path)
    expect_error(
        DataConfig("tfds:prepared_poems", str(tmp_path)),
        "tfds:prepared_poems/2.0.0, tfds:prepared_poems/3.0.0",
    )


def test_a_dataset_in_another_format_is_told(tmp_path):
    prepare_poems(tmp_path)
    (path,) = tmp_path.rglob("dataset_info.json")
    path.write_text(path.read_text().replace("array_record", "tfrecord"))
    expect_error(DataConfig("tfds:prepared_poems", str(tmp_path)), path.parent, "array_record")
