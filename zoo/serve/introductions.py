"""Introduces models on the page: their summary, their language, and a text to begin with."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from zoo.data.vocabulary import CharacterVocabulary, SubwordVocabulary
from zoo.special_tokens import SPECIAL_TOKENS
from zoo.types import Json

_LANGUAGES = {"cs": "Czech", "de": "German", "en": "English", "fr": "French"}
_NUM_WORDS = 4
_NUM_PASSAGE_WORDS = 120


class Introduction(NamedTuple):
    """The texts with which the page introduces a model.

    Attributes:
        summary: what the model is, in a line.
        language: the language of its texts; "" if it is not known.
        example: a short text for the model.
        passage: a longer text, on which the gradient through time is measured.
    """

    summary: str
    language: str
    example: str
    passage: str


class _Example(NamedTuple):
    language: str
    example: str
    passage: str = ""


_MANUAL = (
    "The function returns a list of the names that the module defines. If the argument is a "
    "class, the list holds the names of its attributes and of the attributes of its bases."
)
_NEWS = (
    "the company said it expects higher sales next year because new products will be sold in "
    "japan and europe for the first time and because costs have been lower than the market had "
    "expected at the end of the last quarter"
)
_EXAMPLES: Mapping[str, _Example] = {
    "python_docs": _Example("English", "The value of", _MANUAL),
    "penn_treebank": _Example("English", "the company said", _NEWS),
    "wikitext": _Example("English", "The first season of", _NEWS),
    "tiny_shakespeare": _Example("English", "The king", "The king will speak to us. " * 8),
    "python_docs_topics": _Example("English", "An exception that is not handled ends the program."),
    "trec": _Example("English", "Who wrote the first book about the sea?"),
    "imdb": _Example("English", "It begins slowly, but the ending is wonderful."),
    "sst2": _Example("English", "it begins slowly , but the ending is wonderful ."),
    "sst5": _Example("English", "it begins slowly , but the ending is wonderful ."),
    "goemotions": _Example("English", "Thank you so much, that made my day!"),
    "ud_atis": _Example("English", "show me flights from boston to denver on monday morning"),
    "wnut17": _Example("English", "Watching the game with Anna in Berlin tonight"),
    "python_source_roles": _Example("Python", "def total ( values ) : return sum ( values )"),
    "toy_german de": _Example("", "die Frau hat heute den Hund gesehen ."),
    "multi30k de": _Example("", "Zwei Kinder spielen mit einem Hund im Park."),
}


def introduce(record: Json, noun: str, title: str = "") -> Introduction:
    """Returns what the page says of a model.

    A model on a corpus of the user's own gets a text of the most frequent words that it knows.

    Args:
        record: "config" and "vocabulary" of the model, as `zoo.hub.describe` returns them.
        noun: what the model is, such as "classifier".
        title: the title of its card; "" if it has no card.

    Example:
        >>> vocabulary = {"kind": "word", "tokens": ["<unk>", "<s>", "</s>", ",", "the", "boat"]}
        >>> introduce({"config": {}, "vocabulary": vocabulary}, "language model")[:3]
        ('A language model', '', 'the boat')
    """
    data = record["config"].get("data", {})
    corpus, source = str(data.get("corpus", "")), str(data.get("source_language", ""))
    known = _EXAMPLES.get(f"{corpus} {source}".strip())
    target = str(data.get("target_language", ""))
    language = known.language if known else ""
    if source and target:
        language = f"{_LANGUAGES.get(source, source)} to {_LANGUAGES.get(target, target)}"
    article = "An" if noun[0] in "aeiou" else "A"
    summary = title or f"{article} {noun}" + (f" trained on {corpus}" if corpus else "")
    if known is None:
        words = _frequent_words(record["vocabulary"])
        passage = " ".join(words[number % len(words)] for number in range(_NUM_PASSAGE_WORDS))
        known = _Example("", " ".join(words[:_NUM_WORDS]), passage)
    return Introduction(summary, language, known.example, known.passage)


def _frequent_words(vocabulary: Json) -> Sequence[str]:
    """Returns some words that a model knows, the most frequent word first."""
    for part in ("tokens", "words", "source"):  # of a classifier, a tagger or a translator
        if isinstance(vocabulary.get(part), dict):
            vocabulary = vocabulary[part]
    tokens = [str(token) for token in vocabulary.get("tokens", ())]
    if vocabulary.get("kind") in (CharacterVocabulary.kind, SubwordVocabulary.kind):
        return ["The" if "T" in tokens else "the"]
    words = [token for token in tokens if token.isalpha() and token not in SPECIAL_TOKENS]
    return words[:20] or ["The"]
