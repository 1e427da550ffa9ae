"""Pre-trained vectors in every form, and files that are none."""

import gzip

import numpy as np
import pytest

from zoo.data.vocabulary import build_vocabulary, encode_lines
from zoo.data.word_vectors import load_word_vectors, vector_width
from zoo.errors import UserError

LINES = ["the cat sat", "the café zebra"]
VOCABULARY = build_vocabulary("word", LINES)
TOKENS = encode_lines(VOCABULARY, LINES)
WIDTH = 5
WORDS = ["</s>", "the", "cat", "café", "unrelated", "the"]
VECTORS = np.random.default_rng(0).normal(size=(len(WORDS), WIDTH)).astype(np.float32)


def text_lines():
    return "".join(
        f"{word} {' '.join(f'{x:.6f}' for x in vector)}\n"
        for word, vector in zip(WORDS, VECTORS, strict=True)
    ).encode()


def binary_rows(newline=b""):
    return b"".join(
        word.encode() + b" " + vector.tobytes() + newline
        for word, vector in zip(WORDS, VECTORS, strict=True)
    )


HEADER = f"{len(WORDS)} {WIDTH}\n".encode()
FORMS = {
    "glove": text_lines(),
    "word2vec text": HEADER + text_lines(),
    "word2vec binary": HEADER + binary_rows(),
    "word2vec binary with newlines": HEADER + binary_rows(b"\n"),
    "gzipped": gzip.compress(HEADER + binary_rows()),
}


def load(tmp_path, content):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    return load_word_vectors(str(path), VOCABULARY, TOKENS)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_vectors(tmp_path, form):
    found = load(tmp_path, FORMS[form])
    assert found.matrix.shape == (len(VOCABULARY), WIDTH)
    for number, token in enumerate(VOCABULARY.tokens):
        assert found.found[number] == (token in WORDS)
        expected = VECTORS[WORDS.index(token)] if token in WORDS else np.zeros(WIDTH)
        np.testing.assert_allclose(found.matrix[number], expected, atol=1e-6)  # the first "the"


def test_the_width_is_told_without_a_vocabulary(tmp_path):
    for name, content in FORMS.items():
        (tmp_path / name).write_bytes(content)
        assert vector_width(str(tmp_path / name)) == WIDTH
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(UserError, match="has no vectors"):
        vector_width(str(tmp_path / "empty"))


def test_the_report_counts_types_and_tokens(tmp_path):
    report = load(tmp_path, FORMS["glove"]).report
    # <unk>, <s>, sat and zebra have none; of 8 tokens sat and zebra
    assert report == (
        "vectors: 4 of 8 tokens have a vector of 5 numbers, 75.0 % of the training text; "
        "4 start at random"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"the 1 2 3\ncat 1 2\n", "line 2 has 2 numbers, expected 3"),
        (b"2 3\nthe 1 2 3\ncat 1 2 3 4\n", "line 3 has 4 numbers, expected 3"),
        (b"the 1 2 3\ncat 1 x 3\n", "line 2 is no word and 3 numbers"),
        (b"the\n", "line 1 has 0 numbers"),
        (b"2 0\n", "vectors have 0 numbers"),
        (b"dog 1 2\n", "has no vector for any of the 8 tokens"),
        (b"", "has no vector for any of the 8 tokens"),
        (HEADER + binary_rows()[:-3], "breaks at vector 6 of 6"),
        (gzip.compress(HEADER + binary_rows())[:-9], "cannot read"),
    ],
)
def test_a_broken_file_is_told(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        load(tmp_path, content)


def test_words_with_spaces_as_glove_840b_has_them(tmp_path):
    found = load(tmp_path, b"the 1 2 3\n. . . 4 5 6\ncat 7 8 9\n")
    assert found.matrix[VOCABULARY.tokens.index("cat")].tolist() == [7, 8, 9]


def test_a_missing_file_is_told():
    with pytest.raises(UserError, match="cannot read nowhere: No such file"):
        load_word_vectors("nowhere", VOCABULARY, TOKENS)
