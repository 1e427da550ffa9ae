"""The flags of `python -m zoo serve --api`."""

import argparse
import os
from pathlib import Path

from zoo.errors import UserError
from zoo.serve.service.settings import ServiceSettings
from zoo.types import Json

TOKEN_VARIABLE = "ZOO_SERVE_TOKEN"
_MOST_TOKEN_BYTES = 4096
# Flags of numbers with the beginning of their help texts: whole numbers, then decimal numbers.
_WHOLE = {
    "max_characters": "largest number of characters in a text",
    "max_texts": "largest number of texts in a request",
    "max_tokens": "largest number of tokens that a request may ask for in each text",
    "max_waiting": "largest number of texts that wait for each model",
    "max_connections": "largest number of connections at a time, for each worker",
    "slots": "number of texts that a language model generates side by side",
    "burst": "number of requests that a client may send at once before --rate holds",
}
_REAL = {
    "rate": "largest number of requests per second from each client, for each worker; 0 means no "
    "limit",
    "patience_ms": "milliseconds that a text waits for other texts of its batch",
    "timeout": "largest number of seconds for an answer",
    "grace": "seconds that running requests have to finish after a signal",
}


def add_service_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags; a flag that is not given has no value."""
    group = parser.add_argument_group("a service for programs")
    add = group.add_argument
    add("--api", action="store_true", help="run the service instead of the page")
    add(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="number of processes (default: %(default)s)",
    )
    for name, told in _WHOLE.items():
        add(f"--{name}", type=int, metavar="N", help=_help(name, told))
    for name, told in _REAL.items():
        add(f"--{name}", type=float, metavar="X", help=_help(name, told))
    add(
        "--beam_sizes",
        type=_whole_numbers,
        metavar="K,K",
        help="beam sizes that a client may choose, such as 5,1; the first one is the default",
    )
    add(
        "--allow_host",
        action="append",
        metavar="HOST",
        help="a further host name by which clients may address the service; may be repeated",
    )
    add(
        "--token_file",
        metavar="FILE",
        help=f"file with the token that clients must send (default: ${TOKEN_VARIABLE}, or none)",
    )


def _help(name: str, told: str) -> str:
    return f"{told} (default: {getattr(ServiceSettings, name):g})"


def _whole_numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def read_service_flags(arguments: argparse.Namespace) -> ServiceSettings | None:
    """Returns the settings of the service; None for the page.

    Raises:
        UserError: if a value is out of its bounds, or a flag of the service is given without --api.
    """
    names = (*_WHOLE, *_REAL, "beam_sizes")
    given: Json = {name: getattr(arguments, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    if not arguments.api:
        more = [name for name in ("allow_host", "token_file") if getattr(arguments, name)]
        more += ["workers"] * (arguments.workers != 1)
        if unused := [*given, *more]:
            raise UserError(f"--{unused[0]} is a flag of the service; add --api, or leave it out")
        return None
    if not 1 <= arguments.workers <= 256:
        raise UserError(f"--workers is {arguments.workers}; use 1 to 256")
    token = _read_token(arguments.token_file)
    return ServiceSettings(**given, allow_host=tuple(arguments.allow_host or ()), token=token)


def _read_token(file: str | None) -> str:
    """Returns the token, or "". It is never an argument, since other users could see it."""
    if file is None:
        return os.environ.get(TOKEN_VARIABLE, "")
    try:
        with Path(file).expanduser().open("rb") as stream:
            content = stream.read(_MOST_TOKEN_BYTES)
        token = content.decode().strip()
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or "it is not a text"
        raise UserError(f"--token_file {file} cannot be read: {told}; give a file") from error
    if not token:
        raise UserError(f"--token_file {file} is empty; write a token of at least 16 letters to it")
    return token
