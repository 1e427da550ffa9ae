"""Scores of a tagger: accuracy, spans by type, unknown words, confusions, hardest words.

    accuracy  = right tags / tokens
    precision = right spans / predicted spans        recall = right spans / gold spans
    F1        = 2 right / (predicted + gold)

A span is right if its first token, its last token and its label are right. Spans are counted as in
the evaluation script of CoNLL-2000, see `zoo.data.tag_schemes`. Precision, recall and F1 over all
types are micro averages. Tags of the scheme "plain" mark no spans. Their types are the tags
themselves, and precision, recall and F1 of a type count tokens.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from zoo.data.tag_schemes import PLAIN, spans
from zoo.evaluation.classification import score_table
from zoo.types import Json

MOST_CONFUSIONS = 20
MOST_WORDS = 20


@dataclasses.dataclass(frozen=True)
class TypeScore:
    """Precision, recall and F1 of one type of span, of all types, or of one plain tag.

    Attributes:
        label: the type; "" for all types together.
        num_right: the number of right spans, or of right tokens.
        num_predicted: the number of predicted spans or tokens.
        num_gold: the number of gold spans or tokens.
    """

    label: str
    num_right: int
    num_predicted: int
    num_gold: int

    @property
    def precision(self) -> float:
        """The fraction of predictions that are right; 0 if nothing was predicted."""
        return self.num_right / max(self.num_predicted, 1)

    @property
    def recall(self) -> float:
        """The fraction of gold spans or tokens that were predicted; 0 if there are none."""
        return self.num_right / max(self.num_gold, 1)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.num_right / max(self.num_predicted + self.num_gold, 1)

    def to_json(self) -> Json:
        """Returns the counts and the scores by name."""
        scores = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**dataclasses.asdict(self), **scores}


@dataclasses.dataclass(frozen=True)
class WordsScore:
    """Scores on a part of the words: on the words that occur in training, or on the others.

    Attributes:
        num_tokens: the number of tokens.
        num_right: the number of tokens with the right tag.
        num_spans: the number of gold spans.
        num_right_spans: the number of gold spans that were found.
    """

    num_tokens: int
    num_right: int
    num_spans: int
    num_right_spans: int

    @property
    def accuracy(self) -> float:
        """The fraction of tokens with the right tag; 0 if there are none."""
        return self.num_right / max(self.num_tokens, 1)

    @property
    def span_recall(self) -> float:
        """The fraction of gold spans that were found; 0 if there are none."""
        return self.num_right_spans / max(self.num_spans, 1)

    def scores(self) -> dict[str, float]:
        """Returns the scores by name; a score is left out if there is nothing to score.

        Example:
            >>> WordsScore(num_tokens=4, num_right=3, num_spans=0, num_right_spans=0).scores()
            {'accuracy': 0.75}
        """
        found = {"accuracy": self.accuracy} if self.num_tokens else {}
        return found | ({"span_recall": self.span_recall} if self.num_spans else {})

    def to_json(self) -> Json:
        """Returns the counts, and the scores of `scores`."""
        return {**dataclasses.asdict(self), **self.scores()}


@dataclasses.dataclass(frozen=True)
class Confusion:
    """A pair of a gold tag and another tag that was predicted for it, with its count."""

    gold: str
    predicted: str
    count: int


@dataclasses.dataclass(frozen=True)
class HardWord:
    """A word that was often tagged wrongly.

    Attributes:
        word: the word.
        num_wrong: the number of its wrong tags.
        num_tokens: the number of its occurrences.
        gold: the gold tag of its most frequent mistake.
        predicted: the predicted tag of its most frequent mistake.
    """

    word: str
    num_wrong: int
    num_tokens: int
    gold: str
    predicted: str


@dataclasses.dataclass(frozen=True)
class TaggingScores:
    """Scores of a tagger on sentences; the equations stand at the top of this file.

    Attributes:
        num_sentences: the number of sentences.
        num_tokens: the number of tokens.
        accuracy: the fraction of tokens with the right tag.
        sentence_accuracy: the fraction of sentences with all tags right.
        spans: the scores of all spans together; None if the tags are plain.
        by_type: a row for each label, or for each plain tag, in alphabetical order.
        known: scores on words that training learned, and on spans of only such words; None if it
            is not known which words those are.
        unknown: scores on the other words, and on spans with at least one of them.
        confusions: the most frequent confusions, at most `MOST_CONFUSIONS`.
        hardest_words: the words with the most wrong tags, at most `MOST_WORDS`.
    """

    num_sentences: int
    num_tokens: int
    accuracy: float
    sentence_accuracy: float
    spans: TypeScore | None
    by_type: tuple[TypeScore, ...]
    known: WordsScore | None
    unknown: WordsScore | None
    confusions: tuple[Confusion, ...]
    hardest_words: tuple[HardWord, ...]

    def numbers(self) -> dict[str, float]:
        """Returns the scores that are single numbers, by name; plain tags have no F1.

        Scores on unknown words are left out if there are none.

        Example:
            >>> scores = score_tags([["NN"]], [["NN"]], scheme="plain", words=[["net"]])
            >>> scores.numbers()
            {'accuracy': 1.0, 'sentence_accuracy': 1.0}
        """
        found = {"accuracy": self.accuracy, "sentence_accuracy": self.sentence_accuracy}
        if self.spans is not None:
            own = self.spans
            found |= {"f1": own.f1, "precision": own.precision, "recall": own.recall}
        for name, words in (("known", self.known), ("unknown", self.unknown)):
            if words is not None:
                found |= {f"{name}_{score}": value for score, value in words.scores().items()}
        return found

    def to_json(self) -> Json:
        """Returns the scores by name, as plain JSON types."""
        parts = {"spans": self.spans, "known": self.known, "unknown": self.unknown}
        return {
            **dataclasses.asdict(self),
            **self.numbers(),
            **{name: None if part is None else part.to_json() for name, part in parts.items()},
            "by_type": [row.to_json() for row in self.by_type],
            "confusions": [dataclasses.asdict(row) for row in self.confusions],
            "hardest_words": [dataclasses.asdict(row) for row in self.hardest_words],
        }


def score_tags(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    scheme: str,
    words: Sequence[Sequence[str]],
    training_words: Collection[str] | None = None,
) -> TaggingScores:
    """Compares the predicted tags of sentences with the gold tags.

    Args:
        gold: the gold tags of each sentence.
        predicted: the predicted tags of each sentence, of the same lengths.
        scheme: the scheme of all tags.
        words: the words of each sentence.
        training_words: the words that training learned; if given, known and unknown words also
            get separate scores.

    Raises:
        ValueError: if the lengths differ, or a tag does not belong to the scheme.

    Example:
        >>> words, gold = [["to", "New", "York"]], [["O", "B-loc", "I-loc"]]
        >>> scores = score_tags(gold, [["O", "B-loc", "O"]], scheme="iob2", words=words)
        >>> round(scores.accuracy, 4), scores.spans.f1
        (0.6667, 0.0)
        >>> scores.confusions
        (Confusion(gold='I-loc', predicted='O', count=1),)
    """
    rows = list(zip(words, gold, predicted, strict=True))
    for own, wanted, found in rows:
        if not len(own) == len(wanted) == len(found):
            raise ValueError(
                f"a sentence has {len(own)} words, {len(wanted)} tags and {len(found)} predicted "
                "tags; give one tag and one predicted tag for each word"
            )
    tokens = [token for row in rows for token in zip(*row, strict=True)]
    right = sum(wanted == found for _, wanted, found in tokens)
    right_sentences = sum(list(wanted) == list(found) for _, wanted, found in rows)
    is_plain = scheme == PLAIN
    wanted_spans = _all_spans(gold, scheme)
    found_spans = _all_spans(predicted, scheme)
    known, unknown = _words_apart(rows, wanted_spans, found_spans, training_words)
    return TaggingScores(
        num_sentences=len(rows),
        num_tokens=len(tokens),
        accuracy=right / max(len(tokens), 1),
        sentence_accuracy=right_sentences / max(len(rows), 1),
        spans=None if is_plain else _all_types(wanted_spans, found_spans),
        by_type=_plain_types(tokens) if is_plain else _span_types(wanted_spans, found_spans),
        known=known,
        unknown=unknown,
        confusions=_confusions(tokens),
        hardest_words=_hardest(tokens),
    )


_Key = TypeVar("_Key", str, tuple[str, str])
_Row = tuple[Sequence[str], Sequence[str], Sequence[str]]  # words, gold and predicted tags
_Token = tuple[str, str, str]  # a word, its gold and its predicted tag
_Place = tuple[int, int, int, str]  # a span: sentence, start, end, label


def _all_spans(sentences: Iterable[Sequence[str]], scheme: str) -> set[_Place]:
    return {(row, *span) for row, tags in enumerate(sentences) for span in spans(tags, scheme)}


def _all_types(wanted: set[_Place], found: set[_Place]) -> TypeScore:
    return TypeScore("", len(wanted & found), len(found), len(wanted))


def _span_types(wanted: set[_Place], found: set[_Place]) -> tuple[TypeScore, ...]:
    sums = [Counter(place[-1] for place in places) for places in (wanted & found, found, wanted)]
    labels = sorted({*sums[1], *sums[2]})
    return tuple(TypeScore(label, *(counts[label] for counts in sums)) for label in labels)


def _plain_types(tokens: Sequence[_Token]) -> tuple[TypeScore, ...]:
    wanted = Counter(token[1] for token in tokens)
    found = Counter(token[2] for token in tokens)
    right = Counter(token[1] for token in tokens if token[1] == token[2])
    return tuple(
        TypeScore(tag, right[tag], found[tag], wanted[tag]) for tag in sorted({*wanted, *found})
    )


def _words_apart(
    rows: Sequence[_Row],
    wanted: set[_Place],
    found: set[_Place],
    training_words: Collection[str] | None,
) -> tuple[WordsScore, WordsScore] | tuple[None, None]:
    """Returns separate scores for words that occur in training and other words."""
    if training_words is None:
        return None, None
    seen = frozenset(training_words)
    tokens: Counter[tuple[bool, bool]] = Counter()
    spans_of: Counter[tuple[bool, bool]] = Counter()
    for row in rows:
        tokens.update((word in seen, gold == said) for word, gold, said in zip(*row, strict=True))
    for place in wanted:
        number, start, end, _ = place
        spans_of[seen.issuperset(rows[number][0][start:end]), place in found] += 1
    known, unknown = (
        WordsScore(
            tokens[is_known, True] + tokens[is_known, False],
            tokens[is_known, True],
            spans_of[is_known, True] + spans_of[is_known, False],
            spans_of[is_known, True],
        )
        for is_known in (True, False)
    )
    return known, unknown


def _confusions(tokens: Sequence[_Token]) -> tuple[Confusion, ...]:
    counts = Counter((gold, said) for _, gold, said in tokens if gold != said)
    return tuple(
        Confusion(gold, said, counts[gold, said]) for gold, said in _first(counts, MOST_CONFUSIONS)
    )


def _hardest(tokens: Sequence[_Token]) -> tuple[HardWord, ...]:
    occurs = Counter(token[0] for token in tokens)
    mistakes: dict[str, list[tuple[str, str]]] = {}
    for word, gold, predicted in tokens:
        if gold != predicted:
            mistakes.setdefault(word, []).append((gold, predicted))
    wrong = Counter({word: len(pairs) for word, pairs in mistakes.items()})
    rows = []
    for word in _first(wrong, MOST_WORDS):
        [(gold, predicted)] = _first(Counter(mistakes[word]), 1)
        rows.append(HardWord(word, wrong[word], occurs[word], gold, predicted))
    return tuple(rows)


def _first(counts: Counter[_Key], most: int) -> list[_Key]:
    """Returns the most frequent keys; equally frequent keys are in alphabetical order."""
    return sorted(counts, key=lambda one: (-counts[one], one))[:most]


def type_table(rows: Sequence[TypeScore]) -> str:
    """Returns a table with the scores of each type.

    Example:
        >>> print(type_table([TypeScore("loc", 1, 2, 4), TypeScore("person", 3, 3, 3)]))
        type    precision  recall      F1  number
        loc        0.5000  0.2500  0.3333       4
        person     1.0000  1.0000  1.0000       3
    """
    scores = [(row.label, row.precision, row.recall, row.f1, row.num_gold) for row in rows]
    return score_table("type", scores, "number")
