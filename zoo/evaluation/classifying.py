"""Labels of texts from a classifier, and how much each token contributed.

Axes: B rows of a call, T time, N texts, C labels.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, NamedTuple

import jax
import numpy as np
from jax import Array

from zoo.data.labeled_batching import cut_rows, encode_texts, pad
from zoo.data.labels import DEFAULT_THRESHOLD, Labels
from zoo.data.token_file import row_lengths
from zoo.errors import UserError
from zoo.evaluation.by_length import Shapes, read_by_length
from zoo.evaluation.classification import ClassificationScore, choose, score_probabilities
from zoo.given import given_list, given_texts
from zoo.models.output import Model
from zoo.models.trained import Checkpoint, Kind, ModelOrName, TokenAxes, require
from zoo.special_tokens import END
from zoo.types import Json, Params

CLASSIFIER = Kind("classifier", "classify", "evaluate_classifier")
SHAPES = Shapes(
    batch_size=64,
    lengths=(8, 16, 32, 64, 128, 256, 512),
    fine_lengths=(8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512),
)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrainedClassifier(Checkpoint):
    """A trained classifier.

    Attributes:
        labels: the labels that it chooses from.
        thresholds: float64[C], the probability that each label must reach if a text may have
            several, tuned on validation texts; 0.5 for every label if they were not tuned.
        max_tokens: the largest number of tokens that it reads of a text; 0 means all.
        cut: which part of a too long text is dropped: "end" or "middle".
    """

    kind = CLASSIFIER
    token_axes: ClassVar[TokenAxes] = {
        "embedding": ("tokens", 0),
        "head/output_kernel": ("labels", 1),
        "head/output_bias": ("labels", 0),
    }

    labels: Labels
    thresholds: np.ndarray = dataclasses.field(default_factory=lambda: np.array(DEFAULT_THRESHOLD))
    max_tokens: int = 0
    cut: str = "end"

    def _inputs(self) -> str:
        several = ", any number per text" if self.labels.multiple else ""
        return f"{super()._inputs()}; {len(self.labels)} labels{several}"

    @property
    def vocabulary_record(self) -> Json:
        """Vocabulary and labels as plain JSON, as in vocabulary.json of a checkpoint."""
        return {"tokens": self.vocabulary.to_json(), "labels": self.labels.to_json()}

    @property
    def tokens(self) -> dict[str, Sequence[str]]:
        """The tokens and the labels by their ids."""
        return {"tokens": self.vocabulary.tokens, "labels": self.labels.names}


class Predictions(NamedTuple):
    """The output of a classifier for N texts.

    Attributes:
        probabilities: float32[N, C], the probability of each label.
        weights: float32[T] for each text, the weights of its tokens in pooling; they sum to one.
    """

    probabilities: np.ndarray
    weights: list[np.ndarray]


@dataclasses.dataclass(frozen=True)
class Classification:
    """The labels that a classifier gives a text, with probabilities and weights.

    Attributes:
        text: the text.
        labels: the chosen labels: one, or any number if a text may have several. The most probable
            label is the first.
        probabilities: the probability of every label; they sum to one unless a text may have
            several labels.
        tokens: the tokens that it read; the last token is the end, `</s>`.
        weights: the share of each token in the pooled vector; they sum to one.
        is_cut: whether a part of the text was not read because the text is too long.
    """

    text: str
    labels: tuple[str, ...]
    probabilities: dict[str, float] = dataclasses.field(hash=False)
    tokens: tuple[str, ...]
    weights: tuple[float, ...]
    is_cut: bool = False

    def to_json(self) -> Json:
        """Returns the record as plain JSON types."""
        return dict(vars(self))


def classify(checkpoint: ModelOrName, texts: str | Sequence[str]) -> list[Classification]:
    """Predicts the labels of texts. An empty text is allowed: the classifier reads only its end.

    Args:
        checkpoint: a classifier from `zoo.load`, or a name that `zoo.load` accepts.
        texts: a list of texts, or one text.

    Returns:
        A record for each text, in order. It does not depend on the other texts.

    Raises:
        UserError: if the checkpoint is not a classifier.

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
    rows, is_cut, found = _read(trained, texts)
    chosen = choose(found.probabilities, labels, trained.thresholds)
    order = np.argsort(-found.probabilities, axis=1, kind="stable")
    return [
        Classification(
            text=text,
            labels=tuple(labels.names[label] for label in ranked[is_chosen[ranked]].tolist()),
            probabilities=dict(zip(labels.names, probabilities, strict=True)),
            tokens=(*(vocabulary.tokens[token] for token in row[:-1].tolist()), END),
            weights=tuple(weights.tolist()),
            is_cut=cut,
        )
        for text, row, cut, weights, probabilities, ranked, is_chosen in zip(
            texts,
            rows,
            is_cut.tolist(),
            found.weights,
            found.probabilities.tolist(),
            order,
            chosen,
            strict=True,
        )
    ]


