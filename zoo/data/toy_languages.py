"""Says clauses in each toy language: German, English, a verb-initial and a verb-final language.

Every word names the parts of the meaning that it says, such as "0/subject/noun" for the noun of
the subject of clause 0. Two words of two languages are aligned if they name the same part.
"""

import dataclasses
from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

from zoo.data.toy_words import (
    ADJECTIVE_ENDINGS,
    ADJECTIVES,
    CONJUNCTIONS,
    DETERMINERS,
    NOUNS,
    PREPOSITIONS,
    PRONOUNS,
    TIMES,
    VERBS,
    Clause,
    Noun,
    NounPhrase,
    Pronoun,
)

_CASES = ("nominative", "accusative", "dative")
_AUXILIARIES = {
    "haben": {"first": "habe", "third": "hat", "plural": "haben"},
    "sein": {"first": "bin", "third": "ist", "plural": "sind"},
}


class Word(NamedTuple):
    """A word and the parts of the meaning that it says; none if only the grammar needs the word."""

    text: str
    parts: tuple[str, ...]


Words = list[Word]
Say = Callable[[Clause, str], Words]


def say_sentence(clauses: Sequence[Clause], say: Say) -> Words:
    """Returns the words of a sentence: clauses with commas, conjunctions and a full stop.

    Args:
        clauses: the main clauses.
        say: the function that says a clause: `say_german`, `say_english` or a `CoinedLanguage`.

    Returns:
        The words and punctuation marks.
    """
    words: Words = []
    for number, clause in enumerate(clauses):
        if number:
            words.append(Word(",", (f"{number}/join",)))
        words += say(clause, str(number))
    return [*words, Word(".", ("stop",))]


def person_of(subject: NounPhrase | Pronoun) -> str:
    """Returns the form of a verb that agrees with a subject: "first", "third" or "plural"."""
    if isinstance(subject, Pronoun):
        return subject.person
    return "plural" if subject.plural or subject.other else "third"


def say_german(clause: Clause, path: str, main: bool = True) -> Words:
    """Returns a German clause, whose verb is second in a main clause and last in other clauses.

    Args:
        clause: the meaning.
        path: the prefix of the names of its parts.
        main: whether it is a main clause.

    Returns:
        The words of the clause and of the clauses inside it.
    """
    object_ = _german_phrase(clause.object, "accusative", f"{path}/object")
    light = isinstance(clause.object, Pronoun)  # it stands before all roles except the subject
    companion = _german_phrase(clause.companion, "dative", f"{path}/companion")
    roles = {
        "subject": _german_phrase(clause.subject, "nominative", f"{path}/subject"),
        "light object": object_ if light else [],
        "time": _say_each(clause.time.german if clause.time else "", f"{path}/time"),
        "recipient": _german_phrase(clause.recipient, "dative", f"{path}/recipient"),
        "object": [] if light else object_,
        "companion": _before("mit", f"{path}/with", companion),
        "place": _german_place(clause, path),
    }
    inside = {
        "complement": _german_subordinate(clause.complement, f"{path}/complement"),
        "adjunct": _german_subordinate(clause.adjunct, f"{path}/adjunct"),
    }
    if clause.front == "adjunct":
        first = [*inside.pop("adjunct"), Word(",", (f"{path}/comma",))]
    else:
        first = roles.pop(clause.front or "subject")
    second, last = _german_verb(clause, path, main)
    words = [*first, *second, *chain.from_iterable(roles.values()), *last]
    for subordinate in filter(None, inside.values()):
        words += [Word(",", ()), *subordinate]
    conjunction = CONJUNCTIONS.get(clause.conjunction, "")
    return _before(conjunction, f"{path}/conjunction", words)


def _german_subordinate(clause: Clause | None, path: str) -> Words:
    return say_german(clause, path, main=False) if clause else []


def _german_verb(clause: Clause, path: str, main: bool) -> tuple[Words, Words]:
    """Returns the words of the verb in second place, and its words in last place."""
    verb, person = clause.verb, person_of(clause.subject)
    particle = "" if verb.particle == "-" else verb.particle
    finite = _AUXILIARIES[verb.auxiliary][person] if clause.past else getattr(verb, person)
    end = verb.participle if clause.past else particle
    if main:
        second, last = [finite], [end]
    else:  # "aufgemacht hat", but "aufmacht" is one word
        second, last = [], [end, finite] if clause.past else [end + finite]
    parts = (f"{path}/verb",)
    return [Word(text, parts) for text in second], [Word(text, parts) for text in last if text]


