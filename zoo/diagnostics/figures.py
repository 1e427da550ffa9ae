"""What a run's report draws of its model, as plain JSON; `zoo.report.page` makes pictures of it.

{"kind": "lines", "title", "x_label", "y_label", "logarithmic", "series": [{"name", "x", "y"}]}
{"kind": "heat_map", "title", "rows", "columns", "values", "texts"}     values from 0 to 1
"""

import numpy as np

from zoo.decoding.translation import Translation
from zoo.diagnostics.gradient_flow import GradientFlow
from zoo.diagnostics.pictures import visible
from zoo.evaluation.classification import ClassificationScore
from zoo.types import Json

Figure = Json


def gradient_figure(flow: GradientFlow) -> Figure:
    """The norm of dL_T/dh_t against T - t, a curve for each layer."""
    kinds = {"h": flow.hidden} | ({} if flow.memory is None else {"c": flow.memory})
    series = []
    for kind, norms in kinds.items():
        for layer, values in enumerate(np.asarray(norms, np.float64)):
            distances = np.flatnonzero(values > 0)  # what is 0 has no logarithm
            name = f"{kind} of layer {layer + 1}" if len(norms) > 1 else kind
            x, y = distances.tolist(), values[distances].tolist()
            series.append({"name": name, "x": x, "y": y})
    return {
        "kind": "lines",
        "title": "Gradient through time: how much the last loss depends on earlier states",
        "x_label": "steps back, T - t",
        "y_label": "norm of the gradient",
        "logarithmic": True,
        "series": [one for one in series if one["x"]],
    }


def confusion_figure(score: ClassificationScore) -> Figure:
    """Which labels are taken for which; of texts with several labels, each label's scores.

    Example:
        >>> from zoo.evaluation.classification import LabelScore
        >>> rows = (LabelScore("no", 1.0, 0.5, 2 / 3, 2), LabelScore("yes", 0.5, 1.0, 2 / 3, 1))
        >>> counts = np.array([[1, 1], [0, 1]])
        >>> score = ClassificationScore(3, 0.5, 2 / 3, 2 / 3, 2 / 3, 0.1, 2 / 3, rows, counts)
        >>> figure = confusion_figure(score)
        >>> figure["values"], figure["texts"]
        ([[0.5, 0.5], [0.0, 1.0]], [['1', '1'], ['', '1']])
    """
    names = [row.label for row in score.by_label]
    if score.confusion is None:
        values = [[row.precision, row.recall, row.f1] for row in score.by_label]
        return {
            "kind": "heat_map",
            "title": "Scores of each label, in per cent",
            "rows": names,
            "columns": ["precision", "recall", "F1"],
            "values": values,
            "texts": [[f"{100 * value:.0f}" for value in row] for row in values],
        }
    counts = score.confusion
    part = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return {
        "kind": "heat_map",
        "title": "Texts of the label at the left for which that above was chosen",
        "rows": names,
        "columns": names,
        "values": part.tolist(),
        "texts": [[str(count) if count else "" for count in row] for row in counts.tolist()],
    }


def alignment_figure(translation: Translation) -> Figure | None:
    """Which source words each written word looked at; None without attention.

    A subword that begins a word begins with the sign of a space.
    """
    if translation.attention is None:
        return None
    return {
        "kind": "heat_map",
        "title": "Attention: from written words, at the left, to source words",
        "rows": [*map(visible, translation.tokens)],
        "columns": [*map(visible, translation.source_tokens)],
        "values": np.asarray(translation.attention, np.float64).round(4).tolist(),
        "texts": None,
    }
