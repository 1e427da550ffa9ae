"""Why a text gives no subwords, said with settings that there are."""

import re

import pytest

pytest.importorskip("sentencepiece")

from zoo.data.subwords import train_subwords
from zoo.data.vocabulary import SubwordVocabulary, encode_lines
from zoo.errors import UserError

LINES = ["ab cd ef gh ij", "kl mn op qr st"]


def test_a_line_with_a_block_of_sentencepiece_is_learned_too():
    model = train_subwords(["ab cd \u2585 ef gh"] * 3, 20)
    assert {"e", "f", "g", "h"} <= set("".join(SubwordVocabulary(model).tokens))


@pytest.mark.parametrize(
    ("lines", "size", "message"),
    [
        (LINES, 8, "special tokens are 24 in number; use data.vocabulary_size=24 or more"),
        (LINES, 8000, r"it has only \d+ subwords; use data.vocabulary_size=\d+ or less"),
        ([], 8, "the text is empty; give another text"),
        (LINES, 10**20, "vocabulary_size is 1000+; use at most 2147483647"),
        (["ab", "a\ud800"], 8, r"a line of the text has half a character, '\\ud800' at 2"),
    ],
)
def test_a_size_that_won_t_do_is_told(lines, size, message):
    with pytest.raises(UserError, match=message) as told:
        train_subwords(lines, size)
    assert set(re.findall(r"(\S+)=", str(told.value))) <= {"data.vocabulary_size"}
    assert "character_coverage" not in str(told.value)


def test_the_advised_sizes_are_the_smallest_and_the_largest():
    for size, step in ((8, -1), (8000, 1)):
        with pytest.raises(UserError) as told:
            train_subwords(LINES, size)
        advised = int(re.search(r"vocabulary_size=(\d+)", str(told.value))[1])
        assert train_subwords(LINES, advised)
        with pytest.raises(UserError):
            train_subwords(LINES, advised + step)


def test_no_reader_of_a_subword_vocabulary_takes_half_a_character():
    vocabulary = SubwordVocabulary(train_subwords(LINES, 24))
    with pytest.raises(UserError, match=r"the text has half a character, '\\ud800' at 2"):
        encode_lines(vocabulary, [LINES[0], "a\ud800"])
