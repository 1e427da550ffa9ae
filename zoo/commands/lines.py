"""The texts that a command is given: its arguments, the lines of a file, or standard input."""

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from zoo.data.text_reading import read_lines, read_text, readable, text_lines
from zoo.errors import UserError
from zoo.special_tokens import UNKNOWN

LINES_A_CALL = 1024  # so that a long file is worked on, and shown, piece by piece


def given_lines(texts: Sequence[str], file: str | None) -> Iterator[list[str]]:
    """The texts, so many at a time; lines that are piped in come one by one.

    Args:
        texts: the arguments; none for the file or, without one, standard input.
        file: a text file, which may have blank lines only.

    Raises:
        UserError: there is no text, or it is not UTF-8.
    """
    if texts:
        for text in texts:
            check_encoding(text, f"text {text!a}")
        yield list(texts)
        return
    if file:
        lines = [line.removesuffix("\n") for line in read_lines(Path(file), blank_is_text=True)]
        yield from (lines[at : at + LINES_A_CALL] for at in range(0, len(lines), LINES_A_CALL))
        return
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError("there is no text; give one, or --file=FILE, or pipe lines in")
    with readable("standard input"):
        for line in text_lines(cast(io.BufferedIOBase, sys.stdin.buffer), "standard input"):
            yield [line.removesuffix("\n")]


def tell_unknown(counts: Mapping[int, int]) -> None:
    """Says how many tokens a model read as `<unk>`, if any.

    Args:
        counts: how many, by the number of each text that has one or more.
    """
    if counts:
        print(
            f"note: {sum(counts.values())} of the tokens read are not in the model's vocabulary "
            f"({UNKNOWN}), the first in text {min(counts)}",
            file=sys.stderr,
        )


def read_plain(file: str) -> str:
    """Returns the text of a file by the rule of `zoo.data.text_reading`.

    Raises:
        UserError: as `zoo.data.text_reading.read_text`.
    """
    return read_text(Path(file))


def check_encoding(text: str, what: str) -> None:
    """Refuses text of bytes that are no UTF-8: they come in as halves of characters.

    Raises:
        UserError: the text can't be written again; `what` it is comes first.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(f"{what} is not UTF-8; convert it") from error
