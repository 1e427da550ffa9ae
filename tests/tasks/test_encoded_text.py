"""The tokens of a text are kept in the cache, and are those that the text has."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from zoo.data.config import TextConfig
from zoo.data.fingerprints import of_lines
from zoo.data.loading import load_corpus
from zoo.data.vocabulary import build_vocabulary, encode_lines
from zoo.tasks import encoded_text
from zoo.tasks.encoded_text import encode_corpus


@pytest.fixture
def data(corpus, tmp_path):
    return TextConfig(
        corpus="text_file", directory=str(corpus), cache_directory=str(tmp_path / "cache")
    )


def assert_is_the_text(found, data):
    lines = load_corpus(data)
    vocabulary = build_vocabulary(data.vocabulary, lines["train"], min_count=data.min_count)
    assert found.vocabulary.to_json() == vocabulary.to_json()
    for tokens, split in ((found.train[:], "train"), (found.validation, "validation")):
        assert tokens.dtype == np.int32
        np.testing.assert_array_equal(tokens, encode_lines(vocabulary, lines[split]))
    assert found.num_characters == sum(len(line) + 1 for line in lines["validation"])
    assert found.fingerprints == {split: of_lines(own) for split, own in lines.items()}


def test_the_second_process_reads_the_tokens_that_the_first_one_made(data, monkeypatch):
    assert_is_the_text(encode_corpus(data), data)
    with monkeypatch.context() as patch:
        patch.setattr(encoded_text, "build_vocabulary", pytest.fail)
        assert_is_the_text(encode_corpus(data), data)


@pytest.mark.parametrize("settings", [{"vocabulary": "word"}, {"min_count": 9}])
def test_other_settings_have_tokens_of_their_own(data, settings):
    encode_corpus(data)
    other = dataclasses.replace(data, **settings)
    assert_is_the_text(encode_corpus(other), other)
    assert_is_the_text(encode_corpus(data), data)


def test_damaged_tokens_are_made_again(data):
    encode_corpus(data)
    [path] = Path(data.cache_directory).glob("encoded/*/train.tokens")
    path.write_bytes(path.read_bytes()[::-1])
    assert_is_the_text(encode_corpus(data), data)


def test_a_text_that_no_name_is_known_of_is_not_kept(data, monkeypatch):
    lines = load_corpus(data)
    monkeypatch.setattr(encoded_text, "find_text", lambda data: ("", lambda: lines))
    assert_is_the_text(encode_corpus(data), data)
    assert not (Path(data.cache_directory) / "encoded").exists()
