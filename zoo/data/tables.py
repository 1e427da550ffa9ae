"""Tables of labelled texts: the examples in a .csv, .tsv or .jsonl file.

A .csv or .tsv has a header, see `zoo.data.csv_rows`. A .jsonl has a JSON object a line.
"""

import dataclasses
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zoo.data.config import LabeledDataConfig
from zoo.data.csv_rows import csv_rows
from zoo.data.examples import Labeled
from zoo.data.text_reading import numbered_lines
from zoo.errors import UserError
from zoo.types import Json
from zoo.whole_characters import require_whole_characters

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl")
_KINDS = {bool: "true or false", int: "a whole number", float: "a decimal number", str: "a string"}
_ONE_LABEL = "use one label, or for several data.label_separator=,"
_SKIP = "skip such rows with data.skip_unlabeled=true"


@dataclasses.dataclass(frozen=True)
class Columns:
    """Where a table holds what.

    Attributes:
        text: name of the column, or key, of the text; several, with commas between, are joined.
        label: name of the column, or key, of the label.
        separator: what stands between the labels of a text; "" where each has exactly one.
        skip_unlabeled: read a row without a label as an example without labels.
    """

    text: str = "text"
    label: str = "label"
    separator: str = ""
    skip_unlabeled: bool = False

    @classmethod
    def of(cls, config: LabeledDataConfig) -> "Columns":
        """Returns where the table of a `LabeledDataConfig` holds what."""
        return cls(
            config.text_column, config.label_column, config.label_separator, config.skip_unlabeled
        )

    @property
    def texts(self) -> list[str]:
        """The columns of the text."""
        return [name.strip() for name in self.text.split(",")]


def read_rows(path: Path, columns: Columns) -> Iterator[Labeled]:
    """Yield the examples of a table: a .csv, .tsv or .jsonl, which may be packed with .gz.

    Args:
        path: the table.
        columns: where it holds what.

    Raises:
        UserError: if the table cannot be read, lacks a column or has no rows or labels; or for the
            first row of the wrong form, which is named.
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
    """Returns the examples of a table, without the rows that are to be skipped.

    Args:
        path: the table.
        columns: where it holds what, and whether rows without a label are skipped.

    Raises:
        UserError: as `read_rows`.
    """
    examples = list(read_rows(path, columns))
    if not columns.skip_unlabeled:
        return examples
    return [examples[row] for row in labeled_rows([one.labels for one in examples], str(path))]


def labeled_rows(labels: Sequence[tuple[str, ...]], place: str) -> list[int]:
    """Returns the numbers of the rows with a label, and says on stderr how many have none.

    Args:
        labels: the labels of each row.
        place: where the rows come from, for the note.
    """
    rows = [row for row, own in enumerate(labels) if own]
    if len(rows) < len(labels):
        print(
            f"note: {len(labels) - len(rows)} of the {len(labels)} rows of {place} have no "
            "label and are skipped",
            file=sys.stderr,
        )
    return rows


def text_rows(path: Path, *, text_column: str, id_column: str = "") -> Iterator[tuple[object, str]]:
    """Yield the texts of a table's rows, a few in memory at a time, each with its id.

    Args:
        path: a .csv, .tsv or .jsonl, which may be packed with .gz.
        text_column: name of the column, or key, of the text; several, with commas between, are
            joined.
        id_column: name of the column of the id; "" for none, which gives None.

    Raises:
        UserError: as `read_rows`.
    """
    names = Columns(text_column).texts
    wanted = dict.fromkeys(names, "text_column")
    for row, place in _rows(path, wanted | ({id_column: "id_column"} if id_column else {})):
        if id_column and id_column not in row:
            raise _no_key(row, id_column, "id_column", place)
        text = " ".join(_read_text(row, name, place) for name in names)
        yield (row[id_column] if id_column else None), text


def _rows(path: Path, wanted: Mapping[str, str]) -> Iterator[tuple[Json, str]]:
    """The rows of a table by the names of its columns, and their places.

    Args:
        path: the table.
        wanted: for each column that must be there, the field of the config that names it.
    """
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if kind not in TABLE_SUFFIXES:
        raise UserError(f"{path} ends with {kind!r}; use one of {', '.join(TABLE_SUFFIXES)}")
    if kind == ".jsonl":
        return json_rows(path)
    return csv_rows(path, wanted, has_quotes=kind == ".csv")


def json_rows(path: Path) -> Iterator[tuple[Json, str]]:
    """Yield the objects of a .jsonl file, each with its place for messages.

    Raises:
        UserError: a line is no JSON object.
    """
    for line, place in numbered_lines(path):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{place}: it is not JSON ({error}); use an object a line") from error
        if not isinstance(row, dict):
            raise UserError(f"{place}: it is {line[:40]!r}; use an object a line")
        yield row, place


def _read_text(row: Json, name: str, place: str) -> str:
    """Return the text in a column."""
    if name not in row:
        raise _no_key(row, name, "text_column", place)
    value = row[name]
    if _is_missing(value):
        raise UserError(f"{place}: the text is null (column {name!r}); fill it or delete the row")
    if isinstance(value, list | dict):
        raise UserError(f"{place}: the text is {str(value)[:40]!a}; use a string")
    return require_whole_characters(str(value), f"{place}: the text")


class _LabelReader:
    """Reads the labels of a table's rows, which must have one type if the table is JSON.

    Args:
        columns: where the label stands, and what separates several labels.
    """

    def __init__(self, columns: Columns):
        self._columns = columns
        self._first: tuple[object, str] | None = None  # the first label, and its place

    def read(self, row: Json, place: str) -> tuple[str, ...]:
        """Return the labels of a row: none only if several are allowed, or rows are skipped."""
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
        """Return a value, which must not be a list, as a string."""
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
            raise UserError(f"{place}: the label {label[:40]!a} has a line break; take it away")
        return label


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _no_key(row: Json, name: str, field: str, place: str) -> UserError:
    return UserError(
        f"{place}: there is no column {name!r}; it has {', '.join(map(ascii, row))[:200]}; use "
        f"data.{field}=NAME"
    )
