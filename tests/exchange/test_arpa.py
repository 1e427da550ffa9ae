"""ARPA files: what is written is read back, others' are read, and what is broken is told."""

import gzip
import re
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from zoo.data.batching import shift_targets
from zoo.data.vocabulary import (
    CharacterVocabulary,
    SubwordVocabulary,
    build_vocabulary,
    encode_lines,
)
from zoo.errors import UserError
from zoo.exchange.arpa import read_arpa, write_arpa
from zoo.exchange.arpa_form import KINDS
from zoo.exchange.arpa_reader import ArpaWarning
from zoo.models import kneser_ney, maximum_likelihood
from zoo.models.ngram_lm import MAX_ORDER, NGramConfig, NGramLM
from zoo.special_tokens import SPECIAL_TOKENS, START_ID

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
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", [1, 3])
def test_what_is_written_is_read_back(tmp_path, name, kind, order):
    params, vocabulary = trained(kind, order)
    write_arpa(tmp_path / name, params, vocabulary)
    found = read_arpa(tmp_path / name)
    assert found.order == order
    assert (found.vocabulary.kind, found.vocabulary.tokens) == (kind, vocabulary.tokens)
    np.testing.assert_array_equal(
        score(found.params, found.vocabulary, order), score(params, vocabulary, order)
    )
    compressed = (tmp_path / name).read_bytes()[:2] == b"\x1f\x8b"
    assert compressed == name.endswith(".gz")


# One-letter words, words that look like parts of the form, blanks of Unicode, and marks.
PARTS = [
    "a",
    "b",
    "7",
    "-0.5",
    "\\end\\",
    "<UNK>",
    "<unk>",
    "</s>",
    "<U+0020>",
    "Don't",
    "é",
    "\u00a0",
    " ",
]
TEXTS = st.lists(st.lists(st.sampled_from(PARTS), max_size=6), min_size=1, max_size=6)


@given(
    kind=st.sampled_from(sorted(KINDS)),
    order=st.integers(1, 4),
    estimator=st.sampled_from([kneser_ney, maximum_likelihood]),
    joint=st.sampled_from(["", " "]),
    texts=st.tuples(TEXTS, TEXTS),
)
@settings(max_examples=60, deadline=None)
def test_every_model_that_is_read_again_scores_every_text_equally(
    kind, order, estimator, joint, texts
):
    train, other = ([joint.join(parts) for parts in text] for text in texts)
    vocabulary = build_vocabulary(kind, train)
    tokens = encode_lines(vocabulary, train)
    params = estimator.estimate(tokens, NGramConfig(order=order), len(vocabulary)).params
    with tempfile.TemporaryDirectory() as directory:
        write_arpa(f"{directory}/a.arpa", params, vocabulary)
        found = read_arpa(f"{directory}/a.arpa")
    assert found.vocabulary.to_json() == vocabulary.to_json()
    for lines in (train, other):
        np.testing.assert_array_equal(
            score(found.params, found.vocabulary, order, lines),
            score(params, vocabulary, order, lines),
        )


def test_zeros_of_maximum_likelihood_come_back(tmp_path):
    params, vocabulary = trained(order=2, estimate=maximum_likelihood.estimate)
    write_arpa(tmp_path / "ml.arpa", params, vocabulary)
    found = read_arpa(tmp_path / "ml.arpa")
    scores = score(found.params, found.vocabulary, 2)
    assert np.isinf(scores).any()
    np.testing.assert_array_equal(scores, score(params, vocabulary, 2))


def test_the_file_is_as_the_form_wants_it(tmp_path):
    params, vocabulary = trained()
    write_arpa(tmp_path / "model.arpa", params, vocabulary)
    text = (tmp_path / "model.arpa").read_text()
    counts = [len(params[f"order_{n}"]["log_prob"]) for n in (1, 2, 3)]
    listed = "".join(f"ngram {n}={count}\n" for n, count in enumerate(counts, 1))
    assert text.startswith(f"# zoo: vocabulary=word\n\\data\\\n{listed}\n")
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
    with pytest.warns(ArpaWarning) as caught:
        checkpoint = zoo.load(path)
    assert [re.search("read character by character|no <unk>", str(w.message)) for w in caught]
    assert checkpoint.vocabulary.tokens == ["<unk>", "<s>", "</s>", "b", "a"]
    # <s> a: -0.5, a b: -0.2, b </s>: b has no weight, so 0, and -0.30103
    assert zoo.perplexity(checkpoint, "ab") == pytest.approx(10 ** ((0.5 + 0.2 + 0.30103) / 3))
    # <s> b: backs off from <s>
    found = zoo.perplexity(checkpoint, "b")
    assert found == pytest.approx(10 ** ((0.30103 + 0.60206 + 0.30103) / 2))
    assert set(zoo.generate(checkpoint, max_tokens=20, seed=1)) <= set("ab\n")


