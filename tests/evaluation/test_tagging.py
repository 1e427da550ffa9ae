"""Scores of tags against slow loops on random tags, and against seqeval."""

import collections
import json
import random
import warnings

import pytest

from zoo.data.tag_schemes import spans
from zoo.evaluation.tagging import (
    MOST_CONFUSIONS,
    MOST_WORDS,
    TaggingScores,
    TypeScore,
    score_tags,
    type_table,
)

TAGS = ["O", "O", *(f"{letter}-{label}" for letter in "BIES" for label in ("per", "loc", "x-y"))]
WORDS = [f"w{number}" for number in range(40)]
TRAINING_WORDS = set(WORDS[:25])


def random_sentences(seed: int, tags: list[str] = TAGS) -> tuple[list[list[str]], ...]:
    """Words, gold tags, and predicted tags of which a third are drawn anew."""
    draw = random.Random(seed)
    lengths = [draw.randint(1, 12) for _ in range(30)]
    words = [draw.choices(WORDS, k=length) for length in lengths]
    gold = [draw.choices(tags, k=length) for length in lengths]
    predicted = [
        [draw.choice(tags) if draw.random() < 0.3 else tag for tag in sentence] for sentence in gold
    ]
    predicted[0] = list(gold[0])
    return words, gold, predicted


def score(seed: int, scheme: str = "bioes", **settings: object) -> TaggingScores:
    words, gold, predicted = random_sentences(seed)
    return score_tags(gold, predicted, scheme=scheme, words=words, **settings)


