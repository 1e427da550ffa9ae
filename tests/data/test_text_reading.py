"""How bytes become text: line ends, marks, encodings, kinds of files and packed files."""

import gzip
import io
import os
import re
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zoo.data import text_reading
from zoo.data.text_reading import checksum, numbered_lines, read_lines, read_text, text_lines
from zoo.errors import UserError


def write(tmp_path, content, name="t.txt"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


class Dribble(io.BytesIO):
    """A pipe from which one byte comes at a time."""

    def read1(self, size=-1):
        return super().read1(1)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\xef\xbb\xbf", []),
        (b"a", ["a"]),
        (b"a\nb\n", ["a\n", "b\n"]),
        (b"\xef\xbb\xbfa\r\n\r\nb\r\n", ["a\n", "\n", "b\n"]),
        (b"a\rb\r\r\nc\r", ["a\rb\r\n", "c\r"]),
        ("\ufeffa\ufeff\n\ufeffb".encode(), ["a\ufeff\n", "\ufeffb"]),
        ("x\x0by\u2028z\x85\x0c".encode(), ["x\x0by\u2028z\x85\x0c"]),
        ("\ufeffä\r\nb".encode("utf-16-le"), ["ä\n", "b"]),
        ("\ufeffä\r\nb".encode("utf-16-be"), ["ä\n", "b"]),
    ],
)
def test_the_rule_for_lines(tmp_path, content, lines):
    assert list(text_lines(io.BytesIO(content), "t")) == lines
    if content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        assert list(text_lines(Dribble(content), "t")) == lines
    if lines:
        assert list(read_lines(write(tmp_path, content))) == lines
        packed = write(tmp_path, gzip.compress(content), "t.txt.gz")
        assert read_text(packed) == "".join(lines)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@example("\ufeff\r\n")
def test_any_text_is_read_as_its_lines(text):
    wanted = re.sub("\r\n", "\n", text.removeprefix("\ufeff"))
    for file in (io.BytesIO(text.encode()), Dribble(text.encode())):
        lines = list(text_lines(file, "t"))
        assert "".join(lines) == wanted
        assert all(line.find("\n") in (-1, len(line) - 1) for line in lines)


def test_a_long_line_takes_no_time(monkeypatch):
    monkeypatch.setattr(text_reading, "_CHUNK_BYTES", 16)
    text = "x" * 400_000
    assert list(text_lines(io.BytesIO(text.encode()), "t")) == [text]


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("äb".encode() + b"\xfc\n", "t is not UTF-8: byte 0xfc at offset 3; save it as UTF-8, or "),
        (b"\xef\xbb\xbfab\xfc\n", "t is not UTF-8: byte 0xfc at offset 5;"),
        (b"abc\xc3", "t is not UTF-8: byte 0xc3 at offset 3;"),
        (b"a\n\xed\xa0\x80\n", "t is not UTF-8: byte 0xed at offset 2;"),
        (b"PK\3\4\x14\0\xff", "t is not plain text: it is an Excel or Word file or another ZIP ar"),
        (
            b"%PDF-1.7\n\xe2\n",
            "t is not plain text: it is a PDF file; save its text as .csv, .tsv or",
        ),
        ("ab".encode("utf-16-le"), "t is not plain text: it contains bytes of the value 0"),
    ],
)
def test_other_bytes_are_refused_where_they_stand(monkeypatch, chunk, content, message):
    monkeypatch.setattr(text_reading, "_CHUNK_BYTES", chunk)
    with pytest.raises(UserError) as caught:
        list(text_lines(io.BytesIO(content), "t"))
    assert str(caught.value).startswith(message)


def test_a_blank_file_is_empty_unless_blank_lines_are_wanted(tmp_path):
    path = write(tmp_path, b"\n \r\n")
    with pytest.raises(UserError, match=r"t\.txt is empty; put the text into it"):
        read_text(path)
    assert list(read_lines(path, blank_is_text=True)) == ["\n", " \n"]
    with pytest.raises(UserError, match=r"t\.txt is empty"):
        list(read_lines(write(tmp_path, b""), blank_is_text=True))


def test_lines_have_their_numbers(tmp_path):
    path = write(tmp_path, b"\xef\xbb\xbf\r\na\r\n\n b")
    assert list(numbered_lines(path)) == [("a", f"{path}, line 2"), (" b", f"{path}, line 4")]


@pytest.mark.parametrize("read", [read_text, checksum, lambda path: next(read_lines(path))])
def test_only_regular_files_are_opened(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name, kind in (("pipe", "a named pipe"), ("link", "a device"), (".", "a directory")):
        path = tmp_path / name
        with pytest.raises(UserError) as caught:
            read(path)
        assert str(caught.value).startswith(
            f"cannot read {path}: it is {kind}, not a regular file; give the name of a file"
        )
    with pytest.raises(UserError, match=r"cannot read .*: No such file"):
        read(tmp_path / "nothing")


def test_what_a_packed_file_may_unpack_to(tmp_path, monkeypatch):
    monkeypatch.setattr(text_reading, "SMALL_FILE_BYTES", 1000)
    path = write(tmp_path, gzip.compress(b"x\n" * 500), "small.txt.gz")
    assert len(read_text(path)) == 1000
    size = path.stat().st_size
    path = write(tmp_path, gzip.compress(b"x\n" * 501), "small.txt.gz")
    with pytest.raises(UserError, match="unpacks to more than 1,000 bytes, too many for its size"):
        read_text(path)
    monkeypatch.setattr(text_reading, "MAX_EXPANSION", 1002 / size)
    assert len(read_text(path)) == 1002


def test_a_bomb_costs_no_memory(tmp_path):
    path = write(tmp_path, gzip.compress(b"x" * 50_000_000), "bomb.txt.gz")
    tracemalloc.start()
    with pytest.raises(UserError, match="unpacks to more than"):
        read_text(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_limit_of_bytes():
    content = b"x\n" * 10
    assert len(list(text_lines(io.BytesIO(content), "t", 20))) == 10
    with pytest.raises(UserError, match="t unpacks to more than 19 bytes, too many for its size"):
        list(text_lines(io.BytesIO(content), "t", 19))


def test_a_packed_table_of_tiny_rows_is_refused_before_its_first_line(tmp_path):
    path = write(tmp_path, gzip.compress(b"a,b\n" * 1_000_000), "bomb.csv.gz")
    with pytest.raises(UserError, match="unpacks to more than"):
        next(read_lines(path))
