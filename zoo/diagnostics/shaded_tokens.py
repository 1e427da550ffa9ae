"""Pictures of a text with shaded tokens: shares of a pooled vector, and attributions."""

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from zoo.diagnostics.pictures import COLOURS, num_columns, picture, visible
from zoo.evaluation.attribution import Attribution
from zoo.evaluation.classifying import Classification

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE_WIDTH = 88  # columns of a character each
_FOR, _AGAINST = COLOURS[0], COLOURS[1]
_POOLED = (
    "share of each token in the pooled vector (darker: more); "
    "it does not say for which label the token speaks"
)
_ATTRIBUTED = {
    "leave_one_out": "log-probability that is lost when the token is left out",
    "integrated_gradients": "integrated gradient of the log-probability",
}


class _Block(NamedTuple):
    """A text to draw: its title, its tokens, and the strength of each of them, from -1 to 1."""

    title: str
    tokens: Sequence[str]
    strengths: Sequence[float]


def draw_pooled_tokens(path: os.PathLike[str] | str, results: Sequence[Classification]) -> None:
    """Writes texts with each token shaded by its share in the pooled vector, and their labels.

    Args:
        path: the picture's file.
        results: what `zoo.classify` gives.
    """
    blocks = []
    for result in results:
        chosen = [f"{label} ({result.probabilities[label]:.2f})" for label in result.labels]
        blocks.append(
            _Block(", ".join(chosen) or "no label", result.tokens, _scaled(result.weights))
        )
    _draw(path, blocks, _POOLED)


def draw_attributions(path: os.PathLike[str] | str, found: Sequence[Attribution]) -> None:
    """Writes texts with each token shaded by its attribution: blue for the label, orange against.

    Each text is scaled by its largest attribution, which stands in its title.

    Args:
        path: the picture's file.
        found: what `zoo.attribute` gives.
    """
    blocks = []
    for one in found:
        largest = max(map(abs, one.scores), default=0.0)
        title = (
            f"{one.label} ({math.exp(one.log_probability):.2f}); largest attribution "
            f"{largest:.2f} nats"
        )
        blocks.append(_Block(title, one.tokens, _scaled(one.scores)))
    methods = " or ".join(_ATTRIBUTED[name] for name in sorted({one.method for one in found}))
    _draw(path, blocks, f"{methods} (blue: the token speaks for the label; orange: against it)")


def _scaled(values: Sequence[float]) -> list[float]:
    """Returns values with a largest size of 1."""
    largest = max(map(abs, values), default=0.0) or 1.0
    return [value / largest for value in values]


def _draw(path: os.PathLike[str] | str, blocks: Sequence[_Block], caption: str) -> None:
    lines_of = [_lines(block) for block in blocks]
    height = sum(len(lines) + 1.6 for lines in lines_of)
    with picture(path, (10, 0.4 + 0.26 * height)) as (_, axes):
        axes.set_xlim(0, _LINE_WIDTH)
        axes.set_ylim(height, 0)
        axes.axis("off")
        at = 0.8
        for block, lines in zip(blocks, lines_of, strict=True):
            axes.text(0, at, block.title, fontsize=10, weight="bold", va="center")
            for line in lines:
                at += 1
                for column, token, strength in line:
                    _draw_token(axes, column, at, token, strength)
            at += 1.6
        axes.set_title(caption, fontsize=9, loc="left")


def _draw_token(axes: "Axes", column: int, at: float, token: str, strength: float) -> None:
    from matplotlib.patches import Rectangle

    width = num_columns(token)
    box = Rectangle(
        (column - 0.3, at - 0.45),
        width + 0.6,
        0.9,
        facecolor=_FOR if strength > 0 else _AGAINST,
        alpha=0.85 * abs(strength),
    )
    axes.add_patch(box)
    axes.text(
        column + width / 2,
        at,
        token,
        family="monospace",
        fontsize=9,
        ha="center",
        va="center",
        color="white" if strength > 0.6 else "black",
    )


def _lines(block: _Block) -> list[list[tuple[int, str, float]]]:
    """Returns the tokens broken into lines, each with its column and strength."""
    lines: list[list[tuple[int, str, float]]] = [[]]
    column = 1
    for token, strength in zip(block.tokens, block.strengths, strict=True):
        shown = visible(token)
        if column + num_columns(shown) > _LINE_WIDTH and lines[-1]:
            lines.append([])
            column = 1
        lines[-1].append((column, shown, strength))
        column += num_columns(shown) + 1
    return lines
