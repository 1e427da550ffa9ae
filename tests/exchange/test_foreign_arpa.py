"""ARPA files as other toolkits write and name them; files that are none, or unpack to too much."""

import bz2
import gzip
import os
import re

import pytest

import zoo
from zoo.errors import Note, UserError
from zoo.exchange import ARPA_SUFFIXES, arpa_lines
from zoo.exchange.arpa import read_arpa
from zoo.exchange.arpa_reader import ArpaWarning

# <s> is never predicted; red, blue and </s> cost 0.4 + 0.4 + 0.5 = 1.3: 10^(1.3 / 3) = 2.7123.
UNIGRAMS = """\
\\data\\
ngram 1=5

\\1-grams:
-1\t<unk>
-99\t<s>
-0.5\t</s>
-0.4\tred
-0.4\tblue

\\end\\
"""
PERPLEXITY = 10 ** (1.3 / 3)
VARIANTS = {
    "as it is": lambda text: text,
    "a blank line before the counts": lambda text: text.replace("\\data\\\n", "\\data\\\n\n"),
    "a blank line below the header": lambda text: text.replace("1-grams:\n", "1-grams:\n \n"),
    "no blank line below the counts": lambda text: text.replace("=5\n\n", "=5\n"),
    "a blank line after every line": lambda text: text.replace("\n", "\n\n"),
    "no blank lines": lambda text: text.replace("\n\n", "\n"),
    "no newline at the end": lambda text: text.removesuffix("\n"),
    "blanks around the counts": lambda text: text.replace("ngram 1=5", " ngram  1 = 5 "),
    "line ends of Windows": lambda text: text.replace("\n", "\r\n"),
    "a byte-order mark": lambda text: "\ufeff" + text,
    "text around it": lambda text: f"iARPA\nngram 9=9\n{text}more\n",
    "spaces for tabs": lambda text: text.replace("\t", " "),
    "an empty order": lambda text: text.replace("=5\n", "=5\nngram 2=0\n").replace(
        "\\end", "\\2-grams:\n\n\\end"
    ),
    "empty orders without a section": lambda text: text.replace(
        "=5\n", "=5\nngram 2=0\nngram 3=0\n"
    ),
    "a weight of 0 at the highest order": lambda text: re.sub("(-0.4.*)", r"\1\t0", text),
    "<UNK> in capitals": lambda text: text.replace("<unk>", "<UNK>"),
    "all marks in capitals": lambda text: re.sub("<.*>", lambda m: m.group().upper(), text),
    "<UNK> as a word beside <unk>": lambda text: text.replace("=5", "=6").replace(
        "-0.4\tblue", "-0.4\tblue\n-0.1\t<UNK>"
    ),
    "no <s>": lambda text: text.replace("=5", "=4").replace("-99\t<s>\n", ""),
    "minus infinity": lambda text: text.replace("-99", "-inf"),
    "a word with a blank of Unicode": lambda text: (
        text.replace("=5", "=6")
        .replace("-0.4\tblue", "-0.4\tblue\n-0.1\tdark\u00a0blue\t-0.3")
        .replace("-0.3", "0")
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_other_toolkits_write_is_read_as_it_is_meant(tmp_path, variant):
    path = tmp_path / "other.arpa"
    path.write_bytes(VARIANTS[variant](UNIGRAMS).encode())
    checkpoint = zoo.load(path)
    assert zoo.perplexity(checkpoint, "red blue") == pytest.approx(PERPLEXITY)
    if "<s>" not in variant:
        with pytest.warns(Note, match="1 of 3 tokens"):
            with_unknown = zoo.perplexity(checkpoint, "red pink")
        assert with_unknown == pytest.approx(10 ** (1.9 / 3))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("-1\t<unk>\n", "", "there is no <unk>, so a word that it lacks has probability 0"),
        ("blue", "blue\t-0.1", "the longest n-grams have back-off weights"),
    ],
)
def test_what_may_be_meant_otherwise_is_noted(tmp_path, before, after, message):
    path = tmp_path / "other.arpa"
    text = UNIGRAMS.replace(before, after)
    path.write_text(text if after else text.replace("=5", "=4"))
    with pytest.warns(ArpaWarning, match=rf"other\.arpa: {message}"):
        checkpoint = zoo.load(path)
    assert zoo.perplexity(checkpoint, "red blue") == pytest.approx(PERPLEXITY)


def test_words_of_one_character_are_words_where_the_file_says_so(tmp_path):
    path = tmp_path / "other.arpa"
    text = UNIGRAMS.replace("red", "r").replace("blue", "b")
    path.write_text(text)
    with pytest.warns(ArpaWarning, match="put the line '# zoo: vocabulary=word' before"):
        assert zoo.perplexity(zoo.load(path), "rb") == pytest.approx(PERPLEXITY)
    path.write_text("# zoo: vocabulary=word\n" + text)
    assert zoo.perplexity(zoo.load(path), "r b") == pytest.approx(PERPLEXITY)
    path.write_text("# zoo: vocabulary=character\n" + UNIGRAMS)
    with pytest.raises(UserError, match="line 9: 'red' is not a character"):
        read_arpa(path)


@pytest.mark.parametrize("suffix", ARPA_SUFFIXES)
def test_every_name_that_such_files_have_is_read(tmp_path, suffix):
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get(
        os.path.splitext(suffix.lower())[1], bytes
    )
    path = tmp_path / f"model{suffix}"
    path.write_bytes(pack(UNIGRAMS.encode()))
    assert zoo.perplexity(zoo.load(path), "red blue") == pytest.approx(PERPLEXITY)
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="is no checkpoint"):
        zoo.load(path)


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.arpa")
    os.symlink("/dev/zero", tmp_path / "zero.arpa")
    for name, kind in {"pipe.arpa": "a named pipe", "zero.arpa": "a device"}.items():
        with pytest.raises(UserError, match=rf"{re.escape(name)}: it is {kind}"):
            zoo.load(tmp_path / name)
    with pytest.raises(UserError, match="it is a directory"):
        read_arpa(tmp_path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_what_unpacks_to_far_more_than_its_size_is_refused(tmp_path, monkeypatch, pack):
    path = tmp_path / "bomb.arpa.gz"
    monkeypatch.setattr(arpa_lines, "SMALL_FILE_BYTES", 1000)
    path.write_bytes(pack(UNIGRAMS.encode() + b"x" * 1_000_000))
    with pytest.raises(UserError, match=r"bomb\.arpa\.gz unpacks to more than [\d,]+ bytes"):
        read_arpa(path)
    path.write_bytes(pack(UNIGRAMS.encode()))
    assert read_arpa(path).order == 1


def test_the_sum_of_a_packed_file_is_checked(tmp_path):
    whole = bytearray(gzip.compress(UNIGRAMS.encode()))
    whole[-8] ^= 1
    (tmp_path / "bit.arpa.gz").write_bytes(whole)
    with pytest.raises(UserError, match=r"cannot read .*bit\.arpa\.gz: CRC check failed"):
        read_arpa(tmp_path / "bit.arpa.gz")
