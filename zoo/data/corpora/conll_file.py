"""Tagged sentences of the user in columns.

A line has one word, and a blank line ends a sentence. Columns are separated by tabs; in a line
without a tab, by blanks. A line that begins with -DOCSTART- is left out, and so are lines of
comments, which begin with "# " and stand before the first word of a sentence. The columns of
CoNLL-2003 are word, part of speech, chunk and name: data.tag_column=2 chooses the parts of speech,
3 the chunks, and 4 (the last column) the names.
"""

import re
import warnings
from collections.abc import Callable, Iterator

from zoo.data.corpora import Lines, Tagged, files_of_splits, register_corpus
from zoo.data.token_lines import read_sentences
from zoo.errors import Note, UserError

_DOCUMENT = "-DOCSTART-"
COLUMN_SUFFIXES = (".conll", ".bio", ".iob", ".iob2", ".bioes")
_SUFFIXES = (".conll", ".txt", ".tsv", *COLUMN_SUFFIXES[1:])


@register_corpus(
    "conll_file",
    gives=Tagged,
    files=files_of_splits(_SUFFIXES, train="eng.train", validation="eng.testa", test="eng.testb"),
    optional=("validation", "test"),
    one_file=_SUFFIXES,
    keep_blank=True,
    version="comments",
    origin="any files of columns with one word per line, as in CoNLL-2003; also one file, "
    "data.directory=FILE",
)
def conll_file(lines: Lines, *, word_column: str, tag_column: str) -> Iterator[Tagged]:
    """Yields the sentences of files with columns."""
    return read_sentences(_without_comments(lines), column_reader(word_column, tag_column))


def _without_comments(lines: Lines) -> Iterator[str]:
    """Yields the lines without the comments before sentences, and warns of these."""
    num_comments, num_columns, is_start = 0, 0, True
    for line in lines:
        if is_start and _is_comment(line, num_columns):
            num_comments += 1
            continue
        is_start = not line.strip() or line.startswith(_DOCUMENT)
        num_columns = num_columns or (0 if is_start else len(_fields(line)))
        yield line
    if num_comments:
        warnings.warn(
            f"{num_comments:,} lines of {lines.paths[0]} are skipped as comments, because they "
            'begin with "# " and stand before a sentence',
            Note,
            stacklevel=2,
        )


def _is_comment(line: str, num_columns: int) -> bool:
    """Returns whether a line before a sentence is a comment; "# O" is a word and its tag.

    Args:
        line: the line.
        num_columns: the number of columns of the words before it; 0 if there are none.

    Example:
        >>> _is_comment("# id 7", 2), _is_comment("# SYM", 2), _is_comment("# _ _ B-loc", 4)
        (True, False, False)
    """
    fields = _fields(line)
    if not line.startswith("# ") or "\t" in line:
        return False
    if len(fields) != (num_columns or len(fields)):
        return True
    return num_columns != 2 and not re.fullmatch("O|[BIESLU]-.+", fields[-1])


def column_reader(word_column: str, tag_column: str) -> Callable[[str], tuple[str, str] | None]:
    """Returns a function that reads the word and the tag of a line.

    Args:
        word_column: the column of the word, see `zoo.data.config.TaggedDataConfig`.
        tag_column: the column of the tag, see `zoo.data.config.TaggedDataConfig`.

    Raises:
        UserError: a column is not a number.

    Example:
        >>> column_reader("", "2")("dogs NNS B-NP O")
        ('dogs', 'NNS')
    """
    places = {
        "word_column": _place("word_column", word_column or "1"),
        "tag_column": _place("tag_column", tag_column or "-1"),
    }
    num_columns = 0

    def read(line: str) -> tuple[str, str] | None:
        nonlocal num_columns
        if line.startswith(_DOCUMENT):
            return None
        fields = _fields(line)
        num_columns = num_columns or len(fields)
        if len(fields) != num_columns:
            raise ValueError(
                f"it has {len(fields)} columns ({line.strip()[:40]!r}), but the first line has "
                f"{num_columns}; write all lines with the same columns"
            )
        word, tag = (_field(fields, name, place) for name, place in places.items())
        return word, tag

    return read


def _fields(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else re.split(" +", line.strip(" "))


def _place(name: str, column: str) -> int:
    """Returns the index of a column from its number in the config."""
    if not re.fullmatch(r"-?[1-9]\d{0,3}", column, re.ASCII):
        raise UserError(
            f"data.{name} is {column!r}; use the number of a column, such as 1 for the first or "
            "-1 for the last"
        )
    number = int(column)
    return number - 1 if number > 0 else number


def _field(fields: list[str], name: str, place: int) -> str:
    if not -len(fields) <= place < len(fields) or len(fields) == 1:
        number = place + 1 if place >= 0 else place
        raise ValueError(
            f"there is no column {number} beside the word; it has {len(fields)} "
            f"({' '.join(fields)[:40]!r}); use data.{name}=NUMBER"
        )
    text = fields[place].strip()
    if not text:
        raise ValueError(f"its column {place + 1 if place >= 0 else place} is empty; fill it")
    return text
