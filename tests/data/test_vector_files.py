"""Files of vectors at any width, as other tools write them, and damaged ones."""

import gzip
import os

import numpy as np
import pytest

from zoo.data import vector_files
from zoo.data.vector_files import read_vectors
from zoo.errors import UserError

WORDS = ["red", "blue", "green"]


def read(tmp_path, content):
    """Returns the words of a file with that content, and its vectors as a matrix."""
    path = tmp_path / "vectors"
    path.write_bytes(content)
    entries = list(read_vectors(str(path)))
    return [word for word, _ in entries], np.array([vector for _, vector in entries])


def text(matrix, words=WORDS):
    rows = zip(words, matrix, strict=True)
    return "".join(f"{word} {' '.join(map(repr, row))}\n" for word, row in rows).encode()


def binary(matrix, words=WORDS):
    rows = zip(words, matrix.astype("<f4"), strict=True)
    return b"".join(word.encode() + b" " + row.tobytes() for word, row in rows)


@pytest.mark.parametrize("width", [1, 2, 25, 400, 600, 3000, 20_000])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_text_and_binary_are_told_apart_at_any_width(tmp_path, width, compress):
    matrix = np.random.default_rng(width).normal(size=(3, width))
    header = f"3 {width}\n".encode()
    for content in (text(matrix.tolist()), header + text(matrix.tolist()), header + binary(matrix)):
        words, found = read(tmp_path, compress(content))
        assert words == WORDS
        np.testing.assert_array_equal(found, matrix.astype(np.float32))


def test_random_bytes_of_binary_vectors_are_never_taken_for_text(tmp_path):
    random = np.random.default_rng(0)
    for width in (2, 3, 50):
        for _ in range(100):
            matrix = random.integers(0, 2**31, size=(3, width), dtype=np.uint32)
            matrix = np.where((matrix >> 23) == 255, 0x0A200A20, matrix).astype("<u4").view("<f4")
            words, found = read(tmp_path, f"3 {width}\n".encode() + binary(matrix))
            assert words == WORDS
            np.testing.assert_array_equal(found, matrix)


def test_binary_vectors_that_spell_two_numbers_are_not_taken_for_text(tmp_path):
    spelled = b"\x80\x3f 7 8 \x80\x3f\xc1 \x80\x3f\x01\x02\x03"
    words, found = read(tmp_path, b"1 4\nred " + spelled)
    assert (words, found.astype("<f4").tobytes()) == (["red"], spelled)


@pytest.mark.parametrize(
    ("content", "words", "matrix"),
    [
        (b"\xef\xbb\xbfred 1 2\nblue 3 4\n", ["red", "blue"], [[1, 2], [3, 4]]),
        (b"\xef\xbb\xbf2 2\nred 1 2\nblue 3 4\n", ["red", "blue"], [[1, 2], [3, 4]]),
        (b"\xef\xbb\xbf1 1\nred \0\0\x80\x3f", ["red"], [[1]]),
        (b"red\t1\t2\nblue\t3\t4\n", ["red", "blue"], [[1, 2], [3, 4]]),
        (b"2 2\r\nred\t1 2\r\nblue  3   4 \r\n", ["red", "blue"], [[1, 2], [3, 4]]),
        (b" 1.0 2\nred 3 4\n", ["", "red"], [[1, 2], [3, 4]]),
        (b"2 2\n 1 2\nred 3 4\n", ["", "red"], [[1, 2], [3, 4]]),
        (b"2 2\n  1 2\nred 3 4\n", [" ", "red"], [[1, 2], [3, 4]]),
        (b"\xc2\xa0 1 2\nred 3 4\n", ["\xa0", "red"], [[1, 2], [3, 4]]),
        (b". . . 1 2\nred 3 4", [". . .", "red"], [[1, 2], [3, 4]]),
        (b"2 2\n. . 1 2\n7 3 4", [". .", "7"], [[1, 2], [3, 4]]),
        (b"nan 1 2\ninf 3 4\n", ["nan", "inf"], [[1, 2], [3, 4]]),
        (b"2 2\n\nred 1 2\n\nblue 3 4\n\n", ["red", "blue"], [[1, 2], [3, 4]]),
        (b"red 3e38 -3e38\n", ["red"], [[3e38, -3e38]]),
    ],
)
def test_what_other_tools_write_is_read(tmp_path, content, words, matrix):
    found = read(tmp_path, content)
    assert found[0] == words
    np.testing.assert_array_equal(found[1], np.float32(matrix))


