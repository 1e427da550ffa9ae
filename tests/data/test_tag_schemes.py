"""Spans in every scheme: read, written, converted, constrained and recognised."""

import itertools
import random

import pytest

from zoo.data.tag_schemes import (
    SCHEMES,
    Span,
    allowed,
    convert,
    count_forbidden,
    count_pairs,
    find_scheme,
    may_end,
    may_start,
    spans,
    write_spans,
)
from zoo.errors import UserError

WITH_SPANS = ("iob1", "iob2", "bioes")
LETTERS = {"iob1": "IB", "iob2": "BI", "bioes": "BIES"}


def random_spans(draw: random.Random) -> tuple[list[Span], int]:
    """Some spans without overlap, many of them side by side, and the length of the sentence."""
    found, end = [], draw.randint(0, 2)
    for _ in range(draw.randint(0, 5)):
        start, end = end, end + draw.randint(1, 3)
        found.append(Span(start, end, draw.choice("ab")))
        end += draw.choice((0, 0, 1))
    return found, end + draw.randint(0, 1)


def random_tags(draw: random.Random) -> list[str]:
    """Any tags, also those that no scheme allows."""
    tags = ["O", *(f"{letter}-{label}" for letter in "BIES" for label in "ab")]
    return draw.choices(tags, k=draw.randint(1, 12))


def spans_as_read_slowly(tags: list[str]) -> list[Span]:
    """The spans of tags: every stretch is tried, and its borders are judged by the rules."""

    def parts(number: int) -> tuple[str, str]:
        inside = 0 <= number < len(tags) and tags[number] != "O"
        return tuple(tags[number].split("-", 1)) if inside else ("O", "")

    def begins(number: int) -> bool:
        (before, label_before), (now, label) = parts(number - 1), parts(number)
        if now == "O":
            return False
        return now in "BS" or before in "OES" or label != label_before

    found = []
    for start, end in itertools.combinations(range(len(tags) + 1), 2):
        inside = range(start, end)
        whole = begins(start) and not any(begins(number) for number in inside[1:])
        ends = begins(end) or parts(end)[0] == "O"
        if whole and ends and all(parts(number)[0] != "O" for number in inside):
            found.append(Span(start, end, parts(start)[1]))
    return found


@pytest.mark.parametrize("scheme", WITH_SPANS)
def test_spans_of_any_tags_are_those_that_the_rules_give(scheme: str) -> None:
    for seed in range(300):
        tags = random_tags(random.Random(seed))
        assert spans(tags, scheme) == spans_as_read_slowly(tags)
    assert spans(tags, "plain") == []


@pytest.mark.parametrize("scheme", WITH_SPANS)
def test_written_spans_are_read_again_and_break_no_rule(scheme: str) -> None:
    for seed in range(100):
        found, length = random_spans(random.Random(seed))
        tags = write_spans(found, length, scheme)
        assert len(tags) == length
        assert spans(tags, scheme) == found
        assert count_forbidden(count_pairs([tags]), scheme) == 0
        for other in WITH_SPANS:
            assert convert(tags, scheme, other) == write_spans(found, length, other)


@pytest.mark.parametrize("scheme", WITH_SPANS)
def test_allowed_sequences_are_those_that_spans_are_written_as(scheme: str) -> None:
    """Of all short sequences, those within the rules are the ones that come back unchanged."""
    tags = ["O", *(f"{letter}-{label}" for letter in LETTERS[scheme] for label in "ab")]
    num_allowed = 0
    for length in (1, 2, 3):
        for one in itertools.product(tags, repeat=length):
            follows = all(allowed(*pair, scheme) for pair in itertools.pairwise(one))
            within = follows and may_start(one[0], scheme) and may_end(one[-1], scheme)
            assert within == (convert(one, scheme, scheme) == list(one)), one
            num_allowed += within
    assert num_allowed > 50


def test_a_tag_of_another_scheme_is_never_allowed() -> None:
    assert not allowed("B-a", "E-a", "iob2")
    assert not may_start("S-a", "iob1")
    assert not may_end("E-a", "iob2")


def test_plain_tags_may_stand_anywhere() -> None:
    assert allowed("NOUN", "I-a", "plain")
    assert may_start("I-a", "plain")
    assert may_end("B-a", "plain")
    assert convert(["NOUN", "I-a"], "plain", "plain") == ["NOUN", "I-a"]
    assert convert(["O", "I-a"], "iob2", "plain") == ["O", "I-a"]


def test_forbidden_tags_are_counted_at_each_place() -> None:
    sentences = [["I-a", "I-a", "O", "I-b"], ["B-a", "I-b"], ["B-a", "I-a"]]
    assert count_forbidden(count_pairs(sentences), "iob2") == 3
    assert count_forbidden(count_pairs(sentences), "iob1") == 2  # B- that nothing stands before
    assert count_forbidden(count_pairs([["B-a", "O"], ["B-a"]]), "bioes") == 2


@pytest.mark.parametrize("scheme", WITH_SPANS)
def test_the_scheme_is_recognised_by_its_tags(scheme: str) -> None:
    draw = random.Random(1)
    sentences = [write_spans(*random_spans(draw), scheme) for _ in range(50)]
    assert find_scheme(count_pairs(sentences)) == scheme


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        ([["DET", "NOUN"]], "plain"),
        ([["O", "B-a"], ["O", "B"]], "plain"),
        ([["O", "O"]], "plain"),
        ([["B-a", "I-a"]], "iob2"),
        ([["I-a", "O"]], "iob1"),
        ([["I-a", "O", "B-a"]], "iob2"),  # the B- would be needless in iob1
        ([["S-a"]], "bioes"),
    ],
)
def test_the_scheme_of_few_tags(sentences: list[list[str]], scheme: str) -> None:
    assert find_scheme(count_pairs(sentences)) == scheme


@pytest.mark.parametrize("tag", ["X-a", "B", "B-", "BI-a", "-a", "b-a", ""])
def test_a_tag_without_a_letter_is_told(tag: str) -> None:
    with pytest.raises(UserError) as caught:
        spans(["O", tag], "iob2")
    assert str(caught.value) == (
        f"the tag is {tag!r}; tags of spans are O, B-LABEL and I-LABEL, such as B-person, and in "
        "the scheme bioes also E-LABEL and S-LABEL; if every word has a tag of its own, use "
        "data.file_scheme=plain"
    )


def test_an_unknown_scheme_is_told() -> None:
    told = r"^the scheme is 'iob'; use one of iob1, iob2, bioes, plain$"
    for use in (
        lambda: spans([], "iob"),
        lambda: convert([], "iob2", "iob"),
        lambda: allowed("O", "O", "iob"),
        lambda: write_spans([], 0, "iob"),
    ):
        with pytest.raises(UserError, match=told):
            use()
    assert set(SCHEMES) == {*WITH_SPANS, "plain"}
    with pytest.raises(UserError, match=r"^plain tags mark no spans; use data.scheme=plain, not i"):
        convert(["NOUN"], "plain", "iob2")
    with pytest.raises(UserError, match=r"^the scheme plain has no spans; use iob1, iob2 or bioes"):
        write_spans([], 0, "plain")
