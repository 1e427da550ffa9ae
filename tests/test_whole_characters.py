"""Half a character is told in a line, wherever a text comes from."""

import pytest

from zoo.errors import UserError
from zoo.whole_characters import require_whole_characters


def test_whole_characters_of_any_length_are_let_through():
    assert require_whole_characters("a é € 😀 \0", "the text") == "a é € 😀 \0"


@pytest.mark.parametrize("code", [0xD83D, 0xDE00, 0xDC80])
def test_half_a_character_is_named_with_its_place(code):
    half = chr(code)
    with pytest.raises(UserError, match=r"^the text has half a character") as told:
        require_whole_characters(f"a😀{half}b", "the text")
    assert " at 3; " in str(told.value)
    assert ascii(half) in str(told.value)
