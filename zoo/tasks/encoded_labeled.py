"""Encodes a labelled corpus for a classifier: vocabulary, labels, and splits as rows of tokens."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.config import LabeledDataConfig
from zoo.data.fingerprints import of_labeled
from zoo.data.labeled_batching import cut_rows, encode_texts
from zoo.data.labels import Labels, make_labels
from zoo.data.loading import load_labeled_corpus
from zoo.data.vocabulary import Vocabulary, build_vocabulary, count_unknown
from zoo.data.word_vectors import vector_words
from zoo.errors import UserError
from zoo.tasks.summary import describe_labels, describe_rows, describe_tokens, note_repeated

# The scripts that put no blanks between words: Thai, Lao, Burmese, Khmer, Japanese and Chinese.
_WITHOUT_BLANKS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


class Split(NamedTuple):
    """The tokens of each text of a split, and their targets [N, C]."""

    rows: Sequence[np.ndarray]
    targets: np.ndarray


class EncodedTexts(NamedTuple):
    """A labelled corpus, encoded for a classifier.

    Attributes:
        vocabulary: the vocabulary of the training texts.
        labels: the labels of the training texts.
        train: the training split.
        validation: the validation split.
        validation_texts: the texts of the validation split.
        summary: the corpus in figures, see `zoo.tasks.summary`.
        notes: what a user should know of texts that are empty, cut or repeated, and of labels.
        fingerprints: of each split, see `zoo.data.fingerprints`.
    """

    vocabulary: Vocabulary
    labels: Labels
    train: Split
    validation: Split
    validation_texts: Sequence[str]
    summary: tuple[str, ...]
    notes: tuple[str, ...]
    fingerprints: dict[str, str]


def encode_labeled_corpus(data: LabeledDataConfig, more: Sequence[str] = ()) -> EncodedTexts:
    """Reads a corpus, and builds its vocabulary and labels.

    Args:
        data: the settings of the corpus.
        more: tokens that enter the vocabulary after the tokens of the training texts.

    Raises:
        UserError: the corpus cannot be read, or a label does not occur in the training split.
    """
    corpus = load_labeled_corpus(data)
    train = corpus.splits["train"]
    labels = make_labels(train.labels, multiple=corpus.multiple)
    vocabulary = build_vocabulary(
        data.vocabulary,
        train.texts,
        max_size=data.vocabulary_size,
        min_count=data.min_count,
        more=(*more, *(vector_words(data.word_vectors) if data.keep_word_vectors else ())),
    )
    validation = corpus.splits["validation"]
    rows = encode_texts(vocabulary, train.texts)
    train_rows = cut_rows(rows, data.max_tokens, data.cut)
    validation_rows = encode_texts(vocabulary, validation.texts, data.max_tokens, data.cut)
    return EncodedTexts(
        vocabulary,
        labels,
        Split(train_rows, labels.encode(train.labels)),
        Split(validation_rows, labels.encode(validation.labels)),
        validation.texts,
        (
            describe_rows(
                "texts", {name: len(split.texts) for name, split in corpus.splits.items()}
            ),
            *describe_labels(labels),
            describe_tokens(len(vocabulary), {"train": train_rows, "validation": validation_rows}),
        ),
        (
            *_empty(rows),
            *_cut(rows, data.max_tokens),
            *_strange(validation_rows, validation.texts, data.vocabulary),
            *_unseen(labels, corpus.splits["test"].labels),
            *note_repeated("texts", {name: split.texts for name, split in corpus.splits.items()}),
        ),
        {split: of_labeled(*texts) for split, texts in corpus.splits.items()},
    )


def _strange(rows: Sequence[np.ndarray], texts: Sequence[str], vocabulary: str) -> tuple[str, ...]:
    """Returns a note if most words of texts without blanks are unknown, or no note.

    Words are found by the blanks between them, so that a Chinese sentence is one unknown word.
    """
    number = sum(len(row) - 1 for row in rows)  # the end of each row is known
    unknown = sum(map(count_unknown, rows))
    if vocabulary == "character" or 2 * unknown <= number:
        return ()
    num_without = num_characters = 0
    for text in texts:
        num_without += len(_WITHOUT_BLANKS.findall(text))
        num_characters += len(text)
    if 2 * num_without <= num_characters:
        return ()
    return (
        f"{unknown / number:.0%} of the words of the validation texts are unknown, because there "
        "are no blanks between words; use data.vocabulary=character",
    )


def _unseen(labels: Labels, of_test: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Returns a note on the test texts with a label that training lacks, or no note."""
    known = set(labels.names)
    unseen = [own for own in of_test if not known.issuperset(own)]
    if not unseen:
        return ()
    names = ", ".join(map(repr, sorted(set().union(*unseen) - known)[:5]))
    return (
        f"{len(unseen):,} of {len(of_test):,} test texts have labels that training lacks, such as "
        f"{names}; no model can be scored on them: leave them out of the test split, or add such "
        "texts to training",
    )


def _empty(rows: Sequence[np.ndarray]) -> tuple[str, ...]:
    """Returns a note on the training texts without a token, or no note if there are none.

    Raises:
        UserError: no training text has a token.
    """
    number = sum(1 for row in rows if len(row) <= 1)  # the end is a token of each row
    if number == len(rows):
        raise UserError(
            f"all {number:,} training texts are empty; use data.text_column=NAME with a column "
            "that has texts"
        )
    return (f"{number:,} of {len(rows):,} training texts are empty",) if number else ()


def _cut(rows: Sequence[np.ndarray], max_tokens: int) -> tuple[str, ...]:
    """Returns a note on the training texts that max_tokens cuts, or no note if there are none."""
    lengths = np.array([len(row) - 1 for row in rows])
    longer = int((lengths > max_tokens).sum()) if max_tokens else 0
    if not longer:
        return ()
    lost = np.maximum(lengths - max_tokens, 0).sum() / lengths.sum()
    return (
        f"{longer:,} of {len(rows):,} training texts are longer than {max_tokens} tokens and "
        f"were cut: {lost:.1%} of all tokens are lost",
    )