def evaluate_classifier(
    checkpoint: ModelOrName, texts: Sequence[str], labels: Sequence[str | Sequence[str]]
) -> ClassificationScore:
    """Measures how well a classifier labels texts whose labels are known.

    Args:
        checkpoint: a classifier from `zoo.load`, or a name that `zoo.load` accepts.
        texts: N texts.
        labels: the list of labels of each text, or the label itself if each text has one.

    Raises:
        UserError: if the checkpoint is not a classifier, a label is unknown to it, or there is no
            text.
    """
    trained = require(checkpoint, TrainedClassifier)
    texts, rows = given_list(texts, "texts"), given_list(labels, "labels")
    given_texts(texts)
    if not texts or len(texts) != len(rows):
        raise UserError(
            f"there are {len(texts)} texts and labels for {len(rows)} texts; give at least one "
            "text, and labels for each text"
        )
    given = [given_texts(own, "labels") for own in rows]
    if not trained.labels.multiple and any(len(own) != 1 for own in given):
        raise UserError(f"{trained.name} gives each text one label; give one label for each text")
    targets = trained.labels.encode(given)
    *_, found = _read(trained, texts)
    return score_probabilities(found.probabilities, targets, trained.labels, trained.thresholds)


def _read(
    checkpoint: TrainedClassifier, texts: Sequence[str]
) -> tuple[Sequence[np.ndarray], np.ndarray, Predictions]:
    """Returns the tokens of each text, whether it was cut, bool[N], and the predictions."""
    whole = encode_texts(checkpoint.vocabulary, texts)
    rows = cut_rows(whole, checkpoint.max_tokens, checkpoint.cut)
    is_cut = row_lengths(whole) > row_lengths(rows)
    multiple = checkpoint.labels.multiple
    return rows, is_cut, predict(checkpoint.model, checkpoint.params, rows, multiple=multiple)


def predict(
    model: Model, params: Params, rows: Sequence[np.ndarray], *, multiple: bool
) -> Predictions:
    """Returns the label probabilities of N texts, which are read in batches of similar length.

    Args:
        model: a classifier.
        params: its parameters.
        rows: int32[T] tokens of each text, from `encode_texts`.
        multiple: whether a text may have several labels.
    """

    def read(num_steps: int, numbers: np.ndarray) -> tuple[Array, Array]:
        tokens, lengths = pad([rows[number] for number in numbers], num_steps)
        return _forward(model, multiple, params, tokens, lengths)

    found = read_by_length(read, row_lengths(rows), SHAPES, params, what="classifying")
    return Predictions(
        np.stack([probabilities for probabilities, _ in found]),
        [weights[: len(row)] for (_, weights), row in zip(found, rows, strict=True)],
    )


@partial(jax.jit, static_argnums=(0, 1))
def _forward(
    model: Model, multiple: bool, params: Params, tokens: Array, lengths: Array
) -> tuple[Array, Array]:
    """Returns probabilities [B, C] and weights [B, T]."""
    output = model.apply({"params": params}, tokens, lengths=lengths)
    link = jax.nn.sigmoid if multiple else jax.nn.softmax
    return link(output.logits), output.weights
