"""The names of the files of some corpora of texts, and what writes them."""

from collections.abc import Iterable
from pathlib import Path

PENN_TREEBANK_FILES = ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")
WIKITEXT_FILES = ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens")
TEXT_FILES = ("train.txt", "valid.txt", "test.txt")


def write_files(directory: Path, names: Iterable[str], texts: Iterable[str]) -> str:
    """Writes a text under each name; gives the directory as a config has it."""
    directory.mkdir(exist_ok=True)
    for name, text in zip(names, texts, strict=True):
        (directory / name).write_bytes(text.encode("utf-8"))
    return str(directory)
