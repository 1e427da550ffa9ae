"""Parallel texts as they lie in the user's files, and how they are read."""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from zoo.data.sources import SPLITS, WHOLE
from zoo.data.text_reading import checksum, read_text, readable, user_path
from zoo.errors import UserError


@dataclasses.dataclass(frozen=True)
class ParallelSource:
    """Where a parallel corpus comes from.

    Args:
      stems: for each split, the names that its two files may have before ".LANGUAGE"; none if no
        file is needed.
      needed: the splits that must be there; parts of the training split take the place of others.
      origin: where to get the files.
      toy: the language of `zoo.data.toy_german.LANGUAGES` that it is generated in; "" for none.
      languages: source and target of a generated corpus.
    """

    stems: Mapping[str, tuple[str, ...]]
    needed: tuple[str, ...]
    origin: str
    toy: str = ""
    languages: tuple[str, str] = ("", "")


PARALLEL_SOURCES = {
    "multi30k": ParallelSource(
        {"train": ("train",), "validation": ("val",), "test": ("test_2016_flickr",)},
        SPLITS,
        "data/task1/raw of github.com/multi30k/dataset, unpacked",
    ),
    "parallel_text": ParallelSource(
        {"train": ("train",), "validation": ("valid", "validation", "dev"), "test": ("test",)},
        ("train",),
        "two texts in UTF-8 whose lines are translations of each other; also one file of lines "
        "SOURCE tab TARGET, --config.data.directory=FILE.tsv",
    ),
    "toy_german": ParallelSource({}, (), "our grammar", "german", ("de", "en")),
    "toy_verb_final": ParallelSource({}, (), "our grammar", "verb_final", ("en", "sov")),
    "toy_verb_initial": ParallelSource({}, (), "our grammar", "verb_initial", ("en", "vso")),
}


class PairFiles(NamedTuple):
    """Where the pairs of a split lie.

    Args:
      source: a text, or a table of two columns.
      target: the text of its translations; None: `source` is a table.
      swapped: the table's second column is the source.
    """

    source: Path
    target: Path | None = None
    swapped: bool = False


def find_parallel_files(
    corpus: str, directory: str, source_language: str, target_language: str
) -> dict[str, PairFiles]:
    """Return the files of a corpus in the user's directory.

    Args:
      corpus: a name in `PARALLEL_SOURCES` whose texts are in files.
      directory: the directory, or for `parallel_text` also one table, NAME.tsv. Its first column
        is the source, unless it is called NAME.FIRST-SECOND.tsv: then these are the languages.
      source_language: how the name of a source text ends.
      target_language: how the name of a target text ends.

    Returns:
      Split to files; the only split is `WHOLE` if one table holds all.

    Raises:
      UserError: if no directory was given or a file is missing.
    """
    languages = (source_language, target_language)
    if not directory:
        raise UserError(
            f"corpus {corpus} needs {_wanted(corpus, languages)} but no directory was given; "
            "use --config.data.directory=DIR"
        )
    folder = user_path(directory)
    with readable(folder):
        is_file = folder.exists() and not folder.is_dir()
        if corpus == "parallel_text" and (is_file or folder.suffix == ".tsv"):
            return {WHOLE: _table(folder, languages)}
        return _find_texts(corpus, folder, languages)


def _wanted(corpus: str, languages: tuple[str, str]) -> str:
    """The files that a corpus cannot do without, and where they come from."""
    source = PARALLEL_SOURCES[corpus]
    names = [f"{source.stems[split][0]}.{end}" for split in source.needed for end in languages]
    return f"{', '.join(names)} ({source.origin})"


def _find_texts(corpus: str, folder: Path, languages: tuple[str, str]) -> dict[str, PairFiles]:
    """Two files a split; a split that is not needed may lack both, but not one of them."""
    source = PARALLEL_SOURCES[corpus]
    files = {}
    for split, stems in source.stems.items():
        pairs = [[folder / f"{stem}.{language}" for language in languages] for stem in stems]
        begun = [pair for pair in pairs if any(path.exists() for path in pair)]
        if not begun and split not in source.needed:
            continue
        first, second = begun[0] if begun else pairs[0]
        for path in (first, second):
            if not path.exists():
                raise UserError(
                    f"{path} is missing; put it there, or use --config.data.directory=DIR with "
                    f"{_wanted(corpus, languages)}"
                )
        files[split] = PairFiles(first, second)
    return files


def _table(path: Path, languages: tuple[str, str]) -> PairFiles:
    """A table, whose name may say which column is which."""
    if path.suffix != ".tsv":
        raise UserError(f"{path} ends with {path.suffix!r}; use a .tsv file, or a directory")
    columns = Path(path.stem).suffix.removeprefix(".").split("-")
    if len(columns) != 2:
        return PairFiles(path)
    if set(columns) != set(languages):
        raise UserError(
            f"{path} has the languages {' and '.join(columns)} by its name, not "
            f"{' and '.join(languages)}; use --config.data.source_language={columns[0]} "
            f"--config.data.target_language={columns[1]}"
        )
    return PairFiles(path, swapped=columns[0] != languages[0])


def read_pairs(files: PairFiles) -> list[tuple[str, str]]:
    """Return the sentence pairs of a split, without those that are empty on both sides.

    Args:
      files: where they lie.

    Returns:
      Source and target sentences, without space around them.

    Raises:
      UserError: a file cannot be read, is empty or not UTF-8; the two texts have different
        numbers of lines; a line of a table has not one tab; one side of a pair is empty.
    """
    pairs = []
    for source, target, place in _read_lines(files):
        pair = (source.strip(), target.strip())
        if all(pair):
            pairs.append(pair)
        elif any(pair):
            side = "target" if pair[0] else "source"
            raise UserError(
                f"{place}: the {side} is empty, its translation is "
                f"{(pair[0] or pair[1])[:40]!r}; fill or delete both"
            )
    return pairs


def _read_lines(files: PairFiles) -> Iterator[tuple[str, str, str]]:
    """Source, target, and their place for messages."""
    if files.target is None:
        for number, line in enumerate(_split_lines(files.source), 1):
            place = f"{files.source}, line {number}"
            if line.strip(" \r") and line.count("\t") != 1:
                raise UserError(f"{place}: it has {line.count(chr(9))} tabs; use SOURCE tab TARGET")
            first, _, second = line.partition("\t")
            yield (second, first, place) if files.swapped else (first, second, place)
        return
    sources, targets = _split_lines(files.source), _split_lines(files.target)
    if len(sources) != len(targets):
        raise UserError(
            f"{files.source} has {len(sources)} lines but {files.target} has {len(targets)}; "
            "line k of one must be the translation of line k of the other"
        )
    for number, (source, target) in enumerate(zip(sources, targets, strict=True), 1):
        path = files.target if source.strip() else files.source
        yield source, target, f"{path}, line {number}"


def _split_lines(path: Path) -> list[str]:
    """Lines at newlines only: other marks that Unicode counts as line ends are in sentences."""
    return read_text(path).removesuffix("\n").split("\n")


def parallel_fingerprint(files: Mapping[str, PairFiles]) -> str:
    """Return 16 hexadecimal digits that change when the content of a file or its part changes.

    Args:
      files: split to files, as `find_parallel_files` finds them.
    """
    digest = hashlib.sha256()
    for split, (source, target, swapped) in sorted(files.items()):
        digest.update(f"{split} {swapped}".encode())
        for path in filter(None, (source, target)):
            digest.update(checksum(path))
    return digest.hexdigest()[:16]
