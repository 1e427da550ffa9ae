"""Sentences of the manual inside CPython, each labelled with a part of the language.

`pydoc_data.topics` has a text for each of about eighty topics of `help()`. `PART_OF_TOPIC` sorts
the topics into eight parts of the language. Topics that it lacks, which a newer Python may have,
are left out. Sentences that occur under topics of different parts are left out too.
"""

import re
from collections.abc import Iterator, Mapping

from zoo.data.corpora import Labeled, register_corpus
from zoo.data.corpora.python_docs import ORIGIN, VERSION, manual

_TOPICS_OF_PART = {
    "simple statements": "assert assignment augassign break continue del global import nonlocal "
    "pass raise return yield",
    "compound statements": "async class compound context-managers else for function if try while "
    "with",
    "expressions": "atom-identifiers attribute-references await binary bitwise booleans calls "
    "comparisons conversions exprlists in lambda operator-summary power shifting slicings "
    "subscriptions truth unary",
    "literals and names": "atom-literals floating id-classes identifiers imaginary integers "
    "numbers strings",
    "data model": "attribute-access callable-types customization numeric-types objects "
    "sequence-types specialattrs specialnames types",
    "built-in types": "bltin-code-objects bltin-ellipsis-object bltin-null-object "
    "bltin-type-objects dict lists typesfunctions typesmapping typesmethods typesmodules typesseq "
    "typesseq-mutable",
    "text": "formatstrings string-methods",
    "execution": "debugger dynamic-features exceptions execmodel naming",
}
PART_OF_TOPIC = {
    topic: part for part, topics in _TOPICS_OF_PART.items() for topic in topics.split()
}

_SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z\"])")
_SHORTEST, _LONGEST = 5, 60  # the number of words of a sentence


# Raise the first number of the version when the same manual gives other sentences or labels.
@register_corpus("python_docs_topics", gives=Labeled, origin=ORIGIN, version=f"1 {VERSION}")
def python_docs_topics() -> Mapping[str, list[Labeled]]:
    """Returns the labelled sentences, which are all in the training split."""
    sentences = labeled_sentences(manual("python_docs_topics"))
    return {"train": [Labeled(text, (part,)) for text, part in sentences]}


def labeled_sentences(topics: Mapping[str, str]) -> list[tuple[str, str]]:
    """Returns the sentences of a manual and the part of the language that each is about.

    Args:
        topics: the text of each topic, as in `pydoc_data.topics.topics`.

    Returns:
        Pairs of sentence and part. Topics are in sorted order, and no sentence occurs twice.

    Example:
        >>> labeled_sentences({"if": "The if statement\\n***\\n\\nIt is for\\nconditional use."})
        [('It is for conditional use.', 'compound statements')]
    """
    parts: dict[str, set[str]] = {}
    for topic in sorted(topics):
        if topic in PART_OF_TOPIC:
            for sentence in _sentences(topics[topic]):
                parts.setdefault(sentence, set()).add(PART_OF_TOPIC[topic])
    return [(sentence, found.pop()) for sentence, found in parts.items() if len(found) == 1]


def _sentences(text: str) -> Iterator[str]:
    """Yields the sentences of the prose in a text, without code, grammar and tables."""
    for block in re.split(r"\n\s*\n", text):
        words = block.split()
        is_prose = words and words[-1].endswith((".", "?", "!")) and "::=" not in words
        if not is_prose or ">>>" in words or "|" in words[0]:
            continue
        for sentence in _SENTENCE_END.split(" ".join(words)):
            if _SHORTEST <= len(sentence.split()) <= _LONGEST:
                yield sentence.replace("**", "").lstrip("* ")
