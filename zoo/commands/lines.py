"""The texts that are given to a command: its arguments, a file's lines, or standard input."""

import argparse
import io
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from zoo.data.splits import SPLITS
from zoo.data.text_reading import line_groups, read_lines, readable, user_path
from zoo.errors import UserError
from zoo.special_tokens import UNKNOWN
from zoo.types import Json

if TYPE_CHECKING:
    from zoo.tasks.task import Request, Task

STANDARD_INPUT = "-"
LINES_A_CALL = 1024  # so that a long file is processed, and its results shown, piece by piece


def add_measured_text(parser: argparse.ArgumentParser, text_help: str) -> None:
    """Adds the flags for the text that models are measured on: a split, or the user's own files.

    Args:
        parser: the parser of the command.
        text_help: the help text of --text.
    """
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--split",
        choices=SPLITS,
        default="validation",
        help="the part of a checkpoint's own corpus to score (default: %(default)s)",
    )
    source.add_argument("--text", metavar="FILE", help=text_help)
    source.add_argument(
        "--source", metavar="FILE", help="for a translator: score these source lines instead"
    )
    parser.add_argument("--target", metavar="FILE", help="the reference translations of --source")


def measured_files(arguments: argparse.Namespace) -> tuple[Path, ...]:
    """Returns the files that the flags of `add_measured_text` name, at most two.

    Raises:
        UserError: if one of --source and --target is missing, or the text cannot be read.
    """
    if (arguments.source is None) != (arguments.target is None):
        raise UserError("--source and --target are two files that belong together; give both")
    if arguments.text is not None and not user_path(arguments.text).is_file():
        read_plain(arguments.text)  # which says why it cannot be read, before anything slow
    files = (arguments.text, arguments.source, arguments.target)
    return tuple(user_path(file) for file in files if file is not None)


def measured_request(arguments: argparse.Namespace, files: tuple[Path, ...]) -> "Request":
    """Returns what is to be measured; options that are not given keep the defaults of `Request`.

    Args:
        arguments: parsed arguments with the flags of `add_measured_text`, data_directory, mode and
            beam_size.
        files: what `measured_files` returned.
    """
    from zoo.tasks.task import Request

    names = ("mode", "beam_size")
    given: Json = {name: getattr(arguments, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    return Request(arguments.split, arguments.data_directory, files, **given)


# Flags that not every task has.
_TASK_FLAGS = ("text", "source", "target", "beam_size", "mode", "dynamic", "cache", "picture")


def check_task_flags(task: "Task", arguments: argparse.Namespace) -> None:
    """Raises a UserError for a given flag that the task does not have; a flag not given is None."""
    for flag in _TASK_FLAGS:
        if getattr(arguments, flag, None) is not None and flag not in task.flags:
            advice = "leave it out"
            if flag == "text" and "source" in task.flags:
                advice = "give its sources and translations with --source=FILE --target=FILE"
            elif flag == "source" and "text" in task.flags:
                advice = "give --text=FILE instead of --source and --target"
            raise UserError(f"--{flag} is not for a {task.kind.noun}; {advice}")


def check_one_task(names: Sequence[str], nouns: Sequence[str]) -> None:
    """Refuses models of different tasks, whose scores cannot be compared.

    Args:
        names: the models as the user named them.
        nouns: what each model is, such as "classifier"; see `Kind.noun`.

    Raises:
        UserError: if a model is of another task than the first model.
    """
    for name, noun in zip(names, nouns, strict=True):
        if noun != nouns[0]:
            raise UserError(
                f"{names[0]} is a {nouns[0]} and {name} a {noun}; give models of one task"
            )


def check_one_source(arguments: argparse.Namespace) -> None:
    """Raises a UserError if a command is given both texts and a file."""
    if arguments.texts and arguments.file:
        raise UserError("there are texts and --file; give one of them")


def given_lines(texts: Sequence[str], file: str | None) -> Iterator[list[str]]:
    """Yields the texts in groups; lines that arrive together in a pipe form a group.

    The whole of a file or a pipe is never in memory.

    Args:
        texts: the arguments; if there are none, the file is read or, without a file, standard
            input.
        file: a text file, which may consist of blank lines; "-" means standard input.

    Raises:
        UserError: if there is no text, or it is not UTF-8.
    """
    if texts:
        for text in texts:
            check_encoding(text, f"text {text!a}")
        yield list(texts)
        return
    if file and file != STANDARD_INPUT:
        found = read_lines(user_path(file), blank_is_text=True)
        lines = (line.removesuffix("\n") for line in found)
        while some := list(itertools.islice(lines, LINES_A_CALL)):
            yield some
        return
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError("there is no text; give a text, or --file=FILE, or pipe lines in")
    with readable("standard input"):
        for group in line_groups(cast(io.BufferedIOBase, sys.stdin.buffer), "standard input"):
            for at in range(0, len(group), LINES_A_CALL):
                yield [line.removesuffix("\n") for line in group[at : at + LINES_A_CALL]]


class UnknownTokens:
    """A count of the tokens that a model read as `<unk>`, over texts that are counted one by one.

    Attributes:
        num_texts: the number of texts so far.
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
        """Prints a note with the number of unknown tokens and the first text that has one."""
        if self._num_unknown:
            print(
                f"note: {self._num_unknown} of the tokens read are not in the model's vocabulary "
                f"({UNKNOWN}), the first in text {self._first}",
                file=sys.stderr,
            )


def read_plain(file: str) -> str:
    """Returns the text of a file, for a language model, by the rule of `zoo.data.text_reading`.

    Raises:
        UserError: if the file is a table, cannot be read, or is not UTF-8.
    """
    from zoo.data.tables import read_running_text

    return read_running_text(user_path(file))


def check_encoding(text: str, what: str) -> None:
    """Refuses a text of bytes that are not UTF-8; Python reads such bytes as lone surrogates.

    Raises:
        UserError: if the text cannot be encoded; the message begins with `what`.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(f"{what} is not UTF-8; convert it") from error
