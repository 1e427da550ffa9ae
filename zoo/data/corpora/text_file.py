"""Texts of the user, unchanged: three files, or one file that is divided."""

from collections.abc import Iterator

from zoo.data.corpora import Lines, register_corpus


@register_corpus(
    "text_file",
    files={
        "train": "train.txt",
        "validation": ("valid.txt", "validation.txt"),
        "test": "test.txt",
    },
    one_file=(".txt", ".txt.gz"),
    origin="any text in UTF-8; also one file, data.directory=FILE",
    keep_blank=True,
)
def text_file(lines: Lines) -> Iterator[str]:
    """Yields the lines as they are."""
    yield from lines
