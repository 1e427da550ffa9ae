"""The picture of which labels a classifier takes for which."""

import os

import numpy as np

from zoo.diagnostics.pictures import picture
from zoo.errors import UserError
from zoo.evaluation.classification import ClassificationScore
from zoo.evaluation.confusion import shown_confusion


def draw_confusion(path: os.PathLike[str] | str, score: ClassificationScore) -> None:
    """Draws the confusion matrix; each row is shaded by the part of the row's texts.

    If there are many labels, only the most confused labels have rows of their own, see
    `zoo.evaluation.confusion.shown_confusion`.

    Args:
        path: the picture's file.
        score: the result of `evaluate_classifier`.

    Raises:
        UserError: Texts may have several labels, so there is no confusion matrix.
    """
    if score.confusion is None:
        raise UserError("texts may have several labels, so none is taken for another; no picture")
    names, counts, _ = shown_confusion([row.label for row in score.by_label], score.confusion)
    part = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(4.0, 0.42 * len(names)) + 0.085 * max(map(len, names))
    with picture(path, (side + 0.6, side)) as (figure, axes):
        image = axes.imshow(part, cmap="Blues", vmin=0, vmax=1)
        for row, column in zip(*np.nonzero(counts), strict=True):
            axes.text(
                column,
                row,
                str(counts[row, column]),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if part[row, column] > 0.6 else "black",
            )
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("chosen")
        axes.set_ylabel("true")
        figure.colorbar(image, ax=axes, shrink=0.7, label="part of the row")
