"""Scores of a classifier: accuracy, F1, confusion matrix, calibration, and thresholds.

    precision_c = TP_c / (TP_c + FP_c)        recall_c = TP_c / (TP_c + FN_c)
    F1_c        = 2 TP_c / (2 TP_c + FP_c + FN_c)
    macro F1    = mean of F1_c over the labels that occur in the texts or in the predictions
    micro F1    = 2 TP / (2 TP + FP + FN), each summed over all labels
    ECE         = sum_m (n_m / n) | right_m - confidence_m |

The expected calibration error (Guo et al. 2017, eq. 3) compares, in 15 bins of equal width, the
classifier's confidence with how often it is right. If a text has one label, the confidence is the
probability of the chosen label. If it may have several, every label's probability counts, and the
accuracy is the fraction of texts with all labels right.

Axes: N texts, C labels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.labels import DEFAULT_THRESHOLD, Labels
from zoo.types import Json

NUM_BINS = 15


class LabelScore(NamedTuple):
    """The scores of one label; `support` is the number of texts that have it."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class ClassificationScore(NamedTuple):
    """Scores of a classifier on N texts; the equations stand at the top of this file.

    Attributes:
        num_examples: N.
        nats_per_text: mean negative log-probability of the labels.
        accuracy, macro_f1, micro_f1, calibration_error: as above.
        majority_accuracy: accuracy of always choosing the most frequent label in training.
        by_label: a row for each label.
        confusion: int[C, C], the confusion matrix: the number of texts of label i for which j was
            chosen. None if a text may have several labels.
    """

    num_examples: int
    nats_per_text: float
    accuracy: float
    macro_f1: float
    micro_f1: float
    calibration_error: float
    majority_accuracy: float
    by_label: tuple[LabelScore, ...]
    confusion: np.ndarray | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClassificationScore) and self.to_json() == other.to_json()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(tuple(self[:-1]))

    def to_json(self) -> Json:
        """Returns the scores by name, as plain JSON types."""
        return {
            **self._asdict(),
            "by_label": [row._asdict() for row in self.by_label],
            "confusion": None if self.confusion is None else self.confusion.tolist(),
        }


def choose(probabilities: np.ndarray, labels: Labels, thresholds: np.ndarray) -> np.ndarray:
    """Chooses the labels of each text, bool[N, C].

    Args:
        probabilities: float[N, C].
        labels: the labels. If a text has one label, the most probable label is chosen.
        thresholds: float[C]. If a text may have several labels, every label whose probability
            reaches its threshold is chosen.

    Example:
        >>> from zoo.data.labels import make_labels
        >>> labels = make_labels([["a"], ["b"]])
        >>> choose(np.array([[0.2, 0.8]]), labels, np.full(2, 0.5)).tolist()
        [[False, True]]
    """
    if labels.multiple:
        return probabilities >= thresholds
    return np.arange(len(labels)) == probabilities.argmax(axis=1)[:, None]


def score_probabilities(
    probabilities: np.ndarray, targets: np.ndarray, labels: Labels, thresholds: np.ndarray
) -> ClassificationScore:
    """Computes the scores of a classifier from its probabilities for N texts.

    Args:
        probabilities: float[N, C].
        targets: float[N, C], 1 if the text has the label.
        labels: the labels with their names.
        thresholds: float[C], see `choose`.
    """
    truth = targets > 0
    chosen = choose(probabilities, labels, thresholds)
    right = (chosen & truth).sum(axis=0)
    num_chosen, support = chosen.sum(axis=0), truth.sum(axis=0)
    f1 = _ratio(2 * right, num_chosen + support)
    occurs = num_chosen + support > 0
    precision, recall = _ratio(right, num_chosen), _ratio(right, support)
    columns = (precision.tolist(), recall.tolist(), f1.tolist(), support.tolist())
    confusion = None if labels.multiple else truth.T.astype(int) @ chosen.astype(int)
    return ClassificationScore(
        num_examples=len(targets),
        nats_per_text=_nats(probabilities, truth, labels),
        accuracy=float((chosen == truth).all(axis=1).mean()),
        macro_f1=float(f1[occurs].mean()) if occurs.any() else 0.0,
        micro_f1=float(_ratio(2 * right.sum(), num_chosen.sum() + support.sum())),
        calibration_error=calibration_error(*_confidences(probabilities, truth, labels)),
        majority_accuracy=_majority_accuracy(truth, labels),
        by_label=tuple(map(LabelScore, labels.names, *columns)),
        confusion=confusion,
    )


