"""The rows of a table with a header: a .csv or .tsv file.

In a .csv file a field may be quoted. The delimiter is a comma, a semicolon or a tab, whichever
splits the header into the wanted columns. In a .tsv file tabs separate fields, and quotes are
ordinary characters. Blanks around the names in a header are dropped. If every name but the first
begins with a blank, blanks before the fields of the rows are dropped too.
"""

import csv
import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from zoo.data.text_reading import place_of, read_lines
from zoo.errors import UserError
from zoo.types import Json

_DELIMITERS = (",", ";", "\t")
_LONGEST_FIELD = 2**31 - 1  # characters; the csv module's limit is 131,072 unless it is raised
_TABS: Json = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
# A table may also end its lines with carriage returns, as Excel for the Mac writes them.
_LINE = re.compile(r"[^\r]*\r\n?|[^\r]+")
# The rest of a quoted field after its first quote: "" stands for a quote.
_QUOTED_REST = re.compile(r'[^"]*+(?:""[^"]*+)*+"')


def csv_rows(
    path: Path, wanted: Mapping[str, str], *, has_quotes: bool
) -> Iterator[tuple[dict[str, str], str]]:
    """Yields each row as a dictionary with the header's names, and its place for messages.

    Args:
        path: the table, which may be packed with .gz.
        wanted: for each column that must be there, the field of the config that names it.
        has_quotes: whether the table is a .csv file; otherwise it is a .tsv file.

    Raises:
        UserError: the table cannot be read, lacks a column, has a row whose number of fields is not
            the header's, or has a quote that is not closed.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    lines = (part for line in read_lines(path) for part in _LINE.findall(line))
    num_blank = 0
    for header in lines:
        if header.strip():
            break
        num_blank += 1
    form = _find_form(header, wanted) if has_quotes else _TABS
    record: list[str] = []  # the lines of the row that is being read
    reader = csv.reader(_keep(itertools.chain([header], lines), record), strict=True, **form)
    names: list[str] = []
    start = num_blank + 1
    try:
        for row in reader:
            place = place_of(path, start)
            if not names:
                names = [name.strip() for name in row]
                _check_header(names, wanted, form["delimiter"], place)
            elif any(field.strip() for field in row):
                _check_width(row, names, form["delimiter"], place)
                yield dict(zip(names, row, strict=True)), place
            record.clear()
            start = num_blank + reader.line_num + 1
    except csv.Error as error:
        raise _wrong_quote(path, start, record, form, error) from error


def header_names(path: Path, *, has_quotes: bool) -> list[str]:
    """Returns the names in the header of a table; `csv_rows` describes the arguments."""
    header = next((line for line in read_lines(path) if line.strip()), "")
    first = next(iter(_LINE.findall(header)), "")
    form = _find_form(first, ()) if has_quotes else _TABS
    return [name.strip() for name in next(csv.reader([first], **form), [])]


def _keep(lines: Iterator[str], record: list[str]) -> Iterator[str]:
    """Yields the lines, and appends each line to the record."""
    for line in lines:
        record.append(line)
        yield line


def _find_form(header: str, wanted: Collection[str]) -> Json:
    """Returns the csv module's settings for a .csv file with this header."""
    fields = {
        delimiter: next(csv.reader([header], delimiter=delimiter)) for delimiter in _DELIMITERS
    }

    def fit(delimiter: str) -> tuple[int, int]:
        names = [name.strip() for name in fields[delimiter]]
        return len(set(wanted).intersection(names)), len(names)

    delimiter = max(_DELIMITERS, key=fit)
    others = fields[delimiter][1:]
    has_blanks = bool(others) and all(name.startswith(" ") for name in others)
    return {"delimiter": delimiter, "skipinitialspace": has_blanks}


def _check_header(names: list[str], wanted: Mapping[str, str], delimiter: str, place: str) -> None:
    """Raises a UserError that names all wanted columns that are missing or occur twice."""
    for name in wanted:
        if names.count(name) > 1:
            raise UserError(f"{place}: several columns are called {name!r}; rename all but one")
    if missing := [name for name in wanted if name not in names]:
        kind = "column" if len(missing) == 1 else "columns"
        fields = " ".join(dict.fromkeys(f"data.{wanted[name]}=NAME" for name in missing))
        advice = f"use {fields}, or put a line with the names first if the file has none"
        if delimiter == "\t" and len(names) == 1:
            advice = "separate its columns by tabs, or rename a table with commas to .csv"
        raise UserError(
            f"{place}: the header has no {kind} {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, names))[:200]}; {advice}"
        )


def _check_width(row: list[str], names: list[str], delimiter: str, place: str) -> None:
    if len(row) != len(names):
        raise UserError(
            f"{place}: the row has {len(row)} fields, but the header has {len(names)} "
            f"({', '.join(map(repr, names))[:200]}); correct the row; in a .csv, a text that "
            f"contains {delimiter!r} needs double quotes around it"
        )


def _wrong_quote(
    path: Path, start: int, record: list[str], form: Json, error: csv.Error
) -> UserError:
    """Returns the error of a row that cannot be read.

    Args:
        path: the table.
        start: the number of the row's first line.
        record: the lines of the row, up to the line where the error was noticed.
        form: the settings of the csv module.
        error: the error of the csv module.
    """
    opening = _find_open_quote(record, form)
    if opening is not None:
        return UserError(
            f"{place_of(path, start + opening)}: a quote opens here and is never closed; close it, "
            'or write "" for a quote inside a quoted text'
        )
    end = f", which goes on to line {start + len(record) - 1}" if len(record) > 1 else ""
    return UserError(
        f"{place_of(path, start)}: the row that begins here{end}, cannot be read ({error}); check "
        'its quotes, and write "" for a quote inside a quoted text'
    )


def _find_open_quote(record: list[str], form: Json) -> int | None:
    """Returns the index of the line that opens a quote without closing it, or None."""
    text = "".join(record)
    opening = re.compile(' *"' if form.get("skipinitialspace") else '"')
    position = 0  # where a field begins
    while position < len(text):
        if quote := opening.match(text, position):
            closed = _QUOTED_REST.match(text, quote.end())
            if closed is None:
                ends = itertools.accumulate(map(len, record))
                return next(line for line, end in enumerate(ends) if quote.end() <= end)
            position = closed.end()
        position = text.find(form["delimiter"], position) + 1 or len(text)
    return None
