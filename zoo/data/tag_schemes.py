"""Schemes that write spans of tokens as one tag per token.

A tag is "O" if the token is outside of every span. Otherwise the tag is a letter, a hyphen and the
label of the span, such as "B-person". The letter is the place of the token in the span. The schemes
differ in the letters:

    tokens   in    New     York    City    Berlin  ,
    iob1     O     I-loc   I-loc   I-loc   B-loc   O    B only between spans of the same label
    iob2     O     B-loc   I-loc   I-loc   B-loc   O    B begins every span
    bioes    O     B-loc   I-loc   E-loc   S-loc   O    E ends a span, S is a span of one token
    plain                                               tags that mark no spans, such as NOUN

Sources: Ramshaw and Marcus 1995 (iob1), Tjong Kim Sang and Veenstra 1999 (iob2), Ratinov and Roth
2009 (bioes, which they call BILOU). L and U of BILOU are read as E and S.
Spans are counted as in the evaluation script of CoNLL-2000, so tags that break a rule of their
scheme still mark spans:

* A span begins at B and S. It begins at any other letter if the token before is outside, or has E,
  S or another label.
* A span ends at E and S. It ends at any other letter if the next token begins a span or is outside.
"""

import collections
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from zoo.errors import Note, UserError

IOB1, IOB2, BIOES, PLAIN = "iob1", "iob2", "bioes", "plain"
SCHEMES = (IOB1, IOB2, BIOES, PLAIN)
OUTSIDE = "O"

_LETTERS = {IOB1: "IB", IOB2: "BI", BIOES: "BIES", PLAIN: ""}
_READ_AS = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S"}  # L and U of BILOU
_LEAST_SPANS = 0.9  # of the tags besides O, if the other tags are taken for mistakes
_MOST_NAMED = 5

TagPair = tuple[str | None, str | None]  # two neighbouring tags; None is the border of the sentence


class Span(NamedTuple):
    """A labelled span of neighbouring tokens.

    Attributes:
        start: the number of the first token, from 0.
        end: the number of the first token after the span.
        label: the label, such as "person".
    """

    start: int
    end: int
    label: str


def check_scheme(scheme: str) -> None:
    """Raises a UserError unless a scheme is one of `SCHEMES`."""
    if scheme not in SCHEMES:
        raise UserError(f"the scheme is {scheme!r}; use one of {', '.join(SCHEMES)}")


def split_tag(tag: str) -> tuple[str, str]:
    """Returns the letter and the label of a tag of a scheme with spans; L becomes E, and U S.

    Raises:
        UserError: the tag is neither "O" nor a letter of a scheme, a hyphen and a label.

    Example:
        >>> split_tag("B-work-of-art"), split_tag("O"), split_tag("U-loc")
        (('B', 'work-of-art'), ('O', ''), ('S', 'loc'))
    """
    letter, hyphen, label = tag.partition("-")
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if letter in _READ_AS and hyphen and label:
        return _READ_AS[letter], label
    raise UserError(
        f"the tag is {tag[:40]!r}; tags of spans are O, B-LABEL and I-LABEL, such as B-person, and "
        "in the scheme bioes also E-LABEL and S-LABEL; if every word has a tag of its own, use "
        "data.file_scheme=plain"
    )


def spans(tags: Sequence[str], scheme: str) -> list[Span]:
    """Returns the spans that the tags of a sentence mark; see the rules at the top of this file.

    Args:
        tags: the tag of each token.
        scheme: the scheme of the tags. All schemes follow the same rules, but "plain" has no spans.

    Raises:
        UserError: a tag has no letter, or the scheme is unknown.

    Example:
        >>> spans(["I-loc", "I-loc", "O", "B-org", "I-per"], "iob2")
        [Span(start=0, end=2, label='loc'), Span(start=3, end=4, label='org'), \
Span(start=4, end=5, label='per')]
    """
    check_scheme(scheme)
    if scheme == PLAIN:
        return []
    found: list[Span] = []
    start, before = 0, (OUTSIDE, "")
    for number, now in enumerate([*map(split_tag, tags), (OUTSIDE, "")]):
        begins = _begins(before, now)
        if before[0] != OUTSIDE and (begins or now[0] == OUTSIDE):
            found.append(Span(start, number, before[1]))
        if begins:
            start = number
        before = now
    return found


