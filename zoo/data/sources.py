"""The texts that corpora are made of: the user's files, found, checked and read."""

import contextlib
import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

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
    folder = Path(directory).expanduser()
    if corpus == "text_file" and folder.is_file():
        return {WHOLE: folder}
    if not folder.is_dir():
        raise UserError(
            f"{folder} is no directory; corpus {corpus} needs one with {wanted} ({source.origin})"
        )
    files = {}
    for split, names in source.files.items():
        candidates = [folder / name for name in names]
        found = [path for path in candidates if path.exists()]
        if not found:
            raise UserError(
                f"{candidates[0]} is missing; put it there, or use --config.data.directory=DIR "
                f"with {wanted} ({source.origin})"
            )
        files[split] = found[0]
    return files


def fingerprint(files: Mapping[str, Path], fractions: Sequence[float]) -> str:
    """Return 16 hexadecimal digits that change when a file's content or the fractions change.

    Args:
      files: split to file.
      fractions: how one file is divided.
    """
    digest = hashlib.sha256()
    for _, path in sorted(files.items()):
        digest.update(_checksum(path))
    if WHOLE in files:
        digest.update(repr(tuple(map(float, fractions))).encode())
    return digest.hexdigest()[:16]


def _checksum(path: Path) -> bytes:
    with readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def read_text(path: Path) -> str:
    """Return a file's text exactly as it stands, line ends included.

    Args:
      path: a file in UTF-8.

    Raises:
      UserError: if it cannot be read, is empty or not UTF-8.
    """
    content = read_bytes(path)
    if not content.strip():
        raise UserError(f"{path} is empty; put the text into it")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8: byte {content[error.start]:#04x} at offset {error.start}; "
            "save it as UTF-8"
        ) from error


def check_fractions(fractions: Sequence[float]) -> None:
    """Raise a UserError unless three positive fractions sum to 1.

    Args:
      fractions: parts of the text for training, validation and test.
    """
    valid = len(fractions) == len(SPLITS) and min(fractions) > 0
    if not valid or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise UserError(
            f"fractions are {tuple(fractions)}; use {len(SPLITS)} positive numbers that sum to 1, "
            f"such as --config.data.fractions={','.join(map(str, STANDARD_FRACTIONS))}"
        )


def split_text(text: str, fractions: Sequence[float]) -> dict[str, str]:
    """Divide a text of N characters at floor(f N), with f summed up from the fractions.

    Args:
      text: the text.
      fractions: parts for training, validation and test.

    Returns:
      Split to text; all together are the text.

    >>> split_text("abcdefghij", (0.5, 0.3, 0.2))
    {'train': 'abcde', 'validation': 'fgh', 'test': 'ij'}
    """
    first, second, _ = fractions
    train_end = int(first * len(text))
    # 0.7 + 0.2 is 0.8999999999999999: of ten characters, the border would come after eight.
    validation_end = int(round(first + second, 12) * len(text))
    parts = (text[:train_end], text[train_end:validation_end], text[validation_end:])
    return dict(zip(SPLITS, parts, strict=True))


def read_bytes(path: Path) -> bytes:
    """Return a file's content, or raise a UserError that says why it cannot be read."""
    with readable(path):
        return path.read_bytes()


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Where a file is read: a UserError says why it cannot be."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; make it a readable file") from error
