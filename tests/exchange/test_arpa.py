"""ARPA files: what is written is read back, others' are read, and what is broken is told."""

import gzip
import re

import numpy as np
import pytest

import zoo
from zoo.data.batching import shift_targets
from zoo.data.vocabulary import SubwordVocabulary, build_vocabulary, encode_lines
from zoo.errors import UserError
from zoo.exchange.arpa import read_arpa, write_arpa
from zoo.models import kneser_ney, maximum_likelihood
from zoo.models.ngram_lm import NGramConfig, NGramLM
from zoo.special_tokens import START_ID

LINES = ["the cat sat on the mat", "the dog sat", "a cat ran", "", "the dog ran on the mat"] * 2
OTHER = ["the cat ran on a dog", "the zebra sat"]

# Written by hand in the manner of SRILM: text before \data\, weights of 0 left out, no <unk>.
BY_HAND = """\
made by hand

\\data\\
ngram 1=4
ngram 2=3

\\1-grams:
-0.60206\tb
-0.30103\t</s>
-99\t<s>\t-0.30103
-0.60206\ta\t-0.1

\\2-grams:
-0.5\t<s> a
-0.2\ta b
-0.4\ta </s>

\\end\\
"""


def trained(kind="word", order=3, estimate=kneser_ney.estimate):
    vocabulary = build_vocabulary(kind, LINES)
    params = estimate(encode_lines(vocabulary, LINES), NGramConfig(order=order), len(vocabulary))
    return params.params, vocabulary


def score(params, vocabulary, order, lines=OTHER):
    tokens = encode_lines(vocabulary, lines)
    model = NGramLM(NGramConfig(order=order), len(vocabulary))
    return model.token_log_probabilities(params, shift_targets(tokens), tokens)


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
@pytest.mark.parametrize("kind", ["word", "character"])
@pytest.mark.parametrize("order", [1, 3])
def test_what_is_written_is_read_back(tmp_path, name, kind, order):
    params, vocabulary = trained(kind, order)
    write_arpa(tmp_path / name, params, vocabulary)
    found = read_arpa(tmp_path / name)
    assert found.order == order
    assert (found.vocabulary.kind, found.vocabulary.tokens) == (kind, vocabulary.tokens)
    expected = score(params, vocabulary, order)
    np.testing.assert_allclose(
        score(found.params, found.vocabulary, order), expected, rtol=1e-4, atol=1e-5
    )
    compressed = (tmp_path / name).read_bytes()[:2] == b"\x1f\x8b"
    assert compressed == name.endswith(".gz")


def test_zeros_of_maximum_likelihood_come_back(tmp_path):
    params, vocabulary = trained(order=2, estimate=maximum_likelihood.estimate)
    write_arpa(tmp_path / "ml.arpa", params, vocabulary)
    found = read_arpa(tmp_path / "ml.arpa")
    scores = score(found.params, found.vocabulary, 2)
    assert np.isinf(scores).any()
    np.testing.assert_allclose(scores, score(params, vocabulary, 2), rtol=1e-4, atol=1e-5)


def test_the_file_is_as_the_form_wants_it(tmp_path):
    params, vocabulary = trained()
    write_arpa(tmp_path / "model.arpa", params, vocabulary)
    text = (tmp_path / "model.arpa").read_text()
    counts = [len(params[f"order_{n}"]["log_prob"]) for n in (1, 2, 3)]
    listed = "".join(f"ngram {n}={count}\n" for n, count in enumerate(counts, 1))
    assert text.startswith(f"\\data\\\n{listed}\n")
    assert text.endswith("\n\\end\\\n")
    for n, count in enumerate(counts, 1):
        section = text.split(f"\\{n}-grams:\n")[1].split("\n\n")[0].splitlines()
        assert len(section) == count
        for line in section:
            assert re.fullmatch(rf"-?[\d.e-]+\t(\S+ ?){{{n}}}(\t-?[\d.e-]+)?", line), line
    assert re.search(r"^-99\t<s>\t-", text, re.MULTILINE)


