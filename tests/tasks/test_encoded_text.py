"""The tokens of a text are kept in the cache, and are those that the text has."""

import dataclasses
import subprocess
import sys
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


MEASURE = """
import resource, sys
from zoo.data.config import TextConfig
from zoo.tasks.encoded_text import encode_corpus
import tensorflow_datasets

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
text = encode_corpus(TextConfig("text_file", sys.argv[1], sys.argv[1] + "/cache"))
text.summary()
print(len(text.train), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_longer_text_is_prepared_in_the_same_memory(tmp_path):
    """Of 5 MB more, a process that holds the text or its tokens would take at least 5 MB more."""
    used = []
    for num_lines in (10_000, 110_000):
        directory = tmp_path / str(num_lines)
        directory.mkdir()
        for split, count in (("train", num_lines), ("valid", 9), ("test", 9)):
            lines = (f"{n} bottles stand on the old green wall, or fall\n" for n in range(count))
            (directory / f"{split}.txt").write_text("".join(lines))
        command = [sys.executable, "-c", MEASURE, str(directory)]
        num_tokens, kilobytes = map(int, subprocess.check_output(command).split())
        assert num_tokens == (directory / "train.txt").stat().st_size
        used.append(kilobytes)
    assert used[1] - used[0] < 4_000, "kilobytes"
