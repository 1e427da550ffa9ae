"""Sentence pairs of a synchronous grammar, with their true word alignments.

A meaning is drawn and written in two languages: German and English, English and a verb-initial
language (verb, subject, object, as in Arabic), or English and a verb-final language (subject,
object, verb, as in Hindi). The sentences are grammatical, but not always sensible. Words and
punctuation marks are separated by spaces; only German nouns and "I" begin with a capital.

A German verb of two words ("ruft ... an", "hat ... gesehen") is aligned with its one English word
through both of its words, and "im" is aligned with both words of "in the". A word without a
counterpart in the other language is aligned with nothing. Examples are German commas without an
English comma, English "to" (a dative in German), and "a" and the marks of objects beside the
invented languages.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from zoo.data import toy_words
from zoo.data.examples import Pair
from zoo.data.splits import SPLITS
from zoo.data.toy_languages import (
    VERB_FINAL,
    VERB_INITIAL,
    Say,
    Words,
    say_english,
    say_german,
    say_sentence,
)
from zoo.data.toy_words import Clause, NounPhrase, Place, Pronoun, Verb

Choice = TypeVar("Choice")

SPLIT_SIZES = {"train": 10_000, "validation": 500, "test": 500}
MAX_WORDS = 40  # the longest sentence of either language
_MAX_CLAUSES = 5
_SEED = 0

# For each corpus, the function that says the source and the one that says the target.
LANGUAGES: dict[str, tuple[Say, Say]] = {
    "german": (say_german, say_english),
    "verb_initial": (say_english, VERB_INITIAL),
    "verb_final": (say_english, VERB_FINAL),
}


def generate_pairs(language: str, count: int, seed: int) -> list[Pair]:
    """Returns sentence pairs in which no source and no target sentence occurs twice.

    Args:
        language: a name in `LANGUAGES`.
        count: the number of pairs.
        seed: the seed of the draw; equal arguments give equal pairs.

    Returns:
        The pairs. A shorter list with the same seed is the beginning of a longer list.

    Example:
        >>> [pair] = generate_pairs("german", 1, seed=3)
        >>> pair.source
        'diese Königinnen glauben , dass sie uns liebt .'
        >>> pair.target
        'these queens believe that she loves us .'
        >>> pair.alignment
        ((0, 0), (1, 1), (2, 2), (4, 3), (5, 4), (6, 6), (7, 5), (8, 7))
    """
    say_source, say_target = LANGUAGES[language]
    writer = _Writer(np.random.default_rng(seed))
    pairs: list[Pair] = []
    seen: set[str] = set()
    while len(pairs) < count:
        clauses = writer.sentence()
        source, target = say_sentence(clauses, say_source), say_sentence(clauses, say_target)
        texts = _text(source), _text(target)
        if max(len(source), len(target)) <= MAX_WORDS and seen.isdisjoint(texts):
            seen.update(texts)
            pairs.append(Pair(*texts, _align(source, target)))
    return pairs


def generate_splits(language: str) -> dict[str, list[Pair]]:
    """Returns the corpus of a language in three splits without common sentences."""
    pairs = generate_pairs(language, sum(SPLIT_SIZES.values()), _SEED)
    splits, start = {}, 0
    for split in SPLITS:
        splits[split] = pairs[start : start + SPLIT_SIZES[split]]
        start += SPLIT_SIZES[split]
    return splits


def _text(words: Words) -> str:
    return " ".join(word.text for word in words)


def _align(source: Words, target: Words) -> tuple[tuple[int, int], ...]:
    """Returns the pairs of words that say a common part of the meaning."""
    places: dict[str, list[int]] = {}
    for number, word in enumerate(target):
        for part in word.parts:
            places.setdefault(part, []).append(number)
    pairs = {
        (number, other)
        for number, word in enumerate(source)
        for part in word.parts
        for other in places.get(part, ())
    }
    return tuple(sorted(pairs))


class _Writer:
    """A source of random meanings of sentences.

    Args:
        generator: the random generator.
    """

    def __init__(self, generator: np.random.Generator):
        self._generator = generator
        self._richness = 0.0  # how likely a clause has optional parts

    def _chance(self, probability: float) -> bool:
        return self._generator.random() < probability

    def _choose(self, options: Sequence[Choice]) -> Choice:
        return options[int(self._generator.random() * len(options))]

    def sentence(self) -> list[Clause]:
        """Returns one to three main clauses, with up to `_MAX_CLAUSES` clauses in all."""
        self._richness = self._generator.random()
        budget = 1 + int(self._generator.random() * _MAX_CLAUSES)
        clauses: list[Clause] = []
        while budget and len(clauses) < 3:
            share = self._choose(range(1, budget + 1)) if len(clauses) < 2 else budget
            conjunction = self._choose(("and", "but")) if clauses else ""
            clauses.append(self._clause(conjunction, self._chance(0.5), share))
            budget -= share
        return clauses

    def _clause(self, conjunction: str, past: bool, budget: int) -> Clause:
        """Returns a clause with inner clauses, `budget` clauses in all."""
        inside = self._choose(("complement", "adjunct")) if budget > 1 else ""
        complement = adjunct = None
        if inside == "complement":
            complement = self._clause("that", past or self._chance(0.4), budget - 1)
        elif inside == "adjunct":
            adjunct = self._adjunct(past, budget - 1)
        full = complement is not None  # a clause with "that" must stand near its verb
        verb = self._choose(_CLAUSE_VERBS if full else _PLAIN_VERBS)
        subject = self._choose(toy_words.PRONOUNS) if self._chance(0.25) else self._phrase("being")
        clause = Clause(
            conjunction=conjunction,
            verb=verb,
            past=past,
            subject=subject,
            object=self._object(verb, subject),
            recipient=self._phrase("being") if verb.takes == "give" else None,
            companion=self._phrase("being") if not full and self._rich(0.3) else None,
            place=self._place() if not full and self._rich(0.7) else None,
            time=self._choose(_TIMES[past]) if self._rich(0.7) else None,
            front="",
            complement=complement,
            adjunct=adjunct,
        )
        return clause._replace(front=self._front(clause))

    def _adjunct(self, past: bool, budget: int) -> Clause:
        """Returns a clause that says why or when; only a reason may have another tense."""
        conjunction = self._choose(("because", "although", "before", "when")[: 3 if past else 4])
        reason = conjunction in ("because", "although")
        return self._clause(conjunction, past or (reason and self._chance(0.4)), budget)

    def _front(self, clause: Clause) -> str:
        """Returns the role at the front of a main clause; other clauses begin with the subject."""
        if clause.conjunction in ("", "and", "but"):
            if clause.adjunct and self._chance(0.5):
                return "adjunct"
            for role in ("time", "place"):
                if getattr(clause, role) and self._chance(0.4):
                    return role
        return ""

    def _object(self, verb: Verb, subject: NounPhrase | Pronoun) -> NounPhrase | Pronoun | None:
        if verb.takes in ("nothing", "clause"):
            return None
        if verb.takes in ("thing", "give"):
            return self._phrase("thing")
        # I and we are not the object of I or we, or the object would be reflexive.
        if self._chance(0.3):
            first = subject in toy_words.PRONOUNS[:2]
            return self._choose(_OBJECT_PRONOUNS[2:] if first else _OBJECT_PRONOUNS)
        return self._phrase(self._choose(("being", "thing")) if verb.takes == "either" else "being")

    def _place(self) -> Place:
        return Place(self._choose(tuple(toy_words.PREPOSITIONS)), self._phrase("place"))

    def _phrase(self, kind: str) -> NounPhrase:
        joined = kind != "place" and self._rich(0.2)
        other = self._plain_phrase(kind) if joined else None
        return self._plain_phrase(kind)._replace(other=other)

    def _plain_phrase(self, kind: str) -> NounPhrase:
        adjective = self._choose(tuple(toy_words.ADJECTIVES)) if self._rich(0.7) else ""
        noun = self._choose(_NOUNS[kind])
        return NounPhrase(
            self._choose(tuple(toy_words.DETERMINERS)), adjective, noun, self._chance(0.25)
        )

    def _rich(self, probability: float) -> bool:
        return self._chance(probability * self._richness)


_NOUNS = {
    kind: [noun for noun in toy_words.NOUNS if noun.kind == kind]
    for kind in ("being", "thing", "place")
}
_CLAUSE_VERBS = [verb for verb in toy_words.VERBS if verb.takes == "clause"]
_PLAIN_VERBS = [verb for verb in toy_words.VERBS if verb.takes != "clause"]
_TIMES = {
    past: [
        time for time in toy_words.TIMES if ("past" if past else "present") in time.tenses.split()
    ]
    for past in (False, True)
}
_OBJECT_PRONOUNS = toy_words.PRONOUNS[:4]  # without "them", in German the same word as "her"
