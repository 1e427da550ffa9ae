"""The texts that corpora are made of: the user's files, found and divided."""

import dataclasses
import hashlib
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from zoo.data.text_reading import checksum, readable, user_path
from zoo.errors import UserError

SPLITS = ("train", "validation", "test")
WHOLE = "whole"  # stands for a split where one file holds all three, one after the other
STANDARD_FRACTIONS = (0.9, 0.05, 0.05)


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a corpus comes from.

    Args:
      files: for each split, the names that its file may have in the user's directory; none if no
        file is needed.
      origin: where to get the files.
    """

    files: Mapping[str, tuple[str, ...]]
    origin: str


SOURCES = {
    "python_docs": Source({}, "pydoc_data.topics, a part of CPython"),
    "penn_treebank": Source(
        {"train": ("ptb.train.txt",), "validation": ("ptb.valid.txt",), "test": ("ptb.test.txt",)},
        "folder data of T. Mikolov's simple-examples.tgz, which came with RNNLM",
    ),
    "text_file": Source(
        {
            "train": ("train.txt",),
            "validation": ("valid.txt", "validation.txt"),
            "test": ("test.txt",),
        },
        "any text in UTF-8; also one file, --config.data.directory=FILE",
    ),
    "tiny_shakespeare": Source(
        {WHOLE: ("input.txt",)}, "data/tinyshakespeare of A. Karpathy's char-rnn"
    ),
    "wikitext": Source(
        {
            "train": ("wiki.train.tokens",),
            "validation": ("wiki.valid.tokens",),
            "test": ("wiki.test.tokens",),
        },
        "WikiText-2 or WikiText-103 of S. Merity et al. 2016, Pointer Sentinel Mixture Models",
    ),
}


def find_files(corpus: str, directory: str) -> dict[str, Path]:
    """Return the files of a corpus in the user's directory.

    Args:
      corpus: a name in `SOURCES`.
      directory: the directory, or for `text_file` also one file with all the text.

    Returns:
      Split to file; the only split is `WHOLE` if one file holds all.

    Raises:
      UserError: if no directory was given or a file is missing.
    """
    source = SOURCES[corpus]
    wanted = ", ".join(names[0] for names in source.files.values())
    if not directory:
        raise UserError(
            f"corpus {corpus} needs {wanted} ({source.origin}) but no directory was given; "
            "use --config.data.directory=DIR"
        )
    folder = user_path(directory)
    with readable(folder):
        if corpus == "text_file" and folder.exists() and not folder.is_dir():
            return {WHOLE: folder}
        if not folder.is_dir():
            raise UserError(
                f"{folder} is no directory; corpus {corpus} needs one with {wanted} "
                f"({source.origin})"
            )
        return {
            split: _find(folder, names, source, wanted) for split, names in source.files.items()
        }


def _find(folder: Path, names: Sequence[str], source: Source, wanted: str) -> Path:
    """Return the first of the files that is there; errors as those of `find_files`."""
    candidates = [folder / name for name in names]
    found = [path for path in candidates if path.exists()]
    if not found:
        raise UserError(
            f"{candidates[0]} is missing; put it there, or use --config.data.directory=DIR "
            f"with {wanted} ({source.origin})"
        )
    return found[0]


def fingerprint(files: Mapping[str, Path], fractions: Sequence[float]) -> str:
    """Return 16 hexadecimal digits that change when a file's content or the fractions change.

    Args:
      files: split to file.
      fractions: how one file is divided.
    """
    digest = hashlib.sha256()
    for _, path in sorted(files.items()):
        digest.update(checksum(path))
    if WHOLE in files:
        digest.update(repr(tuple(map(float, fractions))).encode())
    return digest.hexdigest()[:16]


def check_fractions(fractions: Sequence[float]) -> None:
    """Raise a UserError unless three positive fractions sum to 1.

    Args:
      fractions: parts of the text for training, validation and test.
    """
    valid = len(fractions) == len(SPLITS) and min(fractions) > 0
    if not valid or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise UserError(
            f"fractions are {str(tuple(fractions))[:80]}; use {len(SPLITS)} positive numbers that "
            f"sum to 1, such as --config.data.fractions={','.join(map(str, STANDARD_FRACTIONS))}"
        )


def split_lines(lines: Iterable[str], fractions: Sequence[float]) -> dict[str, Iterator[str]]:
    """Divide a text of N characters at floor(f N), with f summed up from the fractions.

    Args:
      lines: the text, in any pieces; it is gone through once for its length, and for each part.
      fractions: parts for training, validation and test.

    Returns:
      Split to pieces of text; all together are the text.

    >>> parts = split_lines(["abc", "defghij"], (0.5, 0.3, 0.2))
    >>> {split: "|".join(pieces) for split, pieces in parts.items()}
    {'train': 'abc|de', 'validation': 'fgh', 'test': 'ij'}
    """
    first, second, _ = fractions
    length = sum(map(len, lines))
    # 0.7 + 0.2 is 0.8999999999999999: of ten characters, the border would come after eight.
    borders = (0, int(first * length), int(round(first + second, 12) * length), length)
    return {
        split: _part(lines, start, stop)
        for split, (start, stop) in zip(SPLITS, itertools.pairwise(borders), strict=True)
    }


def _part(lines: Iterable[str], start: int, stop: int) -> Iterator[str]:
    """The characters from `start` to `stop`."""
    position = 0
    for line in lines:
        if position >= stop:
            return
        part = line[max(start - position, 0) : stop - position]
        position += len(line)
        if part:
            yield part
