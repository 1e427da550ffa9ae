"""TREC (Li and Roth 2002): questions labelled COARSE:fine, with six coarse or fifty fine labels."""

from collections.abc import Iterator

from zoo.data.corpora import Labeled, Lines, register_corpus

_FILES = {"train": "train.txt", "test": "test.txt"}
_ORIGIN = "train_5500.label and TREC_10.label of Li and Roth 2002, in UTF-8"


@register_corpus("trec", gives=Labeled, files=_FILES, origin=_ORIGIN)
def trec(lines: Lines) -> Iterator[Labeled]:
    """Yields the questions with their coarse labels."""
    for text, (label,) in trec_fine(lines):
        yield Labeled(text, (label.partition(":")[0],))


@register_corpus("trec_fine", gives=Labeled, files=_FILES, origin=_ORIGIN)
def trec_fine(lines: Lines) -> Iterator[Labeled]:
    """Yields the questions with labels COARSE:fine."""
    for line in lines:
        label, _, text = line.partition(" ")
        if ":" not in label:
            raise ValueError(f"it starts with {label[:40]!r}; use COARSE:fine QUESTION")
        yield Labeled(text.strip(), (label,))