def choose_thresholds(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns the threshold with the highest F1 for each label; used on validation texts.

    Args:
        probabilities: float[N, C].
        targets: float[N, C].

    Returns:
        float[C], halfway between two neighbouring probabilities; 0.5 for a label without texts.

    Example:
        >>> probabilities = np.array([[0.9], [0.4], [0.2], [0.1]])
        >>> choose_thresholds(probabilities, np.array([[1], [1], [0], [0]])).round(6).tolist()
        [0.3]
    """
    thresholds = np.full(probabilities.shape[1], DEFAULT_THRESHOLD)
    for label, (column, truth) in enumerate(zip(probabilities.T, targets.T, strict=True)):
        if not truth.any():
            continue
        order = np.argsort(-column, kind="stable")
        values = np.append(column[order], 0.0)
        right = np.cumsum(truth[order])
        f1 = 2 * right / (np.arange(1, len(order) + 1) + truth.sum())
        f1[values[:-1] == values[1:]] = -1  # no threshold separates equal probabilities
        best = int(f1.argmax())
        thresholds[label] = (values[best] + values[best + 1]) / 2
    return thresholds


def calibration_error(confidences: np.ndarray, right: np.ndarray) -> float:
    """Returns the expected calibration error, see the top of this file.

    Args:
        confidences: float[M], from 0 to 1.
        right: bool[M].

    Example:
        >>> confidences, right = np.full(4, 0.9), np.array([1, 1, 1, 0]) > 0
        >>> round(calibration_error(confidences, right), 6)
        0.15
    """
    bins = np.clip((confidences * NUM_BINS).astype(int), 0, NUM_BINS - 1)
    gaps = np.bincount(bins, right.astype(float) - confidences, NUM_BINS)
    return float(np.abs(gaps).sum() / len(confidences))


def _confidences(
    probabilities: np.ndarray, truth: np.ndarray, labels: Labels
) -> tuple[np.ndarray, np.ndarray]:
    if labels.multiple:
        return probabilities.ravel(), truth.ravel()
    top = probabilities.argmax(axis=1)
    rows = np.arange(len(top))
    return probabilities[rows, top], truth[rows, top]


def _nats(probabilities: np.ndarray, truth: np.ndarray, labels: Labels) -> float:
    tiny = np.finfo(np.float32).tiny
    logs = np.where(truth, np.log(np.maximum(probabilities, tiny)), 0)
    if labels.multiple:
        logs = np.where(truth, logs, np.log(np.maximum(1 - probabilities, tiny)))
    return float(-logs.sum() / len(truth))


def _majority_accuracy(truth: np.ndarray, labels: Labels) -> float:
    """Returns the accuracy of always choosing the most frequent label in training, and no other."""
    always = np.arange(len(labels)) == np.argmax(labels.counts)
    return float((truth == always).all(axis=1).mean())


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Returns the quotient of two counts, with 0 / 0 = 0."""
    return numerator / np.maximum(denominator, 1)


def label_table(rows: Sequence[LabelScore]) -> str:
    """Returns a table with the scores of each label.

    Example:
        >>> from zoo.data.labels import make_labels
        >>> labels = make_labels([["no"], ["yes"]])
        >>> probabilities, targets = np.array([[0.9, 0.1], [0.8, 0.2]]), np.eye(2)
        >>> score = score_probabilities(probabilities, targets, labels, np.full(2, 0.5))
        >>> print(label_table(score.by_label))
        label  precision  recall      F1  texts
        no        0.5000  1.0000  0.6667      1
        yes       0.0000  0.0000  0.0000      1
    """
    scores = [(row.label, row.precision, row.recall, row.f1, row.support) for row in rows]
    return score_table("label", scores, "texts")


def score_table(
    what: str, rows: Sequence[tuple[str, float, float, float, int]], counted: str
) -> str:
    """Returns a table of names with their precision, recall and F1, and their counts.

    Args:
        what: the head of the column of names.
        rows: the name, precision, recall, F1 and count of each row.
        counted: the head of the column of counts.
    """
    width = max([len(what), *(len(row[0]) for row in rows)])
    lines = [f"{what:{width}}  precision  recall      F1  {counted}"]
    lines += [
        f"{name:{width}}  {precision:9.4f}  {recall:.4f}  {f1:.4f}  {number:{len(counted)}}"
        for name, precision, recall, f1, number in rows
    ]
    return "\n".join(lines)
