"""Tagged sentences of the user in columns.

A line has one word, and a blank line ends a sentence. Columns are separated by tabs; in a line
without a tab, by blanks. A line that begins with -DOCSTART- is left out. The columns of CoNLL-2003
are word, part of speech, chunk and name: data.tag_column=2 chooses the parts of speech, 3 the
chunks, and 4 (the last column) the names.
"""

import re
from collections.abc import Callable, Iterator

from zoo.data.corpora import Lines, Tagged, files_of_splits, register_corpus
from zoo.data.token_lines import read_sentences
from zoo.errors import UserError

COLUMN_SUFFIXES = (".conll", ".bio", ".iob", ".iob2", ".bioes")
_SUFFIXES = (".conll", ".txt", ".tsv", *COLUMN_SUFFIXES[1:])


@register_corpus(
    "conll_file",
    gives=Tagged,
    files=files_of_splits(_SUFFIXES, train="eng.train", validation="eng.testa", test="eng.testb"),
    optional=("validation", "test"),
    one_file=_SUFFIXES,
    keep_blank=True,
    origin="any files of columns with one word per line, as in CoNLL-2003; also one file, "
    "data.directory=FILE",
)
def conll_file(lines: Lines, *, word_column: str, tag_column: str) -> Iterator[Tagged]:
    """Yields the sentences of files with columns."""
    return read_sentences(lines, column_reader(word_column, tag_column))


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
        if line.startswith("-DOCSTART-"):
            return None
        fields = line.split("\t") if "\t" in line else re.split(" +", line.strip(" "))
        num_columns = num_columns or len(fields)
        if len(fields) != num_columns:
            raise ValueError(
                f"it has {len(fields)} columns ({line.strip()[:40]!r}), but the first line has "
                f"{num_columns}; write all lines with the same columns"
            )
        word, tag = (_field(fields, name, place) for name, place in places.items())
        return word, tag

    return read


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
