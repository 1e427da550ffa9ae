"""The picture of which language model predicts which token of a sentence best."""

import os
from collections.abc import Sequence

import numpy as np

from zoo.diagnostics.pictures import picture
from zoo.evaluation.interpolation import Winners


def draw_winners(path: os.PathLike[str] | str, winners: Winners, names: Sequence[str]) -> None:
    """Draws the probability of every token by every model; the best one of each is framed.

    Args:
        path: the picture's file.
        winners: what `find_winners` gives.
        names: of the models.
    """
    probs = np.exp(np.vstack([winners.log_probabilities, winners.mixture]))
    labels = [*names, "mixture"]
    num_rows, num_tokens = probs.shape
    longest = max(map(len, winners.tokens))
    width = max(6.0, 0.12 * max(map(len, labels)) + 0.55 * num_tokens + 1.5)
    with picture(path, (width, 1.0 + 0.45 * num_rows + 0.09 * longest)) as (figure, axes):
        shown = np.log10(np.maximum(probs, 1e-6))
        image = axes.imshow(shown, cmap="Blues", vmin=-5, vmax=0, aspect="auto")
        for row, column in np.ndindex(num_rows, num_tokens):
            colour = "white" if shown[row, column] > -2.6 else "black"
            text = _short(probs[row, column])
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
        for column, winner in enumerate(winners.winner):
            axes.add_patch(_frame(column, winner))
        axes.axhline(num_rows - 1.5, color="black", linewidth=0.8)
        tokens = [token.replace(" ", "\N{OPEN BOX}") for token in winners.tokens]
        axes.set_xticks(range(num_tokens), tokens, rotation=60, ha="right")
        axes.set_yticks(range(num_rows), labels)
        axes.set_title("probability of each token (framed: the best model's)", fontsize=10)
        bar = figure.colorbar(image, ax=axes, ticks=[-5, -4, -3, -2, -1, 0])
        bar.ax.set_yticklabels(["0.00001", "0.0001", "0.001", "0.01", "0.1", "1"])


def _short(probability: float) -> str:
    """Two digits that matter, in little room.

    Example:
        >>> _short(0.1234), _short(0.0012), _short(0.0000012)
        ('.12', '.0012', '1e-06')
    """
    if probability < 1e-4:
        return f"{probability:.0e}"
    return f"{probability:.2g}".removeprefix("0")


def _frame(column: int, row: int) -> object:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.48, row - 0.47), 0.96, 0.94, fill=False, edgecolor="#D55E00", lw=2)