def _begins(before: tuple[str, str], now: tuple[str, str]) -> bool:
    """Returns whether a token begins a span, from two neighbours' letters and labels."""
    if now[0] in "OBS":
        return now[0] != OUTSIDE
    return before[0] in "OES" or before[1] != now[1]


def write_spans(found: Iterable[Span], num_tokens: int, scheme: str) -> list[str]:
    """Returns the tags of a sentence that has these spans.

    Args:
        found: the spans, in their order and without overlap.
        num_tokens: the number of tokens of the sentence.
        scheme: a scheme with spans.

    Example:
        >>> write_spans([Span(1, 2, "loc"), Span(2, 4, "loc")], 5, "iob1")
        ['O', 'I-loc', 'B-loc', 'I-loc', 'O']
        >>> write_spans([Span(1, 2, "loc"), Span(2, 4, "loc")], 5, "bioes")
        ['O', 'S-loc', 'B-loc', 'E-loc', 'O']
    """
    check_scheme(scheme)
    if scheme == PLAIN:
        raise UserError("the scheme plain has no spans; use iob1, iob2 or bioes")
    tags = [OUTSIDE] * num_tokens
    before = Span(0, 0, "")
    for span in found:
        letters = ["I"] * (span.end - span.start)
        touches = span.start == before.end and span.label == before.label
        if scheme != IOB1 or touches:
            letters[0] = "B"
        if scheme == BIOES:
            letters[-1] = "S" if len(letters) == 1 else "E"
        tags[span.start : span.end] = [f"{letter}-{span.label}" for letter in letters]
        before = span
    return tags


def convert(tags: Sequence[str], source: str, target: str) -> list[str]:
    """Returns tags that mark the same spans in another scheme.

    Converting tags to their own scheme corrects tags that the scheme forbids. Plain tags stay as
    they are, and so do all tags if the target is "plain".

    Args:
        tags: the tag of each token.
        source: the scheme of the tags.
        target: the scheme to convert to.

    Raises:
        UserError: a tag has no letter, a scheme is unknown, or the tags are plain and the target
            is not.

    Example:
        >>> convert(["I-loc", "B-loc", "I-loc"], "iob1", "bioes")
        ['S-loc', 'B-loc', 'E-loc']
        >>> convert(["O", "I-loc"], "iob2", "iob2")
        ['O', 'B-loc']
    """
    check_scheme(target)
    if target == PLAIN or source == target == PLAIN:
        return list(tags)
    if source == PLAIN:
        raise UserError(
            f"plain tags mark no spans; use data.scheme=plain, not {target}, or give tags such as "
            "B-LABEL and O"
        )
    return write_spans(spans(tags, source), len(tags), target)


def allowed(first_tag: str, second_tag: str, scheme: str) -> bool:
    """Returns whether a scheme allows two neighbouring tags.

    Args:
        first_tag: the tag of a token.
        second_tag: the tag of the next token.
        scheme: the scheme of the tags.

    Example:
        >>> allowed("O", "I-loc", "iob2"), allowed("O", "I-loc", "iob1")
        (False, True)
        >>> allowed("B-loc", "O", "bioes"), allowed("B-loc", "E-loc", "bioes")
        (False, True)
    """
    check_scheme(scheme)
    if scheme == PLAIN:
        return True
    first, second = split_tag(first_tag), split_tag(second_tag)
    if not _is_in(first[0], scheme) or not _is_in(second[0], scheme):
        return False
    inside = first[0] != OUTSIDE and first[1] == second[1]  # both tags have the same label
    if scheme == IOB1:
        return second[0] != "B" or inside
    if scheme == IOB2:
        return second[0] != "I" or inside
    is_open = first[0] in "BI"
    goes_on = second[0] in "IE"
    return is_open == goes_on and (not is_open or inside)


def may_start(tag: str, scheme: str) -> bool:
    """Returns whether a scheme allows a tag at the first token of a sentence.

    Example:
        >>> [may_start(tag, "bioes") for tag in ("O", "B-loc", "I-loc", "E-loc", "S-loc")]
        [True, True, False, False, True]
    """
    return scheme == PLAIN or allowed(OUTSIDE, tag, scheme)