ONE = np.float32(1).tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"red 1 2\nblue nan 1\n", r"vectors: line 2 has nan in the vector of 'blue'"),
        (b"1 2\nred 1 -inf\n", r"vectors: line 2 has -inf in the vector of 'red'"),
        (b"red 1 1e39\n", r"line 1 has inf in the vector of 'red'"),
        (b"1 2\nred " + ONE + np.float32(np.nan).tobytes(), "vector 1 of 1 has nan .* 'red'"),
        (b"5 2\nred 1 2\n", "line 1 says 5 vectors, but there are 1; copy the file again"),
        (b"1 2\nred 1 2\nblue 3 4\n", "line 1 says 1 vectors, but there are 2"),
        (b"1 1\nred " + ONE + b"blue " + ONE, "goes on after the 1 vectors that line 1 promises"),
        (b"3 1\nred " + ONE + b"blue " + ONE, "ends or breaks at vector 3 of 3"),
        (b"2 5\nred 1 2\nblue 3 4\n", "line 2 has 2 numbers, expected 5"),
        (b"2 2\nred 1 2 3\nblue 3 4 5\n", "line 2 has 3 numbers, expected 2"),
        (b"red 1 2\n 3\n", "line 2 has 1 numbers, expected 2"),
        (b"red 1 2\n\n\nblue 3\n", "line 4 has 1 numbers, expected 2"),
        (b"red 1 x\n", "line 1 has 0 numbers, expected some"),
        (b"red 1 2\n blue 4\n", "line 2 is no word and 2 numbers"),
        (b"2 0\nred\n", "line 1 says that 2 vectors have 0 numbers"),
        (b"2 100001\nred 1\n", "expected vectors of 1 to 100,000 numbers"),
        (b"9" * 5000 + b" 3\nred 1 2 3\n", "line 1 says that 9+ vectors have 3 numbers"),
        ("red 1 2\n".encode("utf-16"), "is UTF-16, but vectors must be UTF-8"),
    ],
)
def test_damage_is_told_with_its_place(tmp_path, content, message):
    with pytest.raises(UserError, match=message) as told:
        read(tmp_path, content)
    assert "\n" not in str(told.value)


def test_a_line_without_an_end_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(vector_files, "_LONGEST_LINE", 100)
    with pytest.raises(UserError, match="line 2 has more than 100 bytes"):
        read(tmp_path, b"red 1\nblue" + b" 1" * 100)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", str(tmp_path), str(tmp_path / "pipe")):
        with pytest.raises(UserError, match="is no regular file"):
            next(read_vectors(path))


@pytest.mark.parametrize(
    "path", ["nowhere", "~nobodyofthisname/x", "a\0b", "x" * 300], ids=["no", "user", "NUL", "long"]
)
def test_a_path_that_leads_nowhere_is_told(path):
    with pytest.raises(UserError, match="cannot read"):
        next(read_vectors(path))


def test_random_damage_ends_in_vectors_or_in_one_line(tmp_path):
    random = np.random.default_rng(1)
    matrix = random.normal(size=(3, 4))
    header = b"3 4\n"
    for content in (text(matrix.tolist()), header + text(matrix.tolist()), header + binary(matrix)):
        for _ in range(150):
            damaged = bytearray(content)
            for place in random.integers(0, len(damaged), size=random.integers(1, 4)):
                damaged[place] = random.integers(256)
            cut = random.integers(1, len(damaged) + 1)
            try:
                _, found = read(tmp_path, bytes(damaged[: cut if random.random() < 0.3 else None]))
            except UserError as error:
                assert "\n" not in str(error)  # noqa: PT017
            else:
                assert np.isfinite(found).all()