def _german_phrase(phrase: NounPhrase | Pronoun | None, case: str, path: str) -> Words:
    if phrase is None:
        return []
    if isinstance(phrase, Pronoun):
        return [Word(getattr(phrase, case), (f"{path}/noun",))]
    index = _CASES.index(case)
    form = "p" if phrase.plural else phrase.noun.gender
    words = [Word(_german_noun(phrase.noun, phrase.plural, case), (f"{path}/noun",))]
    if phrase.adjective:
        ending = ADJECTIVE_ENDINGS[phrase.determiner][form].split()[index]
        words = _before(ADJECTIVES[phrase.adjective] + ending, f"{path}/adjective", words)
    if form in DETERMINERS[phrase.determiner]:
        determiner = DETERMINERS[phrase.determiner][form].split()[index]
        words = _before(determiner, f"{path}/determiner", words)
    return words + _before("und", f"{path}/and", _german_phrase(phrase.other, case, f"{path}/2"))


def _german_noun(noun: Noun, plural: bool, case: str) -> str:
    if not plural:
        return noun.german
    return noun.german_plural + ("n" if case == "dative" and noun.german_plural[-1] != "n" else "")


def _german_place(clause: Clause, path: str) -> Words:
    """Returns a preposition and a dative; "in dem" becomes "im", which says the parts of both."""
    if not clause.place:
        return []
    phrase = _german_phrase(clause.place.phrase, "dative", f"{path}/place")
    words = _before(PREPOSITIONS[clause.place.preposition], f"{path}/preposition", phrase)
    if [word.text for word in words[:2]] == ["in", "dem"]:
        words[:2] = [Word("im", words[0].parts + words[1].parts)]
    return words


def say_english(clause: Clause, path: str) -> Words:
    """Returns an English clause: subject, verb, object; see `say_german` for the arguments."""
    object_ = _english_phrase(clause.object, f"{path}/object", "english_object")
    recipient = _english_phrase(clause.recipient, f"{path}/recipient")
    companion = _english_phrase(clause.companion, f"{path}/companion")
    roles = {
        "subject": _english_phrase(clause.subject, f"{path}/subject"),
        "verb": [Word(_english_verb(clause), (f"{path}/verb",))],
        "object": object_,
        "recipient": _before("to", f"{path}/to", recipient),
        "companion": _before("with", f"{path}/with", companion),
        "place": [],
        "time": _say_each(clause.time.english if clause.time else "", f"{path}/time"),
    }
    if clause.place:
        phrase = _english_phrase(clause.place.phrase, f"{path}/place")
        roles["place"] = _before(clause.place.preposition, f"{path}/preposition", phrase)
    words = _arrange(clause, path, roles, say_english)
    return _before(clause.conjunction, f"{path}/conjunction", words)


def _english_verb(clause: Clause) -> str:
    if clause.past:
        return clause.verb.past
    third = person_of(clause.subject) == "third"
    return clause.verb.english_third if third else clause.verb.base


def _english_phrase(phrase: NounPhrase | Pronoun | None, path: str, case: str = "english") -> Words:
    if phrase is None:
        return []
    if isinstance(phrase, Pronoun):
        return [Word(getattr(phrase, case), (f"{path}/noun",))]
    noun = phrase.noun.english_plural if phrase.plural else phrase.noun.english
    words = _before(phrase.adjective, f"{path}/adjective", [Word(noun, (f"{path}/noun",))])
    determiner = phrase.determiner
    if determiner == "a":
        determiner = "" if phrase.plural else "an" if words[0].text[0] in "aeiou" else "a"
    elif determiner == "this" and phrase.plural:
        determiner = "these"
    words = _before(determiner, f"{path}/determiner", words)
    return words + _before("and", f"{path}/and", _english_phrase(phrase.other, f"{path}/2"))


