"""Tokens on disk: the batches of those in memory, in the same memory however long the text."""

import subprocess
import sys
import tempfile

import numpy as np
import pytest

from zoo.data import token_file
from zoo.data.batching import SentenceBatches
from zoo.data.labeled_batching import LabeledBatches
from zoo.data.parallel_batching import ParallelBatches
from zoo.data.streams import StreamBatches
from zoo.data.token_file import (
    TokenFile,
    encode_to_file,
    make_rows,
    pieces_of,
    row_lengths,
)
from zoo.data.vocabulary import build_vocabulary, encode_lines
from zoo.errors import UserError
from zoo.special_tokens import END_ID


@pytest.fixture
def tokens():
    generator = np.random.default_rng(3)
    stream = generator.integers(3, 50, 997).astype(np.int32)
    stream[generator.integers(0, 996, 90)] = END_ID
    stream[-1] = END_ID
    return stream


@pytest.fixture
def on_disk(tokens):
    return TokenFile(np.split(tokens, [1, 1, 400, 996]))


def test_a_part_is_read_as_from_an_array(tokens, on_disk):
    assert len(on_disk) == len(tokens)
    for start, stop in ((0, 997), (5, 9), (9, 5), (990, 2000), (-4, -1), (None, 3)):
        part = on_disk[start:stop]
        assert part.dtype == np.int32
        np.testing.assert_array_equal(part, tokens[start:stop])
    np.testing.assert_array_equal(np.asarray(on_disk), tokens)
    with pytest.raises(IndexError, match="step -1"):
        on_disk[::-1]


def test_pieces_make_the_text(tokens, on_disk, monkeypatch):
    monkeypatch.setattr(token_file, "_PIECE", 100)
    pieces = list(pieces_of(on_disk))
    assert [len(piece) for piece in pieces] == [100] * 9 + [97]
    np.testing.assert_array_equal(np.concatenate(pieces), tokens)


@pytest.mark.parametrize("random_offset", [False, True])
def test_streams_from_disk_are_those_from_memory(tokens, on_disk, random_offset):
    options = {"batch_size": 3, "sequence_length": 7, "seed": 1, "random_offset": random_offset}
    assert_same_batches(StreamBatches(on_disk, **options), StreamBatches(tokens, **options))


def test_sentences_from_disk_are_those_from_memory(tokens, on_disk, monkeypatch):
    options = {"batch_size": 4, "bucket_lengths": (8, 16), "seed": 2}
    expected = SentenceBatches(tokens, **options)
    monkeypatch.setattr(token_file, "_PIECE", 10)
    assert_same_batches(SentenceBatches(on_disk, **options), expected)


def assert_same_batches(found, expected):
    assert found.batches_per_epoch == expected.batches_per_epoch
    for epoch in (0, 5):
        for index in range(found.batches_per_epoch):
            for left, right in zip(
                found.batch(epoch, index), expected.batch(epoch, index), strict=True
            ):
                assert left.dtype == right.dtype
                np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("kind", ["character", "word"])
def test_lines_are_encoded_as_in_memory(kind, monkeypatch, tmp_path):
    lines = ["ab c", "", "c", "é ab", "c d e"]
    vocabulary = build_vocabulary(kind, lines[:3])
    monkeypatch.setattr(token_file, "_LINES_AT_A_TIME", 2)
    encode_to_file(tmp_path / "tokens", vocabulary, iter(lines))
    found = TokenFile.stored(tmp_path / "tokens", len(vocabulary))
    np.testing.assert_array_equal(np.asarray(found), encode_lines(vocabulary, lines))
    encode_to_file(tmp_path / "none", vocabulary, [])
    assert len(TokenFile.stored(tmp_path / "none", len(vocabulary))) == 0


@pytest.mark.parametrize(("size", "num_bytes"), [(256, 1), (257, 2), (65_536, 2), (65_537, 4)])
def test_a_stored_token_has_the_bytes_that_the_vocabulary_needs(tmp_path, size, num_bytes):
    vocabulary = build_vocabulary("word", [" ".join(f"w{n}" for n in range(size - 3))])
    assert len(vocabulary) == size
    encode_to_file(tmp_path / "tokens", vocabulary, [vocabulary.tokens[-1], "unheard"])
    assert (tmp_path / "tokens").stat().st_size == 4 * num_bytes
    found = TokenFile.stored(tmp_path / "tokens", size)[:]
    assert (found.tolist(), found.dtype) == ([size - 1, END_ID, 0, END_ID], np.int32)


