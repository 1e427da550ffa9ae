"""The figures of the report on a classifier, as plain JSON; see `zoo.diagnostics.figures`.

Axes: N texts, C labels.
"""

from collections.abc import Sequence

import numpy as np

from zoo.data.labels import Labels
from zoo.diagnostics.figures import Figure
from zoo.evaluation.classification import ClassificationScore, choose
from zoo.evaluation.confusion import confused_pairs, shown_confusion

_MOST_EXAMPLES = 20
_LONGEST_TEXT = 300  # characters of an example


def classification_figures(
    score: ClassificationScore,
    probabilities: np.ndarray,
    targets: np.ndarray,
    labels: Labels,
    thresholds: np.ndarray,
    texts: Sequence[str],
) -> list[Figure]:
    """Returns the scores of each label, the confusions, and the hardest examples.

    Args:
        score: the score on the N texts.
        probabilities: float[N, C].
        targets: float[N, C], 1 where a text has the label.
        labels: the C labels.
        thresholds: float[C], see `zoo.evaluation.classification.choose`.
        texts: the N texts.
    """
    truth = targets > 0
    chosen = choose(probabilities, labels, thresholds)
    figures = [_label_table(score)]
    if score.confusion is not None:
        figures.append(confusion_figure(score))
    figures.append(_pairs_table(labels, truth, chosen))
    figures.append(_hardest_table(labels, probabilities, truth, chosen, texts))
    return [figure for figure in figures if figure.get("rows")]


def _label_table(score: ClassificationScore) -> Figure:
    """Precision, recall and F1 of each label, the label with the lowest F1 first."""
    rows = sorted(score.by_label, key=lambda row: row.f1)
    return {
        "kind": "table",
        "title": "Scores of each label, the lowest F1 first",
        "columns": ["label", "precision", "recall", "F1", "texts"],
        "rows": [
            [row.label, *(f"{value:.3f}" for value in row[1:4]), f"{row.support:,}"] for row in rows
        ],
    }


def confusion_figure(score: ClassificationScore) -> Figure:
    """Returns the confusion matrix, see `zoo.evaluation.confusion.shown_confusion`.

    Args:
        score: the score of a classifier that gives each text one label.

    Example:
        >>> from zoo.evaluation.classification import LabelScore
        >>> rows = (LabelScore("no", 1.0, 0.5, 2 / 3, 2), LabelScore("yes", 0.5, 1.0, 2 / 3, 1))
        >>> counts = np.array([[1, 1], [0, 1]])
        >>> score = ClassificationScore(3, 0.5, 2 / 3, 2 / 3, 2 / 3, 0.1, 2 / 3, rows, counts)
        >>> figure = confusion_figure(score)
        >>> figure["values"], figure["texts"]
        ([[0.5, 0.5], [0.0, 1.0]], [['1', '1'], ['', '1']])
    """
    assert score.confusion is not None
    names, counts, num_hidden = shown_confusion(
        [row.label for row in score.by_label], score.confusion
    )
    part = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    of = f" of the {len(names) - 1} most confused labels" if num_hidden else ""
    return {
        "kind": "heat_map",
        "title": f"Confusion matrix{of}: texts of the label at the left that got the label above",
        "rows": list(names),
        "columns": list(names),
        "values": part.tolist(),
        "texts": [[str(count) if count else "" for count in row] for row in counts.tolist()],
    }


def _pairs_table(labels: Labels, truth: np.ndarray, chosen: np.ndarray) -> Figure:
    pairs = confused_pairs(labels.names, truth, chosen)
    return {
        "kind": "table",
        "title": "Most confused pairs of labels",
        "columns": ["right label", "chosen label", "texts", "share of label"],
        "rows": [
            [pair.label, pair.chosen, f"{pair.num_texts:,}", f"{pair.num_texts / pair.support:.0%}"]
            for pair in pairs
        ],
    }


def _hardest_table(
    labels: Labels,
    probabilities: np.ndarray,
    truth: np.ndarray,
    chosen: np.ndarray,
    texts: Sequence[str],
) -> Figure:
    """Returns the wrongly labelled texts whose right labels got the lowest probability."""
    of_truth = np.where(truth, probabilities, 1 - probabilities if labels.multiple else 1.0)
    nats = -np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).sum(axis=1)
    wrong = np.flatnonzero((truth != chosen).any(axis=1))
    hardest = wrong[np.argsort(-nats[wrong], kind="stable")][:_MOST_EXAMPLES]
    rows = [
        [
            _shortened(texts[text]),
            _names(labels, truth[text]),
            _names(labels, chosen[text]),
            f"{np.exp(-nats[text]):.2g}",
        ]
        for text in hardest
    ]
    return {
        "kind": "table",
        "title": "Hardest examples of the validation split",
        "columns": ["text", "right", "chosen", "probability of what is right"],
        "rows": rows,
    }


def _names(labels: Labels, is_there: np.ndarray) -> str:
    return ", ".join(labels.names[label] for label in np.flatnonzero(is_there)) or "no label"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]} ..."
