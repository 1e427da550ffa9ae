"""Texts of the user with spans in characters: a .jsonl file with one object per line.

    {"text": "She went to New York.", "spans": [{"start": 12, "end": 20, "label": "place"}]}

The first character of a text has the number 0, and `end` is the number of the first character after
the span. As in Python, characters are code points. `zoo.data.found_words` splits the texts into
words. If a span begins or ends inside a word, the word is split there, and a note gives the number
of such words.
"""

import itertools
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from zoo.data.corpora import Lines, Tagged, files_of_splits, register_corpus
from zoo.data.found_words import FoundWord, find_words
from zoo.data.tables import json_rows
from zoo.data.tag_schemes import IOB2, Span, write_spans
from zoo.data.token_lines import MOST_WORDS
from zoo.errors import Note, UserError
from zoo.types import Json
from zoo.whole_characters import require_whole_characters

_FORM = '{"text": ..., "spans": [{"start": 0, "end": 3, "label": "place"}]}'
_SUFFIXES = (".jsonl", ".jsonl.gz")


class SplitText(NamedTuple):
    """A text as words with tags.

    Attributes:
        sentence: the words and tags.
        num_parted: the number of splits of words because a span begins or ends inside them.
    """

    sentence: Tagged
    num_parted: int


@register_corpus(
    "spans_file",
    gives=Tagged,
    files=files_of_splits(_SUFFIXES),
    optional=("validation", "test"),
    one_file=_SUFFIXES,
    version="2",  # raise it if the same texts give other words
    origin="any .jsonl of texts with spans in characters; also one file, data.directory=FILE",
)
def spans_file(lines: Lines) -> Iterator[Tagged]:
    """Yields the texts as words with tags in IOB2."""
    [path] = lines.paths
    num_parted = 0
    for row, place in json_rows(path):
        try:
            split = tag_text(*_read(row))
        except ValueError as error:
            raise UserError(f"{place}: {error}") from error
        num_parted += split.num_parted
        yield split.sentence
    if num_parted:
        warnings.warn(
            f"{num_parted:,} words of {path} were split, because a span begins or ends inside "
            "them; the model will not split such words in new texts",
            Note,
            stacklevel=2,
        )


def tag_text(text: str, found: Sequence[Span]) -> SplitText:
    """Returns the words of a text with tags in IOB2.

    Args:
        text: the text.
        found: the spans of the text in characters, in any order.

    Raises:
        ValueError: the text has no words or too many words; or a span lies outside of the text,
            overlaps with another span, or has no word.

    Example:
        >>> tag_text("in New York", [Span(3, 11, "place")]).sentence
        Tagged(tokens=('in', 'New', 'York'), tags=('O', 'B-place', 'I-place'))
        >>> tag_text("pre-1990", [Span(4, 8, "year")])
        SplitText(sentence=Tagged(tokens=('pre-', '1990'), tags=('O', 'B-year')), num_parted=1)
    """
    spans = sorted(found)
    _check(text, spans)
    words = find_words(text)
    parts = list(_part(words, sorted({border for span in spans for border in span[:2]})))
    if not words or len(parts) > MOST_WORDS:
        raise ValueError(
            f"the text {text[:40]!r} has {len(parts):,} words; give each text 1 to {MOST_WORDS:,}"
        )
    tokens = [_in_words(text, span, parts) for span in spans]
    tags = write_spans(tokens, len(parts), IOB2)
    sentence = Tagged(tuple(part.text for part in parts), tuple(tags))
    return SplitText(sentence, len(parts) - len(words))


def _part(words: Sequence[FoundWord], borders: Sequence[int]) -> Iterator[FoundWord]:
    """Yields the words, which are split at the borders of spans."""
    for word in words:
        inside = [border for border in borders if word.start < border < word.end]
        for start, end in itertools.pairwise([word.start, *inside, word.end]):
            yield FoundWord(word.text[start - word.start : end - word.start], start)


def _in_words(text: str, span: Span, words: Sequence[FoundWord]) -> Span:
    """Returns a span in words instead of characters."""
    inside = [n for n, word in enumerate(words) if span.start <= word.start < span.end]
    if not inside:
        raise ValueError(f"{_shown(span)} has no word: {text[span.start : span.end]!r}")
    return Span(inside[0], inside[-1] + 1, span.label)


def _check(text: str, spans: Sequence[Span]) -> None:
    for span in spans:
        if not 0 <= span.start < span.end <= len(text):
            raise ValueError(
                f"{_shown(span)} does not lie in the text, which has {len(text)} characters"
            )
    for before, span in itertools.pairwise(spans):
        if span.start < before.end:
            raise ValueError(
                f"{_shown(before)} and {_shown(span)} overlap; let each character be in one span "
                "at most"
            )


def _shown(span: Span) -> str:
    return f"the span from {span.start} to {span.end} ({span.label[:40]})"


def _read(row: Json) -> tuple[str, list[Span]]:
    """Returns the text and the spans of an object.

    Raises:
        ValueError: the object has another form.
    """
    text, spans = row.get("text"), row.get("spans")
    if not isinstance(text, str) or not isinstance(spans, list):
        raise ValueError(f"its keys are {', '.join(map(ascii, row))[:80]}; use {_FORM}")
    return require_whole_characters(text, "the text"), [_read_span(span) for span in spans]


def _read_span(span: object) -> Span:
    if isinstance(span, dict):
        start, end, label = (span.get(name) for name in Span._fields)
        name = label.strip() if isinstance(label, str) else ""
        if type(start) is type(end) is int and name:
            return Span(start, end, require_whole_characters(name, "the label"))
    raise ValueError(f"a span is {str(span)[:60]}; use {_FORM}")