@dataclasses.dataclass(frozen=True)
class CoinedLanguage:
    """A language with an invented word for each English word, and with its own word order.

    The language has no indefinite article, and verbs do not agree with their subjects. An object
    has a mark that has no counterpart in English.

    Attributes:
        order: the order of the roles in a clause.
        ending: the ending of every stem.
        plural: the ending of nouns in the plural.
        past: the ending of verbs in the past.
        object_mark: the word that marks an object.
        head_first: whether the language has prepositions, and adjectives after the noun. Otherwise
            it has postpositions, and adjectives before the noun.
    """

    order: tuple[str, ...]
    ending: str
    plural: str
    past: str
    object_mark: str
    head_first: bool

    def __call__(self, clause: Clause, path: str) -> Words:
        """Returns the words of a clause; see `say_german` for the arguments."""
        verb = self.stem(clause.verb.base) + (self.past if clause.past else "")
        time = " ".join(map(self.stem, clause.time.english.split())) if clause.time else ""
        object_ = self._phrase(clause.object, f"{path}/object")
        recipient = self._phrase(clause.recipient, f"{path}/recipient")
        companion = self._phrase(clause.companion, f"{path}/companion")
        roles = {
            "subject": self._phrase(clause.subject, f"{path}/subject"),
            "verb": [Word(verb, (f"{path}/verb",))],
            "object": self._beside(object_, Word(self.object_mark, ())),
            "recipient": self._beside(recipient, Word(self.stem("to"), (f"{path}/to",))),
            "companion": self._beside(companion, Word(self.stem("with"), (f"{path}/with",))),
            "place": [],
            "time": _say_each(time, f"{path}/time"),
        }
        if clause.place:
            mark = Word(self.stem(clause.place.preposition), (f"{path}/preposition",))
            phrase = self._phrase(clause.place.phrase, f"{path}/place")
            roles["place"] = self._beside(phrase, mark)
        ordered = {role: roles[role] for role in self.order}
        words = _arrange(clause, path, ordered, self)
        conjunction = self.stem(clause.conjunction) if clause.conjunction else ""
        return _before(conjunction, f"{path}/conjunction", words)

    def stem(self, gloss: str) -> str:
        """Returns the invented word for an English word in its base form."""
        second, first = divmod(_NUMBER_OF_GLOSS[gloss], len(_CONSONANTS))
        vowels = _VOWELS[first % len(_VOWELS)], _VOWELS[second % len(_VOWELS)]
        last = _CONSONANTS[(3 * first + second) % len(_CONSONANTS)]
        return _CONSONANTS[first] + vowels[0] + last + vowels[1] + self.ending

    def _phrase(self, phrase: NounPhrase | Pronoun | None, path: str) -> Words:
        if phrase is None:
            return []
        if isinstance(phrase, Pronoun):
            return [Word(self.stem(phrase.english), (f"{path}/noun",))]
        noun = self.stem(phrase.noun.english) + (self.plural if phrase.plural else "")
        words = [Word(noun, (f"{path}/noun",))]
        if phrase.adjective:
            adjective = Word(self.stem(phrase.adjective), (f"{path}/adjective",))
            words = [*words, adjective] if self.head_first else [adjective, *words]
        if phrase.determiner != "a":
            words = _before(self.stem(phrase.determiner), f"{path}/determiner", words)
        other = self._phrase(phrase.other, f"{path}/2")
        return words + _before(self.stem("and"), f"{path}/and", other)

    def _beside(self, words: Words, mark: Word) -> Words:
        if not words:
            return []
        return [mark, *words] if self.head_first else [*words, mark]


_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_GLOSSES = [
    *(noun.english for noun in NOUNS),
    *(verb.base for verb in VERBS),
    *(pronoun.english for pronoun in PRONOUNS),
    *(word for time in TIMES for word in time.english.split()),
    *(*ADJECTIVES, *PREPOSITIONS, *CONJUNCTIONS, *DETERMINERS, "to", "with"),
]
_NUMBER_OF_GLOSS = {gloss: number for number, gloss in enumerate(_GLOSSES)}

_VERB_FIRST = ("verb", "subject", "object", "recipient", "companion", "place", "time")
_VERB_LAST = ("subject", "time", "place", "companion", "recipient", "object", "verb")
VERB_INITIAL = CoinedLanguage(
    _VERB_FIRST, ending="r", plural="im", past="at", object_mark="ol", head_first=True
)
VERB_FINAL = CoinedLanguage(
    _VERB_LAST, ending="sh", plural="on", past="ek", object_mark="ku", head_first=False
)


def _arrange(clause: Clause, path: str, roles: dict[str, Words], say: Say) -> Words:
    """Returns the front role, the other roles in order, and the inner clauses without commas."""
    roles = dict(roles)
    words = roles.pop(clause.front, [])
    adjunct = say(clause.adjunct, f"{path}/adjunct") if clause.adjunct else []
    if clause.front == "adjunct":
        words, adjunct = [*adjunct, Word(",", (f"{path}/comma",))], []
    complement = say(clause.complement, f"{path}/complement") if clause.complement else []
    return [*words, *chain.from_iterable(roles.values()), *complement, *adjunct]


def _before(text: str, part: str, words: Words) -> Words:
    """Returns words with a text before them; adds nothing if the text or the words are empty."""
    return [Word(text, (part,)), *words] if text and words else words


def _say_each(text: str, path: str) -> Words:
    """Returns the words of a text; word k says part k."""
    return [Word(word, (f"{path}/{k}",)) for k, word in enumerate(text.split())]
