"""The examples that corpora give: one class for each kind of corpus."""

from typing import Any, NamedTuple

Text = str  # a line of a text, without its newline
Example = Any  # a Text, Labeled, Pair or Tagged, or one field of it
Alignment = tuple[tuple[int, int], ...]


class Labeled(NamedTuple):
    """A text with its labels.

    Attributes:
        text: the text.
        labels: exactly one label, or any number of labels if the corpus allows several.
    """

    text: str
    labels: tuple[str, ...]


class Pair(NamedTuple):
    """A sentence with its translation.

    Attributes:
        source: the sentence.
        target: its translation.
        alignment: the pairs of aligned words, as (source, target) numbers from 0. Words are
            separated by spaces. () means that the alignment is unknown.
    """

    source: str
    target: str
    alignment: Alignment = ()


class Tagged(NamedTuple):
    """A sentence with a tag for each of its tokens.

    Attributes:
        tokens: the tokens of the sentence, at least one.
        tags: the tag of each token.
    """

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


# The heading of each kind of corpus in `zoo list`.
KINDS: dict[type, str] = {
    Text: "corpora",
    Labeled: "corpora of labelled texts",
    Pair: "corpora of sentence pairs",
    Tagged: "corpora of tagged sentences",
}


def check_example(example: object, gives: type) -> None:
    """Raises a ValueError unless an object is an example of the right class and form.

    Args:
        example: the object that the function of a corpus yields.
        gives: the class that its examples must have.

    Raises:
        ValueError: the object has another class, a line has a newline, the labels are not a tuple,
            or a sentence has no tokens or another number of tags than of tokens.

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
    if isinstance(example, Tagged):
        _check_tagged(example)


def _check_tagged(sentence: Tagged) -> None:
    """Raises a ValueError unless a sentence has tokens and one tag for each token."""
    for name, texts in zip(sentence._fields, sentence, strict=True):
        if not isinstance(texts, tuple) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"its {name} are {repr(texts)[:80]}; use a tuple of texts")
        if not all(map(str.strip, texts)):
            raise ValueError(f"its {name} are {repr(texts)[:80]}, of which one is blank")
    if not sentence.tokens:
        raise ValueError("it gives a sentence without words; leave the sentence out")
    if len(sentence.tokens) != len(sentence.tags):
        raise ValueError(
            f"it gives {len(sentence.tokens)} tokens with {len(sentence.tags)} tags, "
            f"{' '.join(sentence.tokens)[:80]!r}; give each token one tag"
        )
