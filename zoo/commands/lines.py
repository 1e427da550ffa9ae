"""The texts that a command is given: its arguments, the lines of a file, or standard input."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.data.sources import read_text
from zoo.errors import UserError

LINES_A_CALL = 1024  # so that a long file is worked on, and shown, piece by piece


def given_lines(texts: Sequence[str], file: str | None) -> Iterator[list[str]]:
    """The texts, so many at a time; lines that are piped in come one by one.

    Args:
        texts: the arguments; none for the file or, without one, standard input.
        file: a UTF-8 text file.

    Raises:
        UserError: there is no text, or it is not UTF-8.
    """
    if texts:
        yield list(texts)
        return
    if file:
        lines = read_text(Path(file)).removesuffix("\n").split("\n")
        yield from (lines[at : at + LINES_A_CALL] for at in range(0, len(lines), LINES_A_CALL))
        return
    if sys.stdin.isatty():
        raise UserError("there is no text; give one, or --file=FILE, or pipe lines in")
    try:
        for line in sys.stdin:
            yield [line.removesuffix("\n")]
    except UnicodeDecodeError as error:
        raise UserError(f"standard input is not UTF-8 ({error.reason}); convert it") from error
