import math

import pytest

from zoo.decoding.settings import GenerationSettings
from zoo.decoding.translation import SearchSettings
from zoo.errors import UserError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("temperature", -0.1),
        ("temperature", math.inf),
        ("temperature", math.nan),
        ("top_k", -1),
        ("top_p", 0.0),
        ("top_p", 1.01),
        ("top_p", math.nan),
        ("seed", -1),
        ("seed", 2**32),
        ("stop", "never"),
    ],
)
def test_a_value_out_of_bounds_is_told_in_one_line_with_its_name(name, value):
    with pytest.raises(UserError) as raised:
        GenerationSettings(**{name: value})
    message = str(raised.value)
    assert message.startswith(f"{name} is {value!r}")
    assert "; use " in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_tokens", 1), ("temperature", 0.0), ("top_p", 1.0), ("seed", 2**32 - 1), ("stop", "end")],
)
def test_a_value_at_its_bound_is_taken(name, value):
    assert getattr(GenerationSettings(**{name: value}), name) == value


@pytest.mark.parametrize("value", [-0.1, 101.0, math.inf, math.nan])
def test_a_translation_has_the_same_bounds_of_temperature(value):
    with pytest.raises(UserError, match=rf"temperature is {value}; use 0 to 100"):
        SearchSettings(beam_size=1, temperature=value)
