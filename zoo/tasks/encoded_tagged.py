"""Encodes a tagged corpus for a tagger: its vocabularies and tags."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from zoo.data.config import AUTO, TaggedDataConfig
from zoo.data.corpora import find_corpus
from zoo.data.examples import Tagged
from zoo.data.fingerprints import of_tagged
from zoo.data.loading import load_tagged_corpus, open_splits
from zoo.data.tag_schemes import (
    PLAIN,
    allowed,
    convert,
    count_pairs,
    find_scheme,
    may_end,
    may_start,
)
from zoo.data.tagged_batching import word_key
from zoo.data.vocabulary import Vocabulary, build_vocabulary
from zoo.data.word_vectors import vector_words
from zoo.errors import UserError
from zoo.models.tagger import Allowed
from zoo.tasks.summary import note_repeated

MOST_TAGS = 2000


class TaggedTexts(NamedTuple):
    """A tagged corpus with its vocabularies and tags.

    Attributes:
        vocabulary: the vocabulary of the training words, followed by words that only have a vector.
        num_trained_words: the number of words of the vocabulary that occur in training.
        characters: the vocabulary of the characters of the training words.
        tags: the tags of the training split, in alphabetical order.
        scheme: the scheme of the tags.
        train: the training sentences.
        validation: the validation sentences.
        notes: notes for the user about sentences that were left out or are repeated.
        fingerprints: the fingerprint of each split, see `zoo.data.fingerprints`.
    """

    vocabulary: Vocabulary
    num_trained_words: int
    characters: Vocabulary
    tags: tuple[str, ...]
    scheme: str
    train: Sequence[Tagged]
    validation: Sequence[Tagged]
    notes: tuple[str, ...]
    fingerprints: dict[str, str]


def encode_tagged_corpus(data: TaggedDataConfig) -> TaggedTexts:
    """Reads a corpus, and builds its vocabularies and tags.

    Raises:
        UserError: the corpus cannot be read, or has too few or too many tags.
    """
    corpus = load_tagged_corpus(data)
    # Each split is read, and its tags are converted, once.
    splits = {split: list(sentences) for split, sentences in corpus.splits.items()}
    every = splits["train"]
    train = [one for one in every if not data.max_tokens or len(one.tokens) <= data.max_tokens]
    tags = Counter(tag for sentence in train for tag in sentence.tags)
    check_tags(sorted(tags))
    lines = [
        " ".join(word_key(token, lowercase=data.lowercase) for token in sentence.tokens)
        for sentence in train
    ]
    make = partial(
        build_vocabulary, "word", lines, max_size=data.vocabulary_size, min_count=data.min_count
    )
    words = make()
    return TaggedTexts(
        make(more=vector_words(data.word_vectors)) if data.keep_word_vectors else words,
        len(words),
        build_vocabulary("character", (token for one in train for token in one.tokens)),
        tuple(sorted(tags)),
        corpus.scheme,
        train,
        splits["validation"],
        (
            *_left_out(len(every) - len(train), len(every), data.max_tokens),
            *_repeated(splits),
        ),
        {split: of_tagged(sentences) for split, sentences in splits.items()},
    )


def _left_out(number: int, total: int, max_tokens: int) -> tuple[str, ...]:
    """Returns a note on the sentences that are too long, or no note if there are none."""
    if not number:
        return ()
    return (
        f"{number:,} of {total:,} training sentences are longer than {max_tokens} tokens and were "
        "left out",
    )


def _repeated(splits: Mapping[str, Iterable[Tagged]]) -> tuple[str, ...]:
    words = {split: (one.tokens for one in sentences) for split, sentences in splits.items()}
    return note_repeated("sentences", words)


_CORPUS_OF = {".conllu": "conllu_file", ".jsonl": "spans_file"}


def read_tagged_file(path: Path, data: TaggedDataConfig, scheme: str) -> list[Tagged]:
    """Returns the sentences of a user's own file, with their tags in a scheme.

    Args:
        path: a .conllu file, a .jsonl file of texts with spans, or any other file with columns, see
            the corpus conll_file.
        data: the config, which names the columns of the word and the tag.
        scheme: the scheme that the tags are converted to.

    Raises:
        UserError: the file cannot be read, or its tags are plain and the scheme is not.
    """
    corpus = _CORPUS_OF.get(path.suffix.lower(), "conll_file")
    if corpus != data.corpus:
        data = dataclasses.replace(data, word_column="", tag_column="")
    own = dataclasses.replace(data, corpus=corpus, directory=str(path))
    sentences = list(open_splits(find_corpus(corpus, Tagged), own)["train"])
    written = data.file_scheme
    if written == AUTO:
        written = find_scheme(count_pairs(sentence.tags for sentence in sentences))
    return [
        Tagged(sentence.tokens, tuple(convert(sentence.tags, written, scheme)))
        for sentence in sentences
    ]


def check_tags(tags: Sequence[str]) -> None:
    """Raises a UserError if a tagger has too few or too many tags.

    The number of tags is limited, because K tags have K^2 transitions.
    """
    if not tags:
        raise UserError("no training sentence has a tag; see data.max_tokens and data.tag_column")
    if not 2 <= len(tags) <= MOST_TAGS:
        raise UserError(
            f"there are {len(tags):,} different tags ({', '.join(tags[:5])}); a tagger has 2 to "
            f"{MOST_TAGS:,}; see data.tag_column"
        )


def allowed_transitions(tags: Sequence[str], scheme: str) -> Allowed | None:
    """Returns which tags may begin a sentence, follow each other, and end a sentence.

    Returns None for plain tags, which are allowed everywhere.

    Example:
        >>> allowed_transitions(("B-a", "I-a", "O"), "iob2")[0]
        (True, False, True)
    """
    if scheme == PLAIN:
        return None
    return (
        tuple(may_start(tag, scheme) for tag in tags),
        tuple(tuple(allowed(one, other, scheme) for other in tags) for one in tags),
        tuple(may_end(tag, scheme) for tag in tags),
    )
