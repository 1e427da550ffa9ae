import warnings

import numpy as np
import pytest

from zoo.data.vocabulary import (
    CharacterVocabulary,
    LowercaseWordVocabulary,
    WordVocabulary,
    build_vocabulary,
)
from zoo.decoding.text import PromptWarning, TextStream, default_stop, prompt_inputs
from zoo.special_tokens import END_ID, SPECIAL_TOKENS, START_ID, UNKNOWN_ID

CHARACTERS = CharacterVocabulary([*SPECIAL_TOKENS, *"abc "])
WORDS = WordVocabulary([*SPECIAL_TOKENS, "the", "cat", "sat"])
LOWERCASE = LowercaseWordVocabulary([*SPECIAL_TOKENS, "the", "cat", "sat"])
THE, CAT, SAT = 3, 4, 5


def subwords():
    lines = ["the cat sat on the mat", "the dog sat on the cat", "a dog and a cat"]
    return build_vocabulary("subword", lines, max_size=30)


def test_every_line_of_a_prompt_starts_with_start():
    assert prompt_inputs(WORDS, "the cat\nsat") == [START_ID, THE, CAT, START_ID, SAT]
    assert prompt_inputs(WORDS, "") == [START_ID]
    assert prompt_inputs(WORDS, "cat\n") == [START_ID, CAT, START_ID]


@pytest.mark.parametrize(
    ("vocabulary", "prompt", "named", "inputs"),
    [
        (CHARACTERS, "aéb\nzé", "'é', 'z' of", [1, 3, 0, 4, 1, 0, 0]),
        (WORDS, "the big big cat", "lacks 'big' of", [1, THE, UNKNOWN_ID, UNKNOWN_ID, CAT]),
        (LOWERCASE, "The Big BIG cat", "lacks 'Big' of", [1, THE, UNKNOWN_ID, UNKNOWN_ID, CAT]),
        (LOWERCASE, "Cat! cat\nSit", "lacks '!', 'Sit' of", [1, CAT, 0, CAT, 1, UNKNOWN_ID]),
    ],
)
def test_what_the_vocabulary_lacks_is_named_once_and_read_as_unknown(
    vocabulary, prompt, named, inputs
):
    with pytest.warns(PromptWarning) as caught:
        assert prompt_inputs(vocabulary, prompt) == inputs
    assert len(caught) == 1
    assert named in str(caught[0].message)
    assert "\n" not in str(caught[0].message)


def test_the_word_unk_itself_needs_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert prompt_inputs(WORDS, "the <unk> sat") == [START_ID, THE, UNKNOWN_ID, SAT]


def test_unknown_characters_of_subwords_are_named():
    with pytest.warns(PromptWarning, match="lacks 'é' of"):
        assert UNKNOWN_ID in prompt_inputs(subwords(), "the cat é")


@pytest.mark.parametrize(
    "vocabulary", [CHARACTERS, WORDS, LOWERCASE, subwords()], ids=lambda v: v.kind
)
@pytest.mark.parametrize("prompt", ["", "the cat", "a\nthe"])
@pytest.mark.filterwarnings("ignore::zoo.decoding.text.PromptWarning")
def test_pieces_of_any_size_join_to_the_text_decoded_at_once(vocabulary, prompt):
    generator = np.random.default_rng(len(prompt))
    tokens = generator.integers(END_ID, len(vocabulary), 60).tolist()
    tokens[-1] = END_ID
    line = vocabulary.encode(prompt.rpartition("\n")[2])
    whole = vocabulary.decode(line + tokens).removeprefix(vocabulary.decode(line))
    for size in (1, 7, 60):
        stream = TextStream(vocabulary, prompt, stop="length", max_tokens=60)
        pieces = [stream.write(tokens[i : i + size]) for i in range(0, 60, size)]
        assert "".join(pieces) == whole
        assert stream.finished


@pytest.mark.parametrize(
    ("prompt", "continuation"),
    [
        ("the", " cat sat"),
        ("the ", "cat sat"),
        ("", "cat sat"),
        (" ", "cat sat"),
        ("x\n", "cat sat"),
    ],
)
@pytest.mark.parametrize("vocabulary", [WORDS, LOWERCASE], ids=lambda v: v.kind)
def test_one_space_joins_a_prompt_and_the_next_word(vocabulary, prompt, continuation):
    stream = TextStream(vocabulary, prompt, stop="end", max_tokens=5)
    assert stream.write([]) == ""
    assert stream.write([CAT, SAT]) == continuation


def test_a_space_at_the_end_of_a_prompt_of_characters_stays():
    stream = TextStream(CHARACTERS, "a ", stop="end", max_tokens=5)
    assert stream.write(CHARACTERS.encode("b")) == "b"


def test_stop_at_the_end_writes_nothing_after_it():
    stream = TextStream(WORDS, "the", stop="end", max_tokens=9)
    assert (stream.write([CAT, END_ID, SAT]), stream.finished) == (" cat", True)
    assert stream.write([SAT]) == ""


def test_stop_at_the_length_counts_sentence_ends():
    stream = TextStream(WORDS, "the", stop="length", max_tokens=3)
    assert (stream.write([CAT, END_ID]), stream.finished) == (" cat\n", False)
    assert (stream.write([SAT, CAT]), stream.finished) == ("sat", True)


def test_lines_of_characters_go_on_and_sentences_stop():
    assert default_stop(CHARACTERS) == "length"
    assert default_stop(WORDS) == default_stop(subwords()) == "end"
