"""Vocabularies: numbering, round trips, damaged records, the corpora of the literature."""

import base64
import builtins
import json
import random
import string
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.subwords import train_subwords
from zoo.data.vocabulary import (
    CharacterVocabulary,
    WordVocabulary,
    build_vocabulary,
    count_unknown,
    encode_lines,
    vocabulary_from_json,
)
from zoo.errors import UserError
from zoo.special_tokens import END_ID, START_ID, UNKNOWN_ID

SPECIAL = ["<unk>", "<s>", "</s>"]
LINES = [
    "a small boat  crosses the wide lake",
    "  the lake is calm and the boat is slow",
    "",
    "über <unk> </s> und <s> drüber",
    "nobody on the boat is in a hurry ",
]


def all_kinds():
    return [
        build_vocabulary("character", LINES),
        build_vocabulary("word", LINES),
        build_vocabulary("subword", LINES, max_size=60),
    ]


def test_special_ids_are_those_of_the_contract():
    for vocabulary in all_kinds():
        assert vocabulary.tokens[:3] == SPECIAL
        assert (UNKNOWN_ID, START_ID, END_ID) == (0, 1, 2)
        assert len(vocabulary) == len(vocabulary.tokens)


def test_words_are_numbered_by_frequency_then_alphabetically():
    lines = ["c b d a", "c b <unk> e", "c e"]
    assert build_vocabulary("word", lines).tokens == [*SPECIAL, "c", "b", "e", "a", "d"]
    assert build_vocabulary("word", lines, max_size=5).tokens == [*SPECIAL, "c", "b"]
    assert build_vocabulary("word", lines, min_count=3).tokens == [*SPECIAL, "c"]
    assert build_vocabulary("character", ["ba", "b"], max_size=4).tokens == [*SPECIAL, "b"]
    more = ["f", "c", "two words", "f", "</s>"]
    assert build_vocabulary("word", lines, max_size=4, more=more).tokens == [*SPECIAL, "c", "f"]


def test_numbering_does_not_depend_on_the_order_of_lines():
    lines = [" ".join(random.Random(7).choices(string.ascii_lowercase, k=30)) for _ in range(5)]
    expected = build_vocabulary("word", lines).tokens
    assert build_vocabulary("word", lines[::-1]).tokens == expected


def test_words_that_spell_special_tokens_are_unknown():
    vocabulary = build_vocabulary("word", ["a <unk> <s> </s> b"])
    assert vocabulary.encode("a <unk> <s> </s> b") == [3, 0, 0, 0, 4]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8")), min_size=1))
def test_any_text_survives_a_character_vocabulary(lines):
    vocabulary = build_vocabulary("character", lines)
    for line in lines:
        assert vocabulary.decode(vocabulary.encode(line)) == line
    stream = encode_lines(vocabulary, lines)
    assert vocabulary.decode(stream) == "\n".join([*lines, ""])


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(["boat", "lake", "über", "a", "x9"])), min_size=1))
def test_single_spaced_words_survive_a_word_vocabulary(sentences):
    lines = [" ".join(words) for words in sentences]
    vocabulary = build_vocabulary("word", lines)
    assert vocabulary.decode(encode_lines(vocabulary, lines)) == "\n".join([*lines, ""])


@settings(deadline=None)
@given(st.text("aboke lhu<>/sn\u00fc\t", max_size=40))
def test_known_characters_survive_a_subword_vocabulary(line):
    training = [*LINES, "a\tb >/<"]
    vocabulary = build_vocabulary("subword", training, max_size=70)
    assert vocabulary.decode(vocabulary.encode(line)) == line


def test_subword_tokens_join_to_the_text_and_end_lines():
    vocabulary = build_vocabulary("subword", LINES, max_size=60)
    for line in LINES:
        ids = vocabulary.encode(line)
        assert "".join(vocabulary.tokens[index] for index in ids) == line
        assert not {UNKNOWN_ID, START_ID, END_ID} & set(ids)
    assert vocabulary.decode([START_ID, *vocabulary.encode("a boat"), END_ID]) == "a boat\n"
    assert vocabulary.encode("Q") == [UNKNOWN_ID]
    assert len(vocabulary) == 60
    assert max(map(len, vocabulary.tokens[3:])) > 1


def test_frequent_text_that_spells_special_tokens_can_be_learned_as_subwords():
    lines = ["<unk> </s> the <unk>"] * 20
    vocabulary = build_vocabulary("subword", lines, max_size=24)
    assert vocabulary.decode(vocabulary.encode(lines[0])) == lines[0]


def test_long_lines_are_not_left_out_of_subword_training():
    vocabulary = build_vocabulary("subword", ["ab " * 5000 + "z"], max_size=8)
    assert UNKNOWN_ID not in vocabulary.encode("z")


