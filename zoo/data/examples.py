"""The examples that corpora give: one class for each kind of corpus."""

from typing import NamedTuple

Text = str  # a line of a text, without its newline
Alignment = tuple[tuple[int, int], ...]


class Labeled(NamedTuple):
    """A text with its labels.

    Attributes:
        text: the text.
        labels: exactly one label, or any number where a text may have several.
    """

    text: str
    labels: tuple[str, ...]


class Pair(NamedTuple):
    """A sentence with its translation.

    Attributes:
        source: the sentence.
        target: its translation.
        alignment: the numbers, from 0, of the source and the target words that are aligned, where
            words are what spaces separate; () where the alignment is unknown.
    """

    source: str
    target: str
    alignment: Alignment = ()


# How `zoo list` calls the corpora of each kind.
KINDS: dict[type, str] = {
    Text: "corpora",
    Labeled: "corpora of labelled texts",
    Pair: "corpora of sentence pairs",
}
