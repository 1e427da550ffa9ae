"""The picture of which language model predicts which token of a sentence best."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.diagnostics.pictures import num_columns, parts, picture, visible
from zoo.evaluation.interpolation import Winners

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.patches import Rectangle

_MOST_ACROSS = 20  # tokens; more go on in a panel below


def draw_winners(path: os.PathLike[str] | str, winners: Winners, names: Sequence[str]) -> None:
    """Draws the probability of every token by every model; the best one of each is framed.

    More than 20 tokens go on in further panels below.

    Args:
        path: the picture's file.
        winners: what `find_winners` gives.
        names: of the models.
    """
    probs = np.exp(np.vstack([winners.log_probabilities, winners.mixture]))
    labels, tokens = [*names, "mixture"], [*map(visible, winners.tokens)]
    num_rows, num_tokens = probs.shape
    panels = parts(num_tokens, _MOST_ACROSS)
    across = panels[0].stop
    width = max(6.0, 0.12 * max(map(len, labels)) + 0.55 * across + 1.5)
    height = 0.5 + 0.45 * num_rows + 0.09 * max(map(num_columns, tokens))
    size = (width, 0.5 + height * len(panels))
    with picture(path, size, nrows=len(panels), squeeze=False) as (figure, axes):
        for axis, part in zip(axes[:, 0], panels, strict=True):
            image = _draw_panel(axis, probs[:, part], winners.winner[part])
            axis.set_xticks(range(len(tokens[part])), tokens[part], rotation=60, ha="right")
            axis.set_yticks(range(num_rows), labels)
            axis.set_xlim(-0.5, across - 0.5)
        axes[0, 0].set_title("probability of each token (framed: the best model's)", fontsize=10)
        bar = figure.colorbar(image, ax=axes, ticks=[-5, -4, -3, -2, -1, 0])
        bar.ax.set_yticklabels(["0.00001", "0.0001", "0.001", "0.01", "0.1", "1"])


def _draw_panel(axes: "Axes", probs: np.ndarray, best: np.ndarray) -> "AxesImage":
    """Draws the probabilities of some tokens by every model and their mixture."""
    shown = np.log10(np.maximum(probs, 1e-6))
    image = axes.imshow(shown, cmap="Blues", vmin=-5, vmax=0, aspect="auto")
    for row, column in np.ndindex(*probs.shape):
        colour = "white" if shown[row, column] > -2.6 else "black"
        text = _short(float(probs[row, column]))
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    for column, winner in enumerate(best):
        axes.add_patch(_frame(column, winner))
    axes.axhline(len(probs) - 1.5, color="black", linewidth=0.8)
    axes.spines[["right"]].set_visible(False)
    return image


def _short(probability: float) -> str:
    """Returns a short text with two significant digits.

    Example:
        >>> _short(0.1234), _short(0.0012), _short(0.0000012)
        ('.12', '.0012', '1e-06')
    """
    if probability < 1e-4:
        return f"{probability:.0e}"
    return f"{probability:.2g}".removeprefix("0")


def _frame(column: int, row: int) -> "Rectangle":
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.48, row - 0.47), 0.96, 0.94, fill=False, edgecolor="#D55E00", lw=2)
