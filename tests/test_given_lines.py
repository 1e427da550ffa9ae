"""The texts that commands are given: one rule for arguments, files and pipes."""

import io
import itertools
import os

import pytest

from zoo.commands.lines import LINES_A_CALL, given_lines, read_plain
from zoo.data.config import DataConfig
from zoo.data.loading import load_corpus
from zoo.errors import UserError


@pytest.fixture
def pipe(monkeypatch):
    """Makes bytes the standard input."""

    def make(content):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))

    return make


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"red\nblue\n", ["red", "blue"]),
        (b"\xef\xbb\xbfred\r\n\r\nblue", ["red", "", "blue"]),
        (b"\n\n", ["", ""]),
        ("a\rb\u2028c\x85\n".encode(), ["a\rb\u2028c\x85"]),
        ("\ufeffrot\r\nblau\r\n".encode("utf-16-le"), ["rot", "blau"]),
    ],
)
def test_a_file_and_a_pipe_have_the_same_lines(tmp_path, pipe, content, lines):
    path = tmp_path / "texts.txt"
    path.write_bytes(content)
    pipe(content)
    assert [line for part in given_lines([], None) for line in part] == lines
    assert list(given_lines([], str(path))) == [lines]
    if any(lines):
        assert read_plain(str(path)).removesuffix("\n").split("\n") == lines


def test_a_file_at_home_and_a_dash_for_the_pipe(tmp_path, pipe, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.txt").write_text("at home\n")
    assert list(given_lines([], "~/mine.txt")) == [["at home"]]
    assert read_plain("~/mine.txt") == "at home\n"
    pipe(b"red\n")
    assert list(given_lines([], "-")) == [["red"]]


def test_a_long_file_and_a_long_pipe_come_in_parts(tmp_path, pipe):
    path = tmp_path / "texts.txt"
    path.write_text("x\n" * (LINES_A_CALL + 1))
    assert [len(part) for part in given_lines([], str(path))] == [LINES_A_CALL, 1]
    pipe(path.read_bytes())
    assert [len(part) for part in given_lines([], None)] == [LINES_A_CALL, 1]


class Endless(io.BytesIO):
    """A pipe on which lines come without end, in pieces that do not end where lines do."""

    def read1(self, size=-1):
        return b"one two\nthree\nfo"


def test_a_pipe_without_end_is_worked_on(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Endless()))
    parts = itertools.islice(given_lines([], None), 1000)
    assert {tuple(part) for part in parts} == {("one two", "three"), ("foone two", "three")}


def test_a_file_is_read_only_as_far_as_it_is_worked_on(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes(b"x\n" * (1 << 20) + b"\xff\n")  # what is wrong comes late
    assert len(next(given_lines([], str(path)))) == LINES_A_CALL


def test_lines_of_a_pipe_come_as_soon_as_they_are_written(monkeypatch):
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as reader, os.fdopen(write_end, "wb", buffering=0) as writer:
        monkeypatch.setattr("sys.stdin", reader)
        lines = given_lines([], None)
        for word in ("red", "blue"):
            writer.write(f"{word}\r\n".encode())
            assert next(lines) == [word]


class Broken(io.BytesIO):
    """An input that cannot be read."""

    def read1(self, size=-1):
        raise OSError(5, "Input/output error")


def test_what_is_no_text_is_told(tmp_path, pipe, monkeypatch):
    pipe(b"red\nbl\xfce\n")
    with pytest.raises(UserError, match="standard input is not UTF-8: byte 0xfc at offset 6"):
        list(given_lines([], None))
    with pytest.raises(UserError, match=r"text 'caf\\udce9' is not UTF-8; convert it"):
        list(given_lines(["caf\udce9"], None))
    (tmp_path / "empty.txt").touch()
    with pytest.raises(UserError, match=r"empty\.txt is empty"):
        list(given_lines([], str(tmp_path / "empty.txt")))
    with pytest.raises(UserError, match="cannot read /dev/zero: it is a device"):
        list(given_lines([], "/dev/zero"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Broken()))
    with pytest.raises(UserError, match="cannot read standard input: Input/output error"):
        list(given_lines([], None))
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UserError, match="there is no text; give a text"):
        list(given_lines([], None))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_one_file_is_one_text_for_training_and_evaluation(tmp_path, monkeypatch, encoding):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    content = " red  blue\r\n\r\ngr\u00fcn\x85\rrot\nred".encode(encoding)
    for name in ("train.txt", "valid.txt", "test.txt"):
        (tmp_path / name).write_bytes(content)
    lines = load_corpus(DataConfig("text_file", str(tmp_path)))["test"]
    assert lines == [" red  blue", "", "gr\u00fcn\x85\rrot", "red"]
    assert read_plain(str(tmp_path / "test.txt")).split("\n") == lines
    assert list(given_lines([], str(tmp_path / "test.txt"))) == [lines]