def test_stream_equals_lines_one_by_one():
    for vocabulary in all_kinds():
        expected = [index for line in LINES for index in [*vocabulary.encode(line), END_ID]]
        stream = encode_lines(vocabulary, LINES)
        assert stream.dtype == np.int32
        assert stream.tolist() == expected
        assert encode_lines(vocabulary, []).shape == (0,)


def test_unknown_characters_and_words_are_counted():
    vocabulary = CharacterVocabulary([*SPECIAL, "a"])
    stream = encode_lines(vocabulary, ["abc\U0001f600", "a"])
    assert stream.tolist() == [3, 0, 0, 0, 2, 3, 2]
    assert count_unknown(stream) == 3
    assert vocabulary.decode([]) == ""
    assert vocabulary.decode(np.array([START_ID, 3, 0])) == "a<unk>"


def test_json_gives_the_same_vocabulary_back():
    for vocabulary in all_kinds():
        record = json.loads(json.dumps(vocabulary.to_json()))
        restored = vocabulary_from_json(record)
        assert type(restored) is type(vocabulary)
        assert restored.tokens == vocabulary.tokens
        assert restored.to_json() == vocabulary.to_json()
        text = "the boat  was unsinkable"
        assert restored.encode(text) == vocabulary.encode(text)


def test_subword_training_is_deterministic():
    first, second = (build_vocabulary("subword", LINES, max_size=60).to_json() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (None, "a record with a kind"),
        ([], "a record with a kind"),
        ({"tokens": SPECIAL}, "a record with a kind"),
        ({"kind": "wrod", "tokens": SPECIAL}, "did you mean word"),
        ({"kind": "word"}, "not a list of texts"),
        ({"kind": "word", "tokens": [*SPECIAL, 5]}, "not a list of texts"),
        ({"kind": "word", "tokens": ["<s>", "<unk>", "</s>"]}, "starts with"),
        ({"kind": "word", "tokens": [*SPECIAL, "cat", "dog", "cat"]}, "'cat' stands twice"),
        ({"kind": "word", "tokens": [*SPECIAL, "two words"]}, "'two words' is no word"),
        ({"kind": "word", "tokens": [*SPECIAL, ""]}, "'' is no word"),
        ({"kind": "character", "tokens": [*SPECIAL, "ab"]}, "'ab' is no character"),
        ({"kind": "character", "tokens": [*SPECIAL, "\n"]}, "is no character"),
        ({"kind": "subword"}, "not base64"),
        ({"kind": "subword", "model": "%%%"}, "not base64"),
        ({"kind": "subword", "model": ""}, "is empty"),
        ({"kind": "subword", "model": "AAAA"}, "not a model of sentencepiece"),
    ],
)
def test_damaged_records_are_told_in_one_line(record, message):
    with pytest.raises(UserError, match=message) as caught:
        vocabulary_from_json(record)
    assert "\n" not in str(caught.value)


def test_a_subword_model_with_half_a_character_is_damaged():
    model = train_subwords(["a net reads a line"] * 3, 15)
    broken = base64.b64encode(model.replace("\u2581".encode(), b"\xe2(\xa1")).decode()
    with pytest.raises(UserError, match="a piece of the subword model is not UTF-8"):
        vocabulary_from_json({"kind": "subword", "model": broken})


def test_settings_that_make_no_vocabulary_are_told():
    with pytest.raises(
        UserError, match="none of character, word, lowercase_word, subword; did you mean character"
    ):
        build_vocabulary("charakter", LINES)
    with pytest.raises(UserError, match="use more than 3"):
        build_vocabulary("word", LINES, max_size=3)
    with pytest.raises(UserError, match="vocabulary_size=1000"):
        build_vocabulary("subword", LINES)
    with pytest.raises(UserError, match="min_count=1"):
        build_vocabulary("subword", LINES, max_size=60, min_count=2)
    with pytest.raises(UserError, match=r"has only .*vocabulary_size") as caught:
        build_vocabulary("subword", LINES, max_size=5000)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="the text is empty"):
        build_vocabulary("subword", [], max_size=60)


def test_missing_sentencepiece_names_the_extra(monkeypatch):
    real_import = builtins.__import__

    def without_sentencepiece(name, *args, **kwargs):
        if name == "sentencepiece":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_sentencepiece)
    with pytest.raises(UserError, match=r"recurrent-zoo\[subwords\]"):
        build_vocabulary("subword", LINES, max_size=60)


def test_a_million_tokens_are_encoded_in_a_few_seconds():
    words = WordVocabulary([*SPECIAL, *(f"w{index}" for index in range(1000))])
    lines = [" ".join(f"w{index * 7 % 1000}" for index in range(100))] * 10_000
    start = time.process_time()
    stream = encode_lines(words, lines)
    seconds = time.process_time() - start
    assert len(stream) == 1_010_000
    assert seconds < 3  # measured: 0.3 s
