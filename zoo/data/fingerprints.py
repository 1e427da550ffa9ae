"""The fingerprint of a corpus, by which a run and a trained model recognise their own text.

A fingerprint is a SHA-256 sum over the examples of a split. Each example is one line with tabs
between its parts. Case is ignored, so that the setting `data.lowercase` changes no fingerprint.
"""

import hashlib
from collections.abc import Iterable, Sequence

from zoo.data.examples import Tagged

_DIGITS = 32  # hexadecimal ones, 128 bits


def fingerprint(examples: Iterable[Sequence[str]]) -> str:
    """Returns the fingerprint of a split.

    Args:
        examples: the parts of each example, such as a line alone, a text with its labels, or a
            sentence with its translation.

    Example:
        >>> fingerprint([("One",), ("two",)]) == fingerprint([("one",), ("Two",)])
        True
        >>> fingerprint([("one", "two")]) == fingerprint([("one",), ("two",)])
        False
    """
    total = hashlib.sha256()
    for parts in examples:
        line = "\t".join(parts).lower()
        total.update(line.encode("utf-8", errors="surrogatepass") + b"\n")
    return total.hexdigest()[:_DIGITS]


def of_lines(lines: Iterable[str]) -> str:
    """Returns the fingerprint of a split of lines.

    Example:
        >>> of_lines(["one"]) == fingerprint([("one",)])
        True
    """
    return fingerprint((line,) for line in lines)


def of_labeled(texts: Sequence[str], labels: Sequence[Sequence[str]]) -> str:
    """Returns the fingerprint of a split of texts with their labels."""
    return fingerprint((text, *own) for text, own in zip(texts, labels, strict=True))


def of_pairs(sources: Sequence[str], targets: Sequence[str]) -> str:
    """Returns the fingerprint of a split of sentences with their translations."""
    return fingerprint(zip(sources, targets, strict=True))


def of_tagged(sentences: Iterable[Tagged]) -> str:
    """Returns the fingerprint of a split of tagged sentences."""
    return fingerprint((*sentence.tokens, *sentence.tags) for sentence in sentences)