def test_no_room_is_told_with_the_directory(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(UserError, match=r"missing: No such file.*TMPDIR"):
        TokenFile([np.arange(3)])


MEASURE = """
import resource, sys
from pathlib import Path
from zoo.data.streams import StreamBatches
from zoo.data.token_file import TokenFile, encode_to_file
from zoo.data.vocabulary import build_vocabulary

line = "the quick brown fox jumps over the lazy dog"
vocabulary = build_vocabulary("character", [line])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path = Path(sys.argv[2])
encode_to_file(path, vocabulary, (line for _ in range(int(sys.argv[1]))))
tokens = TokenFile.stored(path, len(vocabulary))
batches = StreamBatches(tokens, batch_size=64, sequence_length=128, seed=0, random_offset=True)
for index in range(0, batches.batches_per_epoch, 50):
    batches.batch(0, index)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_longer_text_takes_no_more_memory(tmp_path):
    """20 million tokens on disk, where an array of them takes 80 MB."""
    command = [sys.executable, "-c", MEASURE]
    short, long = (
        int(subprocess.check_output([*command, str(num_lines), tmp_path / str(num_lines)]))
        for num_lines in (20_000, 450_000)
    )
    assert long - short < 8_000, "kilobytes"


# Rows of tokens


def random_rows(count):
    draw = np.random.default_rng(0)
    return [np.append(draw.integers(3, 9, size), 2).astype(np.int32) for size in range(count)]


@pytest.mark.parametrize("most", [0, 100, 10_000])
def test_rows_are_the_same_in_memory_and_on_disk(monkeypatch, most):
    monkeypatch.setattr(token_file, "_TOKENS_IN_MEMORY", most)
    wanted = random_rows(40)
    rows = make_rows(iter(wanted))
    assert isinstance(rows._tokens, TokenFile) == (most < 10_000)
    chosen = np.array([7, 39, 0, 7])
    for found, expected in (
        (rows, wanted),
        (rows[5:20:3], wanted[5:20:3]),
        (rows[chosen], [wanted[row] for row in chosen]),
        (rows[chosen][1:], [wanted[row] for row in chosen[1:]]),
    ):
        assert [row.tolist() for row in found] == [row.tolist() for row in expected]
        assert row_lengths(found).tolist() == list(map(len, expected))
    assert rows[-1].dtype == np.int32
    assert rows[-1].tolist() == wanted[-1].tolist()
    with pytest.raises(IndexError):
        rows[40]
    assert len(make_rows([])) == 0
    options = {"batch_size": 4, "bucket_lengths": (8, 16), "seed": 3}
    targets = np.eye(40, dtype=np.float32)
    assert_same_batches(
        LabeledBatches(rows, targets, **options), LabeledBatches(wanted, targets, **options)
    )
    assert_same_batches(
        ParallelBatches(rows, rows[::-1], **options),
        ParallelBatches(wanted, wanted[::-1], **options),
    )


MEASURE_LABELED = """
import resource, sys
import numpy as np
import tensorflow_datasets
from zoo.data.config import LabeledDataConfig
from zoo.data.fingerprints import of_labeled
from zoo.data.labeled_batching import LabeledBatches, encode_texts
from zoo.data.loading import load_labeled_corpus
from zoo.data.vocabulary import build_vocabulary

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
config = LabeledDataConfig("table_file", sys.argv[1], sys.argv[1] + "/cache", max_tokens=20)
texts, labels = train = load_labeled_corpus(config).splits["train"]
rows = encode_texts(build_vocabulary("word", texts), texts, 20)
of_labeled(*train)
targets = np.zeros((len(rows), 1), np.float32)
batches = LabeledBatches(rows, targets, batch_size=32, bucket_lengths=(32,), seed=0)
for index in range(0, batches.batches_per_epoch, 10):
    batches.batch(0, index)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_more_labelled_texts_take_hardly_more_memory(tmp_path):
    """60,000 more texts, which as lists of Python strings would take 60 MB."""
    used = []
    for count in (20_000, 80_000):
        directory = tmp_path / str(count)
        directory.mkdir()
        words = " ".join(f"w{number}" for number in range(25))
        for split, size in (("train", count), ("validation", 9), ("test", 9)):
            rows = (f"{words} {number % 9},{number % 2}\n" for number in range(size))
            (directory / f"{split}.csv").write_text("text,label\n" + "".join(rows))
        command = [sys.executable, "-c", MEASURE_LABELED, str(directory)]
        used.append(int(subprocess.check_output(command, timeout=300)))
    assert used[1] - used[0] < 25_000, "kilobytes"
