"""Runs a command of `python -m zoo` in this process, and judges how it ended."""

import contextlib
import io
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from unittest import mock

from campaign.attempts import SECONDS, fault_of, fault_of_line

from zoo.__main__ import main

_REPORT = "please report it"  # the last net's line


class Ended(NamedTuple):
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def run(call: Callable[[], int | None], stdin: bytes = b"") -> Ended:
    """Runs what ends with an exit code, and gives what it printed."""
    out, err = io.StringIO(), io.StringIO()
    pipe = io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin)), encoding="utf-8")
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "stdin", pipe),
    ):
        try:
            code = call()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return Ended(code or 0, out.getvalue(), err.getvalue())


def fault_of_end(ended: Ended, allowed: Sequence[int] = (0, 2)) -> str:
    """Returns what is wrong with the end of a command, "" if nothing is."""
    told = [line for line in ended.err.split("\n") if line and not line.startswith("note: ")]
    if _REPORT in ended.err or "Traceback" in ended.err:
        return f"a fault of ours: {ended.err[:300]!r}"
    if ended.code not in allowed:
        return f"exit code {ended.code}: {ended.err[:200]!r}"
    if ended.code == 2:
        if len(told) != 1 or not told[0].startswith("error: "):
            return f"standard error is not one line: {ended.err[:300]!r}"
        if fault := fault_of_line(told[0]):
            return fault
    elif any(line.startswith("error") for line in told):
        return f"exit code {ended.code}, but {ended.err[:200]!r}"
    return next(iter(_obeyed(ended.out + ended.err)), "")


def _obeyed(text: str) -> Iterator[str]:
    """What a terminal would obey."""
    for character in set(text) - set("\n\t"):
        if unicodedata.category(character) == "Cc" or character in "\u202e\u2066":
            yield f"a terminal would obey {character!a}"


def command_fault(
    arguments: Sequence[str],
    *,
    stdin: bytes = b"",
    allowed: Sequence[int] = (0, 2),
    seconds: int = SECONDS,
) -> tuple[str, int]:
    """Runs `python -m zoo` with arguments; returns what is wrong, and the exit code."""
    ended = Ended(0, "", "")

    def call() -> None:
        nonlocal ended
        ended = run(lambda: main(list(arguments)), stdin)

    fault, _ = fault_of(call, seconds=seconds)
    return fault or fault_of_end(ended, allowed), ended.code
