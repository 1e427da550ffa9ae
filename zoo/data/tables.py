"""Tables of labelled texts: the examples in a .csv, .tsv or .jsonl file.

A .csv or .tsv file has a header, see `zoo.data.csv_rows`. A .jsonl file has one JSON object per
line.
"""

import dataclasses
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zoo.data.config import LabeledDataConfig
from zoo.data.csv_rows import csv_rows, header_names
from zoo.data.examples import Labeled
from zoo.data.text_reading import numbered_lines, read_text
from zoo.errors import UserError
from zoo.types import Json
from zoo.unique_keys import RepeatedKey, unique_keys
from zoo.whole_characters import require_whole_characters

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl")
_KINDS = {bool: "true or false", int: "a whole number", float: "a decimal number", str: "a string"}
_ONE_LABEL = (
    "give one label; for several labels of a text, in a list or with commas, use "
    'data.label_separator=","'
)
_SKIP = "skip such rows with data.skip_unlabeled=true"


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns of a table.

    Attributes:
        text: the name of the column (or JSON key) of the text. Several names, separated by commas,
            join the texts of several columns.
        label: the name of the column (or JSON key) of the label.
        separator: the separator between the labels of a text; "" if each text has exactly one.
        skip_unlabeled: whether a row without a label becomes an example without labels, rather than
            an error.
    """

    text: str = "text"
    label: str = "label"
    separator: str = ""
    skip_unlabeled: bool = False

    @classmethod
    def of(cls, config: LabeledDataConfig) -> "Columns":
        """Returns the columns that a `LabeledDataConfig` names."""
        return cls(
            config.text_column, config.label_column, config.label_separator, config.skip_unlabeled
        )

    @property
    def texts(self) -> list[str]:
        """The names of the columns of the text."""
        return [name.strip() for name in self.text.split(",")]


def read_rows(path: Path, columns: Columns) -> Iterator[Labeled]:
    """Yields the examples of a .csv, .tsv or .jsonl file, which may be packed as .gz.

    Args:
        path: the table.
        columns: the columns of the table.

    Raises:
        UserError: the table cannot be read, lacks a column, has no rows or no labels, or has a row
            of the wrong form. The error names the first such row.
    """
    wanted = dict.fromkeys(columns.texts, "text_column") | {columns.label: "label_column"}
    rows = _rows(path, wanted)
    names, labels = columns.texts, _LabelReader(columns)
    num_rows = num_labeled = 0
    for row, place in rows:
        text = " ".join(_read_text(row, name, place) for name in names)
        example = Labeled(text, labels.read(row, place))
        num_rows, num_labeled = num_rows + 1, num_labeled + bool(example.labels)
        yield example
    if not num_rows:
        raise UserError(f"{path} has a header but no rows; put labelled texts under the header")
    if columns.skip_unlabeled and not num_labeled:
        raise UserError(
            f"{path} has no label in any of its {num_rows} rows (column {columns.label!r}); use "
            "data.label_column=NAME"
        )


def read_table(path: Path, columns: Columns) -> list[Labeled]:
    """Returns the examples of a table, without the rows that are skipped.

    Args:
        path: the table.
        columns: the columns of the table, and whether rows without a label are skipped.

    Raises:
        UserError: see `read_rows`.
    """
    examples = list(read_rows(path, columns))
    if not columns.skip_unlabeled:
        return examples
    return [examples[row] for row in labeled_rows([one.labels for one in examples], str(path))]


def labeled_rows(
    labels: Sequence[tuple[str, ...]], place: str, *, is_told: bool = True
) -> list[int]:
    """Returns the indices of the rows with a label, and prints a note with the number of others.

    Args:
        labels: the labels of each row.
        place: the name of the table, for the note.
        is_told: whether the note is printed.
    """
    rows = [row for row, own in enumerate(labels) if own]
    if is_told and len(rows) < len(labels):
        print(
            f"note: {len(labels) - len(rows)} of the {len(labels)} rows of {place} have no "
            "label and are skipped",
            file=sys.stderr,
        )
    return rows


def text_rows(path: Path, *, text_column: str, id_column: str = "") -> Iterator[tuple[object, str]]:
    """Yields the id and the text of each row of a table; a few rows are in memory at a time.

    Args:
        path: a .csv, .tsv or .jsonl file, which may be packed as .gz.
        text_column: the name of the column of the text, see `Columns`.
        id_column: the name of the column of the id. If it is "", each id is None.

    Raises:
        UserError: see `read_rows`.
    """
    names = Columns(text_column).texts
    wanted = dict.fromkeys(names, "text_column")
    for row, place in _rows(path, wanted | ({id_column: "id_column"} if id_column else {})):
        if id_column and id_column not in row:
            raise _no_key(row, id_column, "id_column", place)
        text = " ".join(_read_text(row, name, place) for name in names)
        yield (row[id_column] if id_column else None), text


def _rows(path: Path, wanted: Mapping[str, str]) -> Iterator[tuple[Json, str]]:
    """Yields each row of a table as a dictionary with the names of its columns, and its place.

    Args:
        path: the table.
        wanted: for each column that must be there, the field of the config that names it.
    """
    kind = unpacked_suffix(path)
    if kind not in TABLE_SUFFIXES:
        raise UserError(f"{path} ends with {kind!r}; use one of {', '.join(TABLE_SUFFIXES)}")
    if kind == ".jsonl":
        return json_rows(path)
    return csv_rows(path, wanted, has_quotes=kind == ".csv")


def unpacked_suffix(path: Path) -> str:
    """Returns the suffix of a file, without the .gz of a packed file.

    Example:
        >>> unpacked_suffix(Path("texts.csv.gz")), unpacked_suffix(Path("texts.txt"))
        ('.csv', '.txt')
    """
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


def is_table(path: Path) -> bool:
    """Returns whether the name of a file is the name of a table, such as texts.csv."""
    return unpacked_suffix(path) in TABLE_SUFFIXES


def column_names(path: Path) -> list[str]:
    """Returns the names of the columns of a table; for a .jsonl file, the keys of the first object.

    Raises:
        UserError: the table cannot be read.
    """
    kind = unpacked_suffix(path)
    if kind == ".jsonl":
        return next((list(row) for row, _ in json_rows(path)), [])
    return header_names(path, has_quotes=kind == ".csv")


def read_running_text(path: Path) -> str:
    """Returns the text of a file that is read as a whole, for a language model.

    Raises:
        UserError: the file is a table, or cannot be read.
    """
    if is_table(path) and path.is_file():
        raise UserError(
            f"{path} is a table, but a language model reads running text; write the texts of the "
            "table into a .txt file, or rename it to .txt to read its raw lines"
        )
    return read_text(path)


def json_rows(path: Path) -> Iterator[tuple[Json, str]]:
    """Yields the objects of a .jsonl file, each with its place for messages.

    Raises:
        UserError: a line is not a JSON object, or has a key twice.
    """
    for line, place in numbered_lines(path):
        try:
            row = json.loads(line, object_pairs_hook=unique_keys)
        except RepeatedKey as error:
            raise UserError(f"{place}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise UserError(f"{place}: it is no JSON ({error}); use one object per line") from error
        if not isinstance(row, dict):
            raise UserError(f"{place}: it is {line[:40]!r}; use one object per line")
        yield row, place


def _read_text(row: Json, name: str, place: str) -> str:
    """Returns the text in a column."""
    if name not in row:
        raise _no_key(row, name, "text_column", place)
    value = row[name]
    if _is_missing(value):
        raise UserError(f"{place}: the text is null (column {name!r}); fill it or delete the row")
    if isinstance(value, list | dict):
        raise UserError(f"{place}: the text is {str(value)[:40]!a}; use a string")
    return require_whole_characters(str(value), f"{place}: the text")


class _LabelReader:
    """A reader of the labels of rows. In a JSON table all labels must have one type.

    Args:
        columns: the column of the label, and the separator between labels.
    """

    def __init__(self, columns: Columns):
        self._columns = columns
        self._first: tuple[object, str] | None = None  # the first label, and its place

    def read(self, row: Json, place: str) -> tuple[str, ...]:
        """Returns the labels of a row: none only if several are allowed or the row is skipped."""
        name, separator = self._columns.label, self._columns.separator
        if name not in row and not self._columns.skip_unlabeled:
            raise _no_key(row, name, "label_column", place)
        value = row.get(name)
        if _is_missing(value):
            labels = []
        elif not separator:
            labels = [self._read_one(value, place)]
        elif isinstance(value, list):
            labels = [self._read_one(part, place) for part in value]
        else:
            labels = self._read_one(value, place).split(separator)
        labels = [label.strip() for label in labels if label.strip()]
        if not labels and not self._columns.skip_unlabeled:
            if _is_missing(value):
                raise UserError(f"{place}: the label is null; fill it, or {_SKIP}")
            if not separator:
                raise UserError(f"{place}: the label is {value!r}; {_ONE_LABEL}, or {_SKIP}")
        return tuple(dict.fromkeys(labels))

    def _read_one(self, value: object, place: str) -> str:
        """Returns a label as a string; a list is refused."""
        if type(value) not in _KINDS:
            raise UserError(f"{place}: the label is {str(value)[:40]!s}; {_ONE_LABEL}")
        first, where = self._first = self._first or (value, place)
        if type(value) is not type(first):
            raise UserError(
                f"{place}: the label {value!a} is {_KINDS[type(value)]}, but {first!a} is "
                f"{_KINDS[type(first)]} ({where}); write all labels in one way"
            )
        label = require_whole_characters(str(value), f"{place}: the label")
        if "\n" in label.strip():
            raise UserError(f"{place}: the label {label[:40]!a} has a line break; remove it")
        return label


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _no_key(row: Json, name: str, field: str, place: str) -> UserError:
    return UserError(
        f"{place}: there is no column {name!r}; it has {', '.join(map(ascii, row))[:200]}; use "
        f"data.{field}=NAME"
    )