@pytest.mark.filterwarnings("ignore::zoo.exchange.arpa_reader.ArpaWarning")
def test_kenlm_writes_one_as_the_probability_of_the_start(tmp_path):
    path = tmp_path / "hand.arpa"
    path.write_text(BY_HAND.replace("-99\t<s>", "0\t<s>"))
    assert read_arpa(path).params["order_1"]["log_prob"][START_ID] == -np.inf


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("ngram 2=3", "ngram 3=3", 5, "expected ngram 2=COUNT"),
        ("ngram 2=3", "ngram 2=4", 18, "expected ngram 2=4, found 3 2-grams"),
        ("ngram 2=3", "ngram 2=2", 16, "there are more 2-grams than ngram 2=2"),
        ("ngram 2=3", "ngram 2=0", 14, "there are more 2-grams than ngram 2=0"),
        ("ngram 2=3", "ngram 2=0\nngram 3=1", 6, "because the file has ngram 2=0"),
        ("ngram 2=3", "ngram 2=" + 5000 * "3", 5, "expected ngram 2=COUNT"),
        ("ngram 2=3", "ngram 2=²", 5, "expected ngram 2=COUNT, found 'ngram 2=²'"),
        ("ngram 1=4", "ngram 1=0", 4, "a model needs words"),
        ("ngram 1=4\nngram 2=3", "", 6, "expected ngram 1=COUNT, found"),
        (
            "made by hand",
            "# zoo: vocabulary=wrod",
            1,
            "is 'wrod'; write one of char",
        ),
        ("-0.30103\t</s>", "-0.30103\tc", 11, "there is no </s> among the 1-grams"),
        ("-0.2\ta b", "-0.2\ta b\t1e300", 15, "1e300' is no log10 of a back-off weight"),
        ("-0.2\ta b", "-0.2\ta \u00a0\t-0.1", 15, "is not among the 1-grams"),
        ("-0.2\ta b", "-0.2\ta b c", 15, "expected numbers, found '-0.2' and 'c'"),
        ("-0.2\ta b", "-0.2\ta b c d", 15, "expected a number and 2 tokens"),
        ("-0.2\ta b", "\v\x1c", 15, "expected a number and 2 tokens, found"),
        ("-0.2\ta b", "-0.2\ta c", 15, "'c' is not among the 1-grams"),
        ("-0.2\ta b", "minus\ta b", 15, "expected numbers, found 'minus'"),
        ("-0.2\ta b", "0.2\ta b", 15, "0.2' is no log10 of a probability"),
        ("-0.2\ta b", "-0.5\t<s> a", 15, "occurs twice"),
        ("-0.60206\tb", "-0.60206\ta", 11, "the token occurs twice"),
        ("-0.30103\t</s>", "-0.30103\t</s>\tnan", 9, "'nan' is no log10 of a back-off weight"),
        ("\\2-grams:", "\\3-grams:", 13, r"expected \\2-grams:"),
        ("\n\\end\\\n", "", 16, "the file ends here"),
        ("\\data\\", "\\date\\", 18, r"the file ends here, before \\data\\"),
        ("\\data\\", "x\n" * 10_000, 10_001, "there is no .* in the first 10000 lines"),
        ("\\2-grams:", "\n" * 10_001, 10_012, "more than 10000 blank lines"),
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
    with pytest.raises(UserError, match=r"latin\.arpa is not UTF-8"):
        read_arpa(tmp_path / "latin.arpa")
    whole = gzip.compress(BY_HAND.encode())
    (tmp_path / "cut.arpa.gz").write_bytes(whole[:-20])
    with pytest.raises(UserError, match=r"cannot read .*cut\.arpa\.gz"):
        read_arpa(tmp_path / "cut.arpa.gz")


BYTES = st.binary(max_size=4) | st.sampled_from(
    [b"\\end\\\n", b"\n", b"\t", b"-1", b"\xc2\xa0", b"\x0b"]
)


@given(
    edits=st.lists(st.tuples(st.integers(0, len(BY_HAND)), st.integers(0, 6), BYTES), max_size=4)
)
@settings(max_examples=200, deadline=None)
@pytest.mark.filterwarnings("ignore::zoo.exchange.arpa_reader.ArpaWarning")
def test_damaged_bytes_give_a_model_or_one_line(edits):
    content = BY_HAND.encode()
    for place, length, inserted in edits:
        content = content[:place] + inserted + content[place + length :]
    with tempfile.NamedTemporaryFile(suffix=".arpa") as file:
        file.write(content)
        file.flush()
        found, message = None, ""
        try:
            found = read_arpa(file.name)
        except UserError as error:
            message = str(error)
        assert found is not None or file.name in message
        assert "\n" not in message
        if found is not None:
            assert not np.isnan(score(found.params, found.vocabulary, found.order)).any()


def test_what_cannot_be_written_is_told_and_leaves_nothing(tmp_path):
    params, vocabulary = trained()
    with pytest.raises(UserError, match=r"must end with \.arpa or \.arpa\.gz"):
        write_arpa(tmp_path / "model.txt", params, vocabulary)
    with pytest.raises(UserError, match="cannot write"):
        write_arpa(tmp_path / "absent" / "model.arpa", params, vocabulary)
    subwords = build_vocabulary("subword", LINES, max_size=25)
    assert isinstance(subwords, SubwordVocabulary)
    with pytest.raises(UserError, match="spaces an ARPA file cannot"):
        write_arpa(tmp_path / "model.arpa", params, subwords)
    half = CharacterVocabulary([*SPECIAL_TOKENS, "\ud800"])
    with pytest.raises(UserError, match=r"half a character"):
        write_arpa(tmp_path / "model.arpa", {"order_1": params["order_1"]}, half)
    with pytest.raises(UserError, match=f"{MAX_ORDER} can be read again"):
        write_arpa(tmp_path / "model.arpa", dict.fromkeys(range(MAX_ORDER + 1)), vocabulary)
    assert list(tmp_path.iterdir()) == []