@pytest.mark.parametrize("seed", range(5))
def test_spans_are_those_of_seqeval(seed: int) -> None:
    metrics = pytest.importorskip("seqeval.metrics")
    _, gold, predicted = random_sentences(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of divisions by zero
        wanted = metrics.classification_report(gold, predicted, output_dict=True, zero_division=0)
    found = score(seed)
    rows = {row.label: row for row in found.by_type}
    assert rows.keys() == {"per", "loc", "x-y"}
    for label, row in [*rows.items(), ("micro avg", found.spans)]:
        for name, value in (("precision", row.precision), ("recall", row.recall)):
            assert value == pytest.approx(wanted[label][name]), (label, name)
        assert row.f1 == pytest.approx(wanted[label]["f1-score"])
        assert row.num_gold == wanted[label]["support"]
    assert found.accuracy == pytest.approx(metrics.accuracy_score(gold, predicted))


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_those_of_a_slow_loop(seed: int) -> None:
    words, gold, predicted = random_sentences(seed)
    found = score(seed, training_words=TRAINING_WORDS)
    right = wrong_sentences = num_tokens = 0
    known, unknown = collections.Counter(), collections.Counter()
    pairs, wrong_words = collections.Counter(), collections.Counter()
    for sentence in range(len(words)):
        is_right = True
        for place, word in enumerate(words[sentence]):
            wanted, said = gold[sentence][place], predicted[sentence][place]
            group = known if word in TRAINING_WORDS else unknown
            group["tokens"] += 1
            group["right"] += wanted == said
            num_tokens += 1
            right += wanted == said
            if wanted != said:
                pairs[wanted, said] += 1
                wrong_words[word] += 1
                is_right = False
        wrong_sentences += not is_right
        said_spans = spans(predicted[sentence], "bioes")
        for span in spans(gold[sentence], "bioes"):
            inside = words[sentence][span.start : span.end]
            group = known if all(word in TRAINING_WORDS for word in inside) else unknown
            group["spans"] += 1
            group["right spans"] += span in said_spans
    assert (found.num_sentences, found.num_tokens) == (30, num_tokens)
    assert found.accuracy == right / num_tokens
    assert found.sentence_accuracy == (30 - wrong_sentences) / 30
    for part, counts in ((found.known, known), (found.unknown, unknown)):
        assert part.accuracy == counts["right"] / counts["tokens"]
        assert part.span_recall == counts["right spans"] / counts["spans"]
        assert (part.num_tokens, part.num_spans) == (counts["tokens"], counts["spans"])
    ordered = sorted(pairs, key=lambda pair: (-pairs[pair], pair))[:MOST_CONFUSIONS]
    assert [(row.gold, row.predicted) for row in found.confusions] == ordered
    assert [row.count for row in found.confusions] == [pairs[pair] for pair in ordered]
    hardest = sorted(wrong_words, key=lambda word: (-wrong_words[word], word))[:MOST_WORDS]
    assert [row.word for row in found.hardest_words] == hardest
    assert [row.num_wrong for row in found.hardest_words] == [wrong_words[w] for w in hardest]


def test_a_hard_word_has_its_most_frequent_mistake() -> None:
    words = [["run", "run", "run", "run", "a"]]
    gold, predicted = [["N", "V", "V", "V", "D"]], [["V", "N", "N", "V", "D"]]
    [row] = score_tags(gold, predicted, scheme="plain", words=words).hardest_words
    assert vars(row) == {
        "word": "run", "num_wrong": 3, "num_tokens": 4, "gold": "V", "predicted": "N"
    }  # fmt: skip


def test_types_of_plain_tags_are_counted_in_tokens() -> None:
    words = [["a", "dog"], ["runs"]]
    gold, predicted = [["D", "N"], ["V"]], [["D", "V"], ["V"]]
    found = score_tags(gold, predicted, scheme="plain", words=words, training_words=["a"])
    assert found.spans is None
    assert found.by_type == (
        TypeScore("D", 1, 1, 1),
        TypeScore("N", 0, 0, 1),
        TypeScore("V", 1, 2, 1),
    )
    assert (found.by_type[2].precision, found.by_type[2].recall) == (0.5, 1)
    assert (found.known.num_tokens, found.unknown.num_tokens) == (1, 2)
    assert (found.unknown.accuracy, found.unknown.num_spans) == (0.5, 0)


def test_tags_that_mark_the_same_spans_have_right_spans() -> None:
    found = score_tags([["B-a", "I-a"]], [["I-a", "I-a"]], scheme="iob2", words=[["x", "y"]])
    assert (found.accuracy, found.spans.f1) == (0.5, 1)
    assert (found.known, found.unknown) == (None, None)


def test_nothing_right_and_nothing_there_is_0() -> None:
    found = score_tags([["O"]], [["B-a"]], scheme="iob2", words=[["x"]])
    assert (found.spans.precision, found.spans.recall, found.spans.f1) == (0, 0, 0)
    assert score_tags([], [], scheme="iob2", words=[]).accuracy == 0
    assert type_table([]) == "type  precision  recall      F1  number"


def test_scores_on_unknown_words_are_left_out_where_there_are_none() -> None:
    gold, words = [["B-a", "O"]], [["x", "y"]]
    found = score_tags(gold, gold, scheme="iob2", words=words, training_words=["x", "y"])
    assert found.unknown.num_tokens == 0
    assert {"known_accuracy", "known_span_recall"} < found.numbers().keys()
    assert not [name for name in found.numbers() if name.startswith("unknown")]
    assert "accuracy" not in found.to_json()["unknown"]
    other = score_tags(gold, gold, scheme="iob2", words=words, training_words=["x"])
    assert other.numbers()["unknown_accuracy"] == 1
    assert "unknown_span_recall" not in other.numbers()


def test_scores_are_plain_json() -> None:
    record = json.loads(json.dumps(score(0, training_words=TRAINING_WORDS).to_json()))
    found = score(0, training_words=TRAINING_WORDS)
    assert record.keys() == {*TaggingScores.__dataclass_fields__, *found.numbers()}
    assert (record["f1"], record["unknown_accuracy"]) == (found.spans.f1, found.unknown.accuracy)
    assert record["spans"]["f1"] == found.spans.f1
    assert record["unknown"]["span_recall"] == found.unknown.span_recall
    assert record["by_type"][0]["label"] == "loc"
    assert record["confusions"][0]["count"] == found.confusions[0].count
    assert record["hardest_words"][0]["word"] == found.hardest_words[0].word
    assert score(0, scheme="plain").to_json()["spans"] is None


def test_sentences_of_different_lengths_are_refused() -> None:
    told = "a sentence has 2 words, 2 tags and 1 predicted tags; give one tag and one predicted tag"
    with pytest.raises(ValueError, match=f"^{told} for each word$"):
        score_tags([["O", "O"]], [["O"]], scheme="iob2", words=[["a", "b"]])
