"""The language reference that help() shows in CPython; it needs no file."""

import io
import sys
from collections.abc import Iterator, Mapping

from zoo.data.corpora import register_corpus
from zoo.data.splits import STANDARD_FRACTIONS, split_lines
from zoo.errors import UserError

ORIGIN = "pydoc_data.topics, a part of CPython"
VERSION = ".".join(map(str, sys.version_info[:3]))  # the manual differs between versions of Python


@register_corpus("python_docs", origin=ORIGIN, version=VERSION)
def python_docs() -> Mapping[str, Iterator[str]]:
    """Returns the lines of all topics, in sorted order."""
    topics = manual("python_docs")
    text = "\n\n".join(topics[topic] for topic in sorted(topics))
    splits = split_lines(list(io.StringIO(text, newline="\n")), STANDARD_FRACTIONS)
    return {
        split: (line.removesuffix("\n") for _, line in lines) for split, lines in splits.items()
    }


def manual(corpus: str) -> Mapping[str, str]:
    """Returns the text of each topic of help().

    Args:
        corpus: the name of the corpus, for the error.

    Raises:
        UserError: this Python has no manual.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise UserError(
            f"this Python has no pydoc_data, which corpus {corpus} is made of; use a Python "
            "from python.org, or another data.corpus=NAME"
        ) from error
    return topics
