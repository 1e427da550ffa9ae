"""The settings of a service: their defaults and their bounds."""

import dataclasses
import math
import re
from typing import TYPE_CHECKING

from zoo.errors import UserError

if TYPE_CHECKING:
    from zoo.serve.limits import RateLimit

_NAME = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
MIN_TOKEN_CHARACTERS = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """The limits of a service. Each field is also a flag of `python -m zoo serve`.

    Attributes:
        max_characters: the largest number of characters of one text.
        max_texts: the largest number of texts in one request.
        max_tokens: the largest number of tokens that a request may have drawn for each text.
        max_waiting: the number of texts that may wait for each model; further texts are refused.
        max_connections: the number of connections at a time, for each worker.
        slots: the number of texts that a language model generates at the same time.
        beam_sizes: the beam sizes of translators that are compiled. The first size is the default.
        patience_ms: the time in milliseconds that a text to classify, tag or translate waits for
            other texts, which then share its batch. A text does not wait if it is alone and the
            text before was alone, too.
        timeout: the time in seconds that an answer may take.
        grace: the time in seconds that running requests get to end when the service is stopped.
        rate: the number of requests per second of each client address, for each worker. 0 means no
            limit.
        burst: the number of requests that a client may make at once before `rate` applies.
        allow_host: further names by which the service may be addressed.
        token: the token that a client must send in its Authorization header; "" for no token.

    Raises:
        UserError: A value is out of its bounds.

    Example:
        >>> ServiceSettings(slots=0)
        Traceback (most recent call last):
            ...
        zoo.errors.UserError: slots is 0; use 1 to 1,024
    """

    max_characters: int = 2000
    max_texts: int = 32
    max_tokens: int = 500
    max_waiting: int = 512
    max_connections: int = 512
    slots: int = 32
    beam_sizes: tuple[int, ...] = (5,)
    patience_ms: float = 3.0
    timeout: float = 60.0
    grace: float = 30.0
    rate: float = 0.0
    burst: int = 20
    allow_host: tuple[str, ...] = ()
    token: str = dataclasses.field(default="", repr=False)

    def __post_init__(self) -> None:
        for name, most in _LARGEST.items():
            if not 1 <= getattr(self, name) <= most:
                raise UserError(f"{name} is {getattr(self, name)}; use 1 to {most:,}")
        if self.max_texts > self.max_waiting:
            raise UserError(
                f"max_texts is {self.max_texts}, but max_waiting is {self.max_waiting}; the texts "
                "of a request wait together, so use a max_waiting of at least max_texts"
            )
        if not self.timeout:
            raise UserError("timeout is 0; use a number of seconds, such as 60")
        for name in ("patience_ms", "timeout", "grace", "rate"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UserError(f"{name} is {getattr(self, name)}; use a number of at least 0")
        if not self.beam_sizes or not all(1 <= size <= 32 for size in self.beam_sizes):
            raise UserError(
                f"beam_sizes is {self.beam_sizes}; use beam sizes from 1 to 32, such as 5"
            )
        for name in self.allow_host:
            if not _NAME.fullmatch(name):
                raise UserError(
                    f"allow_host is {name!r}; use the name of a host, such as models.example.org"
                )
        self._check_token()

    def _check_token(self) -> None:
        """Raises a UserError that does not show the token if the token is too weak."""
        if not self.token:
            return
        if len(self.token) < MIN_TOKEN_CHARACTERS or not re.fullmatch(r"[!-~]+", self.token):
            raise UserError(
                f"the token is too short, or has a character that a header cannot have; use at "
                f"least {MIN_TOKEN_CHARACTERS} letters and digits, such as the output of "
                "openssl rand -hex 32"
            )

    @property
    def max_body_bytes(self) -> int:
        """The largest size of a body, whose characters may be written as \\ud83d\\ude00."""
        return 12 * self.max_texts * self.max_characters + 8192

    def make_rate_limit(self) -> "RateLimit | None":
        """Returns the limit of each client's requests, or None if there is no limit."""
        from zoo.serve.limits import RateLimit  # needs starlette

        return RateLimit(burst=self.burst, per_second=self.rate) if self.rate else None


_LARGEST = {
    "max_characters": 100_000,
    "max_texts": 1024,
    "max_tokens": 100_000,
    "max_waiting": 100_000,
    "max_connections": 65_536,
    "slots": 1024,
    "burst": 1_000_000,
}