def may_end(tag: str, scheme: str) -> bool:
    """Returns whether a scheme allows a tag at the last token of a sentence.

    Example:
        >>> [may_end(tag, "bioes") for tag in ("O", "B-loc", "I-loc", "E-loc", "S-loc")]
        [True, False, False, True, True]
    """
    return scheme == PLAIN or allowed(tag, OUTSIDE, scheme)


def _is_in(letter: str, scheme: str) -> bool:
    return letter == OUTSIDE or letter in _LETTERS[scheme]


def count_pairs(sentences: Iterable[Sequence[str]]) -> collections.Counter[TagPair]:
    """Returns the count of each pair of neighbouring tags; None is the border of a sentence.

    Example:
        >>> sorted(count_pairs([["A", "B"], ["B"]]).items(), key=str)
        [(('A', 'B'), 1), (('B', None), 2), ((None, 'A'), 1), ((None, 'B'), 1)]
    """
    counts: collections.Counter[TagPair] = collections.Counter()
    for tags in sentences:
        counts.update(zip([None, *tags], [*tags, None], strict=True))
    return counts


def count_forbidden(pairs: Mapping[TagPair, int], scheme: str) -> int:
    """Returns the number of neighbouring tags that a scheme forbids, edges of sentences included.

    Args:
        pairs: the counts that `count_pairs` returns.
        scheme: the scheme of the tags.

    Example:
        >>> count_forbidden(count_pairs([["O", "I-loc", "I-loc", "I-org"]]), "iob2")
        2
    """
    return sum(count for pair, count in pairs.items() if not _fits(pair, scheme))


def _fits(pair: TagPair, scheme: str) -> bool:
    first, second = pair
    if second is None:
        return first is None or may_end(first, scheme)
    return may_start(second, scheme) if first is None else allowed(first, second, scheme)


def is_bilou(pairs: Mapping[TagPair, int]) -> bool:
    """Returns whether a tag has a letter of BILOU that bioes writes in another way.

    Example:
        >>> is_bilou(count_pairs([["B-loc", "L-loc"]])), is_bilou(count_pairs([["S-loc"]]))
        (True, False)
    """
    return any(tag is not None and tag.startswith(("L-", "U-")) for _, tag in pairs)


def _warn_of_strange(pairs: Mapping[TagPair, int]) -> None:
    """Warns of tags that mark no spans if nearly all other tags do, as one wrong tag ends all."""
    strange: collections.Counter[str] = collections.Counter()
    num_spans = 0
    for (_, tag), count in pairs.items():
        if tag is None or tag == OUTSIDE:
            continue
        try:
            split_tag(tag)
            num_spans += count
        except UserError:
            strange[tag] += count
    if num_spans and num_spans >= _LEAST_SPANS * (num_spans + strange.total()):
        named = ", ".join(
            f"{tag[:40]!r} ({count:,} {'time' if count == 1 else 'times'})"
            for tag, count in strange.most_common(_MOST_NAMED)
        )
        warnings.warn(
            f"{num_spans:,} tags look like tags of spans, but not {named}, so that no tag counts "
            "as a span; correct such tags in the file, or use data.file_scheme=plain if the tags "
            "mark no spans",
            Note,
            stacklevel=5,
        )


def find_scheme(pairs: Mapping[TagPair, int]) -> str:
    """Returns the scheme that tags are written in.

    The first rule that fits decides:

    * "plain" if all tags are "O", or if a tag is neither "O" nor a letter with a label.
    * "bioes" if a tag has the letter E or S, or L or U.
    * "iob1" if the tags break a rule of iob2 and no rule of iob1.
    * "iob2" otherwise.

    Args:
        pairs: the counts that `count_pairs` returns.

    Warns:
        Note: nearly all tags have a letter with a label, but a few do not, so that none is a span.

    Example:
        >>> [find_scheme(count_pairs([tags.split()])) for tags in ("I-a B-a", "B-a I-a O", "DT NN")]
        ['iob1', 'iob2', 'plain']
    """
    letters = set()
    for _, tag in pairs:
        if tag is not None:
            try:
                letters.add(split_tag(tag)[0])
            except UserError:
                _warn_of_strange(pairs)
                return PLAIN
    if letters <= {OUTSIDE}:
        return PLAIN
    if letters & {"E", "S"}:
        return BIOES
    if count_forbidden(pairs, IOB2) and not count_forbidden(pairs, IOB1):
        return IOB1
    return IOB2
