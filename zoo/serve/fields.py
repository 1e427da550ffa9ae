"""The fields of a request. The request is a JSON object, whose fields are checked before use."""

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

from zoo.errors import UserError
from zoo.serve.limits import Refused
from zoo.unique_keys import RepeatedKey, unique_keys
from zoo.whole_characters import require_whole_characters

MAX_CHARACTERS = 2000
MAX_NAME = 1000  # characters
MAX_BODY_BYTES = 32 * 1024  # 2,000 characters, each written as \ud83d\ude00, and the rest
MAX_WEIGHT = 1e6  # of one model, before the weights are scaled
_NO_DEFAULT: Any = object()


class Fields:
    """The fields of a request. Each field is taken by its name; `finish` refuses other fields.

    Args:
        body: the body of the request.
        max_characters: the largest number of characters of one text.

    Raises:
        Refused: The body is no JSON object. Later, a field is missing or has the wrong type.

    Example:
        >>> fields = Fields(b'{"text": "a net", "seed": 3}')
        >>> fields.text("text"), fields.whole("seed", 0, 0, 9), fields.number("top_p", 1.0)
        ('a net', 3, 1.0)
        >>> fields.finish()
    """

    def __init__(self, body: bytes, max_characters: int = MAX_CHARACTERS):
        try:
            record = json.loads(body, parse_constant=_no_number, object_pairs_hook=unique_keys)
        except RepeatedKey as error:
            raise Refused(400, str(error)) from None
        except (ValueError, RecursionError):
            raise Refused(400, "the body is not valid JSON; send an object such as {}") from None
        if not isinstance(record, dict):
            raise Refused(400, "the body is JSON, but not an object; send an object such as {}")
        self._record = record
        self._max_characters = max_characters
        self._taken: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._record

    def text(self, name: str, default: str = _NO_DEFAULT) -> str:
        """Returns a text that is not too long."""
        return self._text(name, self._take(name, default), self._max_characters)

    def name(self, name: str, default: str = _NO_DEFAULT) -> str:
        """Returns a text that names something, such as a model."""
        return self._text(name, self._take(name, default), MAX_NAME)

    def texts(self, name: str, most: int) -> list[str]:
        """Returns at least one text; no text is too long."""
        value = self._take(name)
        if not isinstance(value, list) or not value:
            raise Refused(400, f'{name} is {_shown(value)}; it must be a list such as ["a text"]')
        if len(value) > most:
            raise Refused(413, f"{name} has {len(value):,} texts; send at most {most:,}")
        most_characters = self._max_characters
        return [
            self._text(f"{name}[{index}]", one, most_characters) for index, one in enumerate(value)
        ]

    def _text(self, name: str, value: object, most: int) -> str:
        if not isinstance(value, str):
            raise Refused(400, f"{name} is {_shown(value)}; it must be a text")
        if len(value) > most:
            raise Refused(413, f"{name} has {len(value):,} characters; send at most {most:,}")
        try:
            return require_whole_characters(value, name)
        except UserError as error:
            raise Refused(400, str(error)) from None

    def flag(self, name: str, default: bool) -> bool:
        """Returns true or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise Refused(400, f"{name} is {_shown(value)}; it must be true or false")
        return value

    def number(
        self, name: str, default: float, low: float = -math.inf, high: float = math.inf
    ) -> float:
        """Returns a number from low to high.

        Without these bounds, the code that uses the number checks it. A number that is too large
        for a float is then infinite.
        """
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused(400, f"{name} is {_shown(value)}; it must be a number")
        if not low <= value <= high:
            raise Refused(400, f"{name} is {_shown(value)}; use {low:g} to {high:g}")
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """Returns a whole number from low to high."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refused(400, f"{name} is {_shown(value)}; it must be a whole number")
        if not low <= value <= high:
            raise Refused(400, f"{name} is {_shown(value)}; use {low} to {high}")
        return value

    def choice(self, name: str, default: int, choices: Sequence[int]) -> int:
        """Returns one of several allowed whole numbers."""
        value = self.whole(name, default, min(choices), max(choices))
        if value not in choices:
            raise Refused(400, f"{name} is {value}; choose one of {', '.join(map(str, choices))}")
        return value

    def weights(self, name: str) -> dict[str, float]:
        """Returns weights by name, which are not negative and are scaled to sum to one."""
        value = self._take(name)
        numbers = list(value.values()) if isinstance(value, dict) else None
        if numbers is None or not all(map(_is_weight, numbers)):
            raise Refused(400, f"{name} is {_shown(value)}; it must be an object of weights from 0")
        total = float(sum(numbers))
        if not total > 0:
            raise Refused(400, f"all weights of {name} are 0; give at least one weight above 0")
        return {key: float(weight) / total for key, weight in value.items()}

    def finish(self) -> None:
        """Refuses a field that was not taken, because it would have no effect."""
        for name in self._record:
            if name not in self._taken:
                known = ", ".join(self._taken)
                raise Refused(
                    400, f"{_shown(name)} is not a field of this request; the fields are {known}"
                )

    def _take(self, name: str, default: object = _NO_DEFAULT) -> Any:
        self._taken.append(name)
        value = self._record.get(name, default)
        if value is _NO_DEFAULT:
            raise Refused(400, f"the field {name} is missing; add it to the request")
        return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _is_weight(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= MAX_WEIGHT


def _shown(value: object) -> str:
    """Returns a value in at most 40 characters of ASCII."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
