"""Cards that somebody else wrote: each of the wrong form is refused in one short line."""

import json
from pathlib import Path

import pytest

from zoo.cards import read_card
from zoo.errors import UserError

CARD = json.loads((Path(__file__).parents[1] / "checkpoints/trec/card.json").read_text())
SCORE = {"measure": "accuracy", "flags": "--split=test", "value": 0.9, "spread": 0.01}


def refusal(path: Path, text: str) -> str:
    """The line that refuses a card of this text."""
    path.write_text(text)
    with pytest.raises(UserError) as told:
        read_card(path)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 600
    return str(told.value)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "[" * 100_000, '{"a":' * 100_000])
def test_what_is_no_card_is_refused(tmp_path, text):
    assert "is no card" in refusal(tmp_path / "card.json", text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measure": ["accuracy"]}, "no text"),
        ({"flags": 3}, "no text"),
        ({"flags": "--split=" + "a" * 10_000}, "a card may ask for"),
        ({"value": "0.9"}, "no number"),
        ({"value": 10**400}, "no number"),
        ({"value": float("nan")}, "no number"),
        ({"spread": float("inf")}, "no number"),
        ({"spread": -1}, "below 0"),
    ],
)
def test_a_score_that_can_not_be_compared_is_refused(tmp_path, changes, message):
    card = CARD | {"scores": [SCORE | changes]}
    assert message in refusal(tmp_path / "card.json", json.dumps(card))


@pytest.mark.parametrize("minutes", [10**400, float("nan"), "3"])
def test_minutes_that_are_none_are_refused(tmp_path, minutes):
    card = CARD | {"minutes": minutes}
    assert "minutes is" in refusal(tmp_path / "card.json", json.dumps(card))


def test_a_device_or_an_address_is_not_read():
    with pytest.raises(UserError, match="it is no regular file"):
        read_card("/dev/zero")
    with pytest.raises(UserError, match="is no card: 'http://'"):
        read_card("http://127.0.0.1:9/card.json")


def test_a_field_that_no_card_has_is_refused_in_a_short_line(tmp_path):
    assert "is no card" in refusal(tmp_path / "card.json", json.dumps(CARD | {"x" * 10_000: 1}))
