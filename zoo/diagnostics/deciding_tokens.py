"""The picture of which tokens a classifier's decision is made of."""

import os
from collections.abc import Sequence

from zoo.diagnostics.pictures import picture
from zoo.evaluation.classifying import Classification

_LINE_WIDTH = 88  # characters


def draw_deciding_tokens(path: os.PathLike[str] | str, results: Sequence[Classification]) -> None:
    """Writes texts with each token shaded by its weight, and their labels above.

    Args:
        path: the picture's file.
        results: what `zoo.classify` gives.
    """
    blocks = [_lines(result) for result in results]
    height = sum(len(lines) + 1.6 for lines in blocks)
    with picture(path, (10, 0.4 + 0.26 * height)) as (_, axes):
        axes.set_xlim(0, _LINE_WIDTH)
        axes.set_ylim(height, 0)
        axes.axis("off")
        at = 0.8
        for result, lines in zip(results, blocks, strict=True):
            axes.text(0, at, _title(result), fontsize=10, weight="bold", va="center")
            highest = max(result.weights)
            for line in lines:
                at += 1
                for column, token, weight in line:
                    _draw_token(axes, column, at, token, weight / highest)
            at += 1.6
        axes.set_title(
            "how much of the pooled vector comes from each token (darker: more)",
            fontsize=9,
            loc="left",
        )


def _draw_token(axes: object, column: int, at: float, token: str, strength: float) -> None:
    from matplotlib.patches import Rectangle

    box = Rectangle(
        (column - 0.3, at - 0.45), len(token) + 0.6, 0.9, facecolor="#0072B2", alpha=0.85 * strength
    )
    axes.add_patch(box)  # type: ignore[attr-defined]
    axes.text(  # type: ignore[attr-defined]
        column + len(token) / 2,
        at,
        token,
        family="monospace",
        fontsize=9,
        ha="center",
        va="center",
        color="white" if strength > 0.6 else "black",
    )


def _title(result: Classification) -> str:
    chosen = [f"{label} ({result.probabilities[label]:.2f})" for label in result.labels]
    return ", ".join(chosen) or "no label"


def _lines(result: Classification) -> list[list[tuple[int, str, float]]]:
    """The tokens broken into lines, each with its column and weight."""
    lines: list[list[tuple[int, str, float]]] = [[]]
    column = 1
    for token, weight in zip(result.tokens, result.weights, strict=True):
        if column + len(token) > _LINE_WIDTH and lines[-1]:
            lines.append([])
            column = 1
        lines[-1].append((column, token, weight))
        column += len(token) + 1
    return lines
