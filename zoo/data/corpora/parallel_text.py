"""Parallel texts of the user: two texts whose lines are translations, or a table of two columns.

The first column of a table is the source. If the table is called NAME.FIRST-SECOND.tsv, FIRST and
SECOND are the languages of its columns, in any order.
"""

from collections.abc import Iterator
from pathlib import Path

from zoo.data.corpora import Lines, Pair, register_corpus
from zoo.errors import UserError

LANGUAGES = ("source_language", "target_language")


@register_corpus(
    "parallel_text",
    gives=Pair,
    files={"train": "train", "validation": ("valid", "validation", "dev"), "test": "test"},
    optional=("validation", "test"),
    one_file=(".tsv", ".tsv.gz"),
    languages=LANGUAGES,
    origin="two texts in UTF-8 whose lines are translations of each other; also one file of lines "
    "SOURCE tab TARGET, data.directory=FILE.tsv",
)
def parallel_text(lines: Lines, *, source_language: str, target_language: str) -> Iterator[Pair]:
    """Yields the pairs of two texts or of one table."""
    if len(lines.paths) > 1:
        yield from side_by_side(lines)
        return
    is_turned = _is_turned(lines.paths[0], (source_language, target_language))
    for line in lines:
        if line.count("\t") != 1:
            raise ValueError(f"it has {line.count(chr(9))} tabs; use SOURCE tab TARGET")
        first, second = line.split("\t")
        if first.strip() or second.strip():
            yield _pair(lines, (second, first) if is_turned else (first, second))


def side_by_side(lines: Lines) -> Iterator[Pair]:
    """Yields the pairs of two texts, without blanks around the sentences.

    Args:
        lines: the two texts.

    Raises:
        UserError: a sentence has no translation.
    """
    for sentences in lines:
        yield _pair(lines, sentences)


def _pair(lines: Lines, sentences: tuple[str, str]) -> Pair:
    source, target = (sentence.strip() for sentence in sentences)
    if not (source and target):
        side, number = ("target", -1) if source else ("source", 0)
        raise UserError(
            f"{lines.place(number)}: the {side} is empty, its translation is "
            f"{(source or target)[:40]!r}; fill or delete both"
        )
    return Pair(source, target)


def _is_turned(path: Path, languages: tuple[str, str]) -> bool:
    """Returns whether a table's name says that its second column is the source."""
    name = Path(path.name.removesuffix(".gz"))
    if name.suffix != ".tsv":
        raise UserError(f"{path} ends with {path.suffix!r}; use a .tsv file, or a directory")
    columns = Path(name.stem).suffix.removeprefix(".").split("-")
    if len(columns) != 2:
        return False
    if set(columns) != set(languages):
        raise UserError(
            f"{path} has the languages {' and '.join(columns)} by its name, not "
            f"{' and '.join(languages)}; use data.source_language={columns[0]} "
            f"data.target_language={columns[1]}"
        )
    return columns[0] != languages[0]
