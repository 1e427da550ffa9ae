"""The texts that a command is given: its arguments, the lines of a file, or standard input."""

import argparse
import io
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from zoo.data.splits import SPLITS
from zoo.data.text_reading import line_groups, read_lines, read_text, readable
from zoo.errors import UserError
from zoo.special_tokens import UNKNOWN

LINES_A_CALL = 1024  # so that a long file is worked on, and shown, piece by piece


def add_measured_text(parser: argparse.ArgumentParser, text_help: str) -> None:
    """Adds the flags for the text that models are measured on: a split, or the user's own files.

    Args:
        parser: of the command.
        text_help: what --text is.
    """
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--split",
        choices=SPLITS,
        default="validation",
        help="the part of a checkpoint's own corpus (default: %(default)s)",
    )
    source.add_argument("--text", metavar="FILE", help=text_help)
    source.add_argument("--source", metavar="FILE", help="of a translator: source lines instead")
    parser.add_argument("--target", metavar="FILE", help="their reference translations")


def check_one_source(arguments: argparse.Namespace) -> None:
    """Raises UserError where a command is given both texts and a file."""
    if arguments.texts and arguments.file:
        raise UserError("there are texts and --file; give one of them")


def given_lines(texts: Sequence[str], file: str | None) -> Iterator[list[str]]:
    """The texts, so many at a time; of a pipe, those lines together that have come together.

    Never all lines of a file or a pipe are in memory.

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
        lines = (line.removesuffix("\n") for line in read_lines(Path(file), blank_is_text=True))
        while some := list(itertools.islice(lines, LINES_A_CALL)):
            yield some
        return
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError("there is no text; give one, or --file=FILE, or pipe lines in")
    with readable("standard input"):
        for group in line_groups(cast(io.BufferedIOBase, sys.stdin.buffer), "standard input"):
            for at in range(0, len(group), LINES_A_CALL):
                yield [line.removesuffix("\n") for line in group[at : at + LINES_A_CALL]]


class UnknownTokens:
    """How many tokens a model read as `<unk>`, over texts that are counted one by one.

    Attributes:
        num_texts: the texts so far.
    """

    def __init__(self) -> None:
        self.num_texts = self._num_unknown = self._first = 0

    def count(self, num_unknown: int) -> int:
        """Counts one more text, and returns its number, from 1."""
        self.num_texts += 1
        self._num_unknown += num_unknown
        self._first = self._first or (self.num_texts if num_unknown else 0)
        return self.num_texts

    def tell(self) -> None:
        """Says how many there were, if any, and where the first was."""
        if self._num_unknown:
            print(
                f"note: {self._num_unknown} of the tokens read are not in the model's vocabulary "
                f"({UNKNOWN}), the first in text {self._first}",
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
