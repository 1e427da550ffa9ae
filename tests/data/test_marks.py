"""Tests of combining marks and of the words that they belong to."""

import sys
import unicodedata

import pytest

from zoo.data.found_words import find_names, find_words
from zoo.data.lowercase_words import split_lowercase_words
from zoo.data.marks import hide_marks
from zoo.data.vocabulary import build_vocabulary

# Texts as a list of their words. Between them stand blanks, except before the last mark.
HINDI = ["यह", "हिन्दी", "में", "लिखा", "है", "।"]
ARABIC = ["مُحَمَّدٌ", "يَقْرَأُ"]
PERSIAN = ["می\u200cخواهم", "بروم"]  # noqa: RUF001
DECOMPOSED = ["cafe\u0301s", "na\u0131\u0308fs", "don\u0303"]
EMOJI = ["\u2764\ufe0f", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "1\ufe0f\u20e3"]


@pytest.mark.parametrize("words", [HINDI, ARABIC, PERSIAN, DECOMPOSED, EMOJI])
def test_marks_belong_to_the_character_before_them(words: list[str]) -> None:
    text = " ".join(words)
    assert split_lowercase_words(text) == words
    assert [word.text for word in find_words(text)] == words
    assert build_vocabulary("lowercase_word", [text]).encode(text).count(0) == 0
    for word in find_words(text):
        assert text[word.start : word.end] == word.text


def test_endings_and_signs_are_found_beside_marks() -> None:
    assert split_lowercase_words("Je\u0301re\u0301my's can't\u2026") == [
        *("je\u0301re\u0301my", "'s", "ca", "n't", "\u2026"),
    ]
    assert [word.text for word in find_words("@Jose\u0301 #cafe\u0301!!")] == [
        *("@Jose\u0301", "#cafe\u0301", "!!"),
    ]
    hearts = "\u2764\ufe0f\u2764\ufe0f"  # equal signs in a row are one word
    assert [word.text for word in find_words(hearts)] == [hearts]
    assert split_lowercase_words(hearts) == ["\u2764\ufe0f"] * 2
    assert split_lowercase_words("\u0301 a") == ["\u0301", "a"]


def test_names_of_python_have_marks() -> None:
    assert [word.text for word in find_names("cafe\u0301 = नाम + x")] == ["cafe\u0301", "नाम", "x"]


def test_every_mark_of_unicode_is_hidden_and_no_other_character() -> None:
    for code in range(0x80, sys.maxunicode + 1):
        character = chr(code)
        is_mark = unicodedata.category(character).startswith("M") or character in "\u200c\u200d"
        assert (hide_marks(f"b{character}") != f"b{character}") == is_mark, hex(code)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fine :-) :D =P 8-)", ["fine", ":-)", ":D", "=P", "8-)"]),
        ("thanks:)", ["thanks", ":)"]),
        ("(see 8) x=D", ["(", "see", "8", ")", "x", "=", "D"]),
        ("pages 5-8) of a:p", ["pages", "5-8", ")", "of", "a", ":", "p"]),
    ],
)
def test_faces_are_words_and_ordinary_signs_are_no_faces(text: str, words: list[str]) -> None:
    assert [word.text for word in find_words(text)] == words
