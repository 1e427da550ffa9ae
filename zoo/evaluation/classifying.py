"""What a classifier holds of texts, and which of their tokens decided.

Axes: B rows of a call, T time, N texts, C labels.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, NamedTuple

import jax
import numpy as np
from jax import Array

from zoo.data.batching import power_of_two, similar_lengths
from zoo.data.labeled_batching import encode_texts, pad
from zoo.data.labels import DEFAULT_THRESHOLD, Labels
from zoo.data.token_file import row_lengths
from zoo.errors import UserError
from zoo.evaluation.classification import ClassificationScore, choose, score_probabilities
from zoo.given import given_list, given_texts
from zoo.models.output import Model
from zoo.models.trained import Checkpoint, Kind, ModelOrName, require
from zoo.progress import track
from zoo.special_tokens import END
from zoo.types import Json, Params

CLASSIFIER = Kind("classifier", "classify")
BATCH_SIZE = 64
BUCKET_LENGTHS = (8, 16, 32, 64, 128, 256, 512)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrainedClassifier(Checkpoint):
    """A trained classifier.

    Attributes:
        labels: what it chooses from.
        thresholds: float64[C], the probability that each of several labels has to reach, as chosen
            on validation; 0.5 for all where none were.
        max_tokens: how many tokens of a text it reads; 0 for all.
        cut: what a text with more tokens than that loses: its "end" or its "middle".
    """

    kind = CLASSIFIER
    token_axes: ClassVar[Mapping[str, tuple[str, int]]] = {
        "embedding": ("tokens", 0),
        "head/output_kernel": ("labels", 1),
        "head/output_bias": ("labels", 0),
    }

    labels: Labels
    thresholds: np.ndarray = dataclasses.field(default_factory=lambda: np.array(DEFAULT_THRESHOLD))
    max_tokens: int = 0
    cut: str = "end"

    def _inputs(self) -> str:
        several = ", any number a text" if self.labels.multiple else ""
        return f"{super()._inputs()}; {len(self.labels)} labels{several}"

    @property
    def vocabulary_record(self) -> Json:
        """Vocabulary and labels as plain JSON, as a checkpoint's vocabulary.json holds them."""
        return {"tokens": self.vocabulary.to_json(), "labels": self.labels.to_json()}

    @property
    def tokens(self) -> dict[str, Sequence[str]]:
        """The tokens and the labels by their ids."""
        return {"tokens": self.vocabulary.tokens, "labels": self.labels.names}


class Predictions(NamedTuple):
    """What a classifier gives for N texts.

    Attributes:
        probabilities: float32[N, C], of each label.
        weights: float32[T] of each text, which tokens were pooled: they sum to one.
    """

    probabilities: np.ndarray
    weights: list[np.ndarray]


@dataclasses.dataclass(frozen=True)
class Classification:
    """One text and what a classifier makes of it.

    Attributes:
        text: the text.
        labels: what it chose: one label, or where a text may have several, any number, the most
            probable first.
        probabilities: of every label; they sum to one unless a text may have several.
        tokens: the tokens it read; the last is the end, `</s>`.
        weights: of each token, how much of the pooled vector comes from it; they sum to one.
    """

    text: str
    labels: tuple[str, ...]
    probabilities: dict[str, float] = dataclasses.field(hash=False)
    tokens: tuple[str, ...]
    weights: tuple[float, ...]

    def to_json(self) -> Json:
        """The record as plain JSON types."""
        return dict(vars(self))


