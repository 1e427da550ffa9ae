"""The fields of a request: a JSON object, of which every field is checked before it is used."""

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

from zoo.errors import UserError
from zoo.serve.limits import Refused
from zoo.whole_characters import require_whole_characters

MAX_CHARACTERS = 2000
MAX_BODY_BYTES = 32 * 1024  # 2,000 characters, each written as \ud83d\ude00, and the rest
MAX_WEIGHT = 1e6  # before they are scaled
_NO_DEFAULT: Any = object()


class Fields:
    """A request's fields. Each is taken by its name; `finish` refuses those that nobody took.

    Args:
        body: the request's body.
        max_characters: of one text.

    Raises:
        Refused: it is no JSON object, or later, a field is missing or is none of its kind.

    Example:
        >>> fields = Fields(b'{"text": "a net", "seed": 3}')
        >>> fields.text("text"), fields.whole("seed", 0, 0, 9), fields.number("top_p", 1.0)
        ('a net', 3, 1.0)
        >>> fields.finish()
    """

    def __init__(self, body: bytes, max_characters: int = MAX_CHARACTERS):
        try:
            record = json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise Refused(400, "the body is no valid JSON; send an object such as {}") from None
        if not isinstance(record, dict):
            raise Refused(400, "the body is JSON, but no object; send one such as {}")
        self._record = record
        self._max_characters = max_characters
        self._taken: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._record

    def text(self, name: str, default: str = _NO_DEFAULT) -> str:
        """A text that is not too long."""
        return self._text(name, self._take(name, default))

    def texts(self, name: str, most: int) -> list[str]:
        """One text or more, which are not too long."""
        value = self._take(name)
        if not isinstance(value, list) or not value:
            raise Refused(400, f'{name} is {_shown(value)}; it has to be a list such as ["a text"]')
        if len(value) > most:
            raise Refused(413, f"{name} has {len(value):,} texts; send {most:,} at most")
        return [self._text(f"{name}[{index}]", one) for index, one in enumerate(value)]

    def _text(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            raise Refused(400, f"{name} is {_shown(value)}; it has to be a text")
        if len(value) > self._max_characters:
            most = self._max_characters
            raise Refused(413, f"{name} has {len(value):,} characters; send {most:,} at most")
        try:
            return require_whole_characters(value, name)
        except UserError as error:
            raise Refused(400, str(error)) from None

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise Refused(400, f"{name} is {_shown(value)}; it has to be true or false")
        return value

    def number(
        self, name: str, default: float, low: float = -math.inf, high: float = math.inf
    ) -> float:
        """A number from low to high. Without these, whoever uses it knows its range, and says it;
        a number that no float can hold is infinite there."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused(400, f"{name} is {_shown(value)}; it has to be a number")
        if not low <= value <= high:
            raise Refused(400, f"{name} is {_shown(value)}; use {low:g} to {high:g}")
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from low to high."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refused(400, f"{name} is {_shown(value)}; it has to be a whole number")
        if not low <= value <= high:
            raise Refused(400, f"{name} is {_shown(value)}; use {low} to {high}")
        return value

    def choice(self, name: str, default: int, choices: Sequence[int]) -> int:
        """One of some whole numbers."""
        value = self.whole(name, default, min(choices), max(choices))
        if value not in choices:
            raise Refused(400, f"{name} is {value}; use one of {', '.join(map(str, choices))}")
        return value

    def weights(self, name: str) -> dict[str, float]:
        """Weights by name, none of them negative, scaled so that they sum to one."""
        value = self._take(name)
        numbers = list(value.values()) if isinstance(value, dict) else None
        if numbers is None or not all(map(_is_weight, numbers)):
            raise Refused(
                400, f"{name} is {_shown(value)}; it has to be an object of weights from 0"
            )
        total = float(sum(numbers))
        if not total > 0:
            raise Refused(400, f"the weights of {name} are all 0; give one that is more")
        return {key: float(weight) / total for key, weight in value.items()}

    def finish(self) -> None:
        """Refuses a field that was not taken: it would change nothing."""
        for name in self._record:
            if name not in self._taken:
                known = ", ".join(self._taken)
                raise Refused(400, f"there is no field {_shown(name)} here; use {known}")

    def _take(self, name: str, default: object = _NO_DEFAULT) -> Any:
        self._taken.append(name)
        value = self._record.get(name, default)
        if value is _NO_DEFAULT:
            raise Refused(400, f"the field {name} is missing")
        return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _is_weight(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= MAX_WEIGHT


def _shown(value: object) -> str:
    """A value in at most 40 characters of ASCII."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
