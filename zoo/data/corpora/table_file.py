"""Tables of labelled texts of the user: .csv, .tsv or .jsonl; see `zoo.data.tables`."""

from collections.abc import Iterator

from zoo.data.corpora import Labeled, Lines, files_of_splits, register_corpus
from zoo.data.tables import TABLE_SUFFIXES, Columns, read_rows

_SUFFIXES = tuple(suffix + packed for suffix in TABLE_SUFFIXES for packed in ("", ".gz"))


@register_corpus(
    "table_file",
    gives=Labeled,
    files=files_of_splits(_SUFFIXES),
    optional=("validation",),
    one_file=_SUFFIXES,
    origin="any .csv, .tsv or .jsonl with named columns; also one table, data.directory=FILE",
)
def table_file(
    lines: Lines,
    *,
    text_column: str,
    label_column: str,
    label_separator: str,
    skip_unlabeled: bool,
) -> Iterator[Labeled]:
    """Yields the rows. Rows that will be skipped are included, without a label."""
    columns = Columns(text_column, label_column, label_separator, skip_unlabeled)
    return read_rows(lines.paths[0], columns)
