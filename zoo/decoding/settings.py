"""The settings of text generation, with their defaults and bounds. This file needs no JAX."""

import dataclasses
from typing import Literal, get_args

from zoo.errors import UserError
from zoo.given import check_kinds

MAX_TEMPERATURE = 100.0  # where all tokens are about equally probable

Stop = Literal["end", "length"]
STOPS: tuple[Stop, ...] = get_args(Stop)


def check_temperature(temperature: float) -> None:
    """Raises a UserError if a temperature is out of its bounds."""
    if not 0 <= temperature <= MAX_TEMPERATURE:
        raise UserError(f"temperature is {temperature}; use 0 to {MAX_TEMPERATURE:g}, such as 0.8")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerationSettings:
    """The settings of `generate`, apart from the checkpoint and the prompt.

    Attributes:
        max_tokens: the largest number of tokens drawn, with sentence ends.
        temperature: divides the logits; 0 always takes the most probable token (greedy decoding).
        top_k: only the k most probable tokens may be drawn; 0 means no limit.
        top_p: only the most probable tokens that together reach this probability may be drawn; 1
            means no limit.
        seed: the random seed; the same seed gives the same text.
        stop: "end" stops a text at its first `</s>`. "length" writes a newline there and continues
            until max_tokens. None means "length" for a character vocabulary, whose `</s>` is only a
            newline, and "end" for others, whose lines are sentences.
        allow_unknown: whether `<unk>` may be drawn.

    Raises:
        UserError: if a value is out of its bounds.

    Example:
        >>> GenerationSettings(temperature=-1.0)
        Traceback (most recent call last):
            ...
        zoo.errors.UserError: temperature is -1.0; use 0 to 100, such as 0.8
    """

    max_tokens: int = 200
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    stop: Stop | None = None
    allow_unknown: bool = False

    def __post_init__(self) -> None:
        check_kinds(self)
        if self.max_tokens < 1:
            raise UserError(f"max_tokens is {self.max_tokens}; use at least 1, such as 200")
        check_temperature(self.temperature)
        if self.top_k < 0:
            raise UserError(f"top_k is {self.top_k}; use 0 for no limit, or a number such as 40")
        if not 0 < self.top_p <= 1:
            raise UserError(
                f"top_p is {self.top_p}; use a probability above 0 and at most 1, such as 0.9"
            )
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed is {self.seed}; use a whole number from 0 to {2**32 - 1}")
        if self.stop is not None and self.stop not in STOPS:
            raise UserError(f"stop is {self.stop!r}; use one of {', '.join(STOPS)}")