def test_a_file_of_others_is_read_and_used_as_a_checkpoint(tmp_path):
    path = tmp_path / "hand.arpa"
    path.write_text(BY_HAND)
    checkpoint = zoo.load(path)
    assert checkpoint.vocabulary.tokens == ["<unk>", "<s>", "</s>", "b", "a"]
    # <s> a: -0.5, a b: -0.2, b </s>: b has no weight, so 0, and -0.30103
    assert zoo.perplexity(checkpoint, "ab") == pytest.approx(10 ** ((0.5 + 0.2 + 0.30103) / 3))
    # <s> b: backs off from <s>
    found = zoo.perplexity(checkpoint, "b")
    assert found == pytest.approx(10 ** ((0.30103 + 0.60206 + 0.30103) / 2))
    assert set(zoo.generate(checkpoint, max_tokens=20, seed=1)) <= set("ab\n")


def test_kenlm_writes_one_as_the_probability_of_the_start(tmp_path):
    path = tmp_path / "hand.arpa"
    path.write_text(BY_HAND.replace("-99\t<s>", "0\t<s>"))
    assert read_arpa(path).params["order_1"]["log_prob"][START_ID] == -np.inf


LINE_NUMBERS = {line: number for number, line in enumerate(BY_HAND.splitlines(), 1)}


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("ngram 2=3", "ngram 3=3", 5, "expected ngram 2=COUNT"),
        ("ngram 2=3", "ngram 2=4", 17, "expected a number and 2 tokens, found ''"),
        ("ngram 2=3", "ngram 2=2", 16, r"expected \\end\\, found '-0.4"),
        ("-0.2\ta b", "-0.2\ta b c", 15, "expected a number and 2 tokens"),
        ("-0.2\ta b", "-0.2\ta c", 15, "'c' is not among the 1-grams"),
        ("-0.2\ta b", "minus\ta b", 15, "expected numbers, found 'minus'"),
        ("-0.2\ta b", "0.2\ta b", 15, "0.2 is no log10 of a probability"),
        ("-0.2\ta b", "-0.5\t<s> a", 15, "stands there twice"),
        ("-0.60206\tb", "-0.60206\ta", 11, "a token stands twice"),
        ("-0.30103\t</s>", "-0.30103\t</s>\tnan", 9, "or nan no number"),
        ("\\2-grams:", "\\3-grams:", 13, r"expected \\2-grams:"),
        ("\n\\end\\\n", "", 16, "the file ends here"),
        ("\\data\\", "\\date\\", 18, "the file ends here"),
    ],
)
def test_a_broken_line_is_told_by_its_number(tmp_path, before, after, line, message):
    path = tmp_path / "broken.arpa"
    assert before in BY_HAND
    path.write_text(BY_HAND.replace(before, after, 1))
    with pytest.raises(UserError, match=rf"broken\.arpa: line {line}: .*{message}"):
        read_arpa(path)


def test_an_ngram_without_its_beginning_is_told(tmp_path):
    path = tmp_path / "broken.arpa"
    longer = "-0.2\ta b\n-0.1\tb a\n\n\\3-grams:\n-0.1\tb b a\n\n\\end\\\n"
    head = BY_HAND.replace("ngram 2=3", "ngram 2=3\nngram 3=1").split("-0.2\ta b")[0]
    path.write_text(head + longer)
    with pytest.raises(UserError, match=r"line 20: its first words are not among the shorter"):
        read_arpa(path)


def test_files_that_cannot_be_read_are_told(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*nothing\.arpa: No such file"):
        read_arpa(tmp_path / "nothing.arpa")
    (tmp_path / "latin.arpa").write_bytes(BY_HAND.replace("b", "\xe9").encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8"):
        read_arpa(tmp_path / "latin.arpa")
    whole = gzip.compress(BY_HAND.encode())
    (tmp_path / "cut.arpa.gz").write_bytes(whole[:-20])
    with pytest.raises(UserError, match=r"cannot read .*cut\.arpa\.gz"):
        read_arpa(tmp_path / "cut.arpa.gz")


def test_what_cannot_be_written_is_told_and_leaves_nothing(tmp_path):
    params, vocabulary = trained()
    with pytest.raises(UserError, match=r"doesn't end with \.arpa or \.arpa\.gz"):
        write_arpa(tmp_path / "model.txt", params, vocabulary)
    with pytest.raises(UserError, match="cannot write"):
        write_arpa(tmp_path / "absent" / "model.arpa", params, vocabulary)
    subwords = build_vocabulary("subword", LINES, max_size=25)
    assert isinstance(subwords, SubwordVocabulary)
    with pytest.raises(UserError, match="spaces an ARPA file can't hold"):
        write_arpa(tmp_path / "model.arpa", params, subwords)
    assert list(tmp_path.iterdir()) == []
