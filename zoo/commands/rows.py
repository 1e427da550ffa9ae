"""Commands over many texts with a row for each: their common flags, inputs and outputs."""

import argparse
import csv
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

from zoo.commands.lines import LINES_A_CALL, check_one_source, given_lines
from zoo.data.text_reading import user_path
from zoo.errors import UserError
from zoo.types import Json
from zoo.whole_file import whole_file

TABLES = ("csv", "tsv", "jsonl")
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_ROW_ENDS = str.maketrans("\t\r\n", "   ")  # a .tsv has no quotes for them


class Row(NamedTuple):
    """A text, and its id under the name of the id's column; empty for a text without an id."""

    text: str
    key: Json


def add_row_arguments(
    parser: argparse.ArgumentParser, what: str, formats: Sequence[str] = TABLES
) -> None:
    """Adds the checkpoint, the texts, and the flags for a file of texts and for the results.

    Args:
        parser: the parser of the command.
        what: the verb for what the command does with a text, such as "label".
        formats: the formats of its results, the default format last.
    """
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a released name, a directory or a file")
    add("texts", metavar="TEXT", nargs="*", help=f"a text to {what}")
    add("--file", metavar="FILE", help=f"{what} the lines of a UTF-8 file, or the rows of a table")
    add(
        "--column",
        metavar="NAME",
        help="column of the text, if FILE is a .csv, .tsv or .jsonl; several columns, separated by "
        "commas, are joined",
    )
    add("--id", metavar="NAME", help="column that identifies the rows, which is written too")
    add("--output", metavar="FILE", help="write the results to this file (default: to stdout)")
    add(
        "--format",
        choices=formats,
        help="format of the results (default: the ending of --output, else the format of the table "
        f"that is read, else {formats[-1]})",
    )


def check_row_arguments(
    arguments: argparse.Namespace, usual: str = "jsonl", formats: Sequence[str] = TABLES
) -> str:
    """Returns the format of the results.

    Args:
        arguments: parsed arguments with the flags of `add_row_arguments`.
        usual: the format if no flag and no file determines it.
        formats: the possible formats.

    Raises:
        UserError: if a flag needs another flag, or a table is given without its column.
    """
    check_one_source(arguments)
    if arguments.column is not None and not arguments.file:
        raise UserError("--column is a column of a table; give the table with --file")
    if arguments.id is not None and arguments.column is None:
        raise UserError("--id is a column of a table; give the column of the text with --column")
    if arguments.column is None and arguments.file:
        _refuse_table(user_path(arguments.file))
    return _chosen_format(arguments, usual, formats)


def _refuse_table(path: Path) -> None:
    """Raises a UserError if a file is a table, whose raw lines are no texts."""
    from zoo.data.tables import column_names, is_table

    if is_table(path) and path.is_file():
        raise UserError(
            f"{path} is a table; name the column of the text, such as --column=text (it has "
            f"{', '.join(map(repr, column_names(path)))[:200]}), or rename it to .txt to read its "
            "raw lines"
        )


def given_rows(arguments: argparse.Namespace) -> Iterator[list[Row]]:
    """Yields the texts in groups, so that a file or a pipe is never in memory as a whole.

    Args:
        arguments: parsed arguments with `texts` and the flags of `add_row_arguments`.

    Raises:
        UserError: if there is no text, or a file cannot be read.
    """
    if arguments.column is None:
        for lines in given_lines(arguments.texts, arguments.file):
            yield [Row(line, {}) for line in lines]
        return
    from zoo.data.tables import text_rows

    names = {"text_column": arguments.column, "id_column": arguments.id or ""}
    some: list[Row] = []
    for key, text in text_rows(user_path(arguments.file), **names):
        some.append(Row(text, {} if arguments.id is None else {arguments.id: key}))
        if len(some) == LINES_A_CALL:
            yield some
            some = []
    if some:
        yield some


def _chosen_format(arguments: argparse.Namespace, usual: str, formats: Sequence[str]) -> str:
    if arguments.format is not None:
        return arguments.format
    output = Path(arguments.output or "")
    if output.suffix in (".gz", ".bz2", ".zip"):
        raise UserError(f"--output is {output}, but results are not packed; use {output.stem}")
    read = Path(arguments.file or "").suffixes if arguments.column is not None else []
    for suffix in (output.suffix, *reversed(read)):
        if suffix[1:] in formats:
            return suffix[1:]
    return usual


def with_key(row: Row, result: Json) -> Json:
    """Returns the cells of a row: its id, and its result.

    Raises:
        UserError: if the id has the name of a part of the result, which would replace it.
    """
    for name in row.key.keys() & result.keys():
        raise UserError(
            f"--id={name} is also the name of a result; rename this column of the table"
        )
    return row.key | result


@contextmanager
def row_writer(output: str | None, chosen: str) -> Iterator[Callable[[Json], None]]:
    """Yields a function that writes one row; the file is complete at the end, or not there.

    Args:
        output: the file; None means standard output.
        chosen: the format.

    Raises:
        UserError: if the file cannot be written.
    """
    if output is None:
        yield _writing(sys.stdout, chosen)
        return
    with (
        whole_file(output) as incomplete,
        incomplete.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield _writing(file, chosen)


def _writing(file: TextIO, chosen: str) -> Callable[[Json], None]:
    """Returns a function that writes rows to an open file, for a table after the column names."""
    if chosen == "text":
        return lambda row: print(row["text"], file=file, flush=True)
    if chosen == "jsonl":
        return lambda row: print(
            json.dumps({n: _finite(v) for n, v in row.items()}, ensure_ascii=False),
            file=file,
            flush=True,
        )
    table = csv.writer(file, delimiter=_DELIMITERS[chosen], lineterminator="\n", **_quotes(chosen))
    is_first = True

    def write(row: Json) -> None:
        nonlocal is_first
        if is_first:
            table.writerow([_cell(name, chosen) for name in row])
        is_first = False
        table.writerow([_cell(value, chosen) for value in row.values()])
        file.flush()

    return write


def _quotes(chosen: str) -> Json:
    return {"quoting": csv.QUOTE_NONE, "quotechar": None} if chosen == "tsv" else {}


def _cell(value: object, chosen: str) -> str:
    """Returns a value as a field of a table."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.translate(_ROW_ENDS) if chosen == "tsv" else text


def _finite(value: object) -> object:
    """Returns a value for JSON, which is None if the number is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
