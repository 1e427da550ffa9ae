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


def check_example(example: object, gives: type) -> None:
    """Refuses what a corpus gives instead of an example.

    Args:
        example: what it gives.
        gives: the class that its examples should have.

    Raises:
        ValueError: it is of another class, a line has a newline, or labels are not a tuple.

    Example:
        >>> check_example(Labeled("a text", "good"), Labeled)
        Traceback (most recent call last):
            ...
        ValueError: its labels are 'good'; use a tuple, such as ('good',)
    """
    if not isinstance(example, gives):
        shown = repr(example)[:80]
        raise ValueError(f"it gives {shown}, which is no {gives.__name__}; see gives of the corpus")
    if isinstance(example, str) and "\n" in example:
        raise ValueError(f"it gives a line with a newline, {example[:80]!r}; give two lines")
    if isinstance(example, Labeled) and not isinstance(example.labels, tuple):
        shown = repr(example.labels)[:80]
        raise ValueError(f"its labels are {shown}; use a tuple, such as ({shown},)")