def classify(checkpoint: ModelOrName, texts: str | Sequence[str]) -> list[Classification]:
    """Labels texts. An empty text is one too: the classifier reads only its end.

    Args:
        checkpoint: what `zoo.load` gives of a classifier, or a name that it takes.
        texts: the texts, or one.

    Returns:
        A record for each text, in order. It does not depend on the other texts.

    Raises:
        UserError: the checkpoint is no classifier.

    Example:
        >>> from zoo.data.labels import make_labels
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> from zoo.models.classifier import Classifier, ClassifierConfig
        >>> vocabulary, labels = build_vocabulary("word", ["good bad"]), make_labels([["-"], ["+"]])
        >>> model = Classifier(ClassifierConfig(hidden_sizes=(4,)), len(vocabulary), len(labels))
        >>> start = {"tokens": np.ones((1, 1), int), "lengths": np.ones(1, int)}
        >>> params = jax.jit(model.init)(jax.random.key(0), **start)["params"]
        >>> checkpoint = TrainedClassifier(
        ...     model=model, params=params, vocabulary=vocabulary, labels=labels
        ... )
        >>> result = classify(checkpoint, ["very good"])[0]
        >>> result.tokens, round(sum(result.probabilities.values()), 5)
        (('<unk>', 'good', '</s>'), 1.0)
    """
    trained = require(checkpoint, TrainedClassifier)
    texts = given_texts(texts)
    if not texts:
        return []
    labels, vocabulary = trained.labels, trained.vocabulary
    rows, found = _read(trained, texts)
    chosen = choose(found.probabilities, labels, trained.thresholds)
    results = []
    for text, row, weights, probabilities, is_chosen in zip(
        texts, rows, found.weights, found.probabilities, chosen, strict=True
    ):
        order = np.argsort(-probabilities, kind="stable")
        results.append(
            Classification(
                text=text,
                labels=tuple(labels.names[label] for label in order if is_chosen[label]),
                probabilities=dict(zip(labels.names, probabilities.tolist(), strict=True)),
                tokens=(*(vocabulary.tokens[token] for token in row[:-1]), END),
                weights=tuple(weights.tolist()),
            )
        )
    return results


def evaluate_classifier(
    checkpoint: ModelOrName, texts: Sequence[str], labels: Sequence[str | Sequence[str]]
) -> ClassificationScore:
    """How well a classifier does on labelled texts.

    Args:
        checkpoint: what `zoo.load` gives of a classifier, or a name that it takes.
        texts: N texts.
        labels: the labels of each, or where each has one, that label itself.

    Raises:
        UserError: the checkpoint is no classifier, a label is none of its own, or there is no text.
    """
    trained = require(checkpoint, TrainedClassifier)
    texts, rows = given_list(texts, "texts"), given_list(labels, "labels")
    given_texts(texts)
    if not texts or len(texts) != len(rows):
        raise UserError(
            f"there are {len(texts)} texts and labels for {len(rows)}; give labels for each of "
            "one text or more"
        )
    targets = trained.labels.encode([given_texts(own, "labels") for own in rows])
    _, found = _read(trained, texts)
    return score_probabilities(found.probabilities, targets, trained.labels, trained.thresholds)


def _read(
    checkpoint: TrainedClassifier, texts: Sequence[str]
) -> tuple[Sequence[np.ndarray], Predictions]:
    """The tokens of each text, and what the classifier gives for them."""
    rows = encode_texts(checkpoint.vocabulary, texts, checkpoint.max_tokens, checkpoint.cut)
    multiple = checkpoint.labels.multiple
    return rows, predict(checkpoint.model, checkpoint.params, rows, multiple=multiple)


def predict(
    model: Model, params: Params, rows: Sequence[np.ndarray], *, multiple: bool
) -> Predictions:
    """The probabilities of every label for N texts, which are read in batches of similar length.

    Args:
        model: a classifier.
        params: its parameters.
        rows: int32[T] tokens of each text, as `encode_texts` makes them.
        multiple: a text may have several labels.
    """
    probabilities: list[np.ndarray] = [np.empty(0)] * len(rows)
    weights: list[np.ndarray] = [np.empty(0)] * len(rows)
    batches = similar_lengths(row_lengths(rows), BUCKET_LENGTHS, BATCH_SIZE)
    for num_steps, chosen in track(batches, "classifying"):
        tokens, real = pad([rows[row] for row in chosen], num_steps)
        missing = power_of_two(len(chosen)) - len(chosen)
        tokens = np.pad(tokens, ((0, missing), (0, 0)))
        padded = np.pad(real, (0, missing), constant_values=1)
        output = jax.device_get(_forward(model, multiple, params, tokens, padded))
        for position, row in enumerate(chosen):
            probabilities[row] = output[0][position]
            weights[row] = output[1][position, : real[position]]
    return Predictions(np.stack(probabilities), weights)


@partial(jax.jit, static_argnums=(0, 1))
def _forward(
    model: Model, multiple: bool, params: Params, tokens: Array, lengths: Array
) -> tuple[Array, Array]:
    """Probabilities [B, C] and weights [B, T]."""
    output = model.apply({"params": params}, tokens, lengths=lengths)
    link = jax.nn.sigmoid if multiple else jax.nn.softmax
    return link(output.logits), output.weights
