"""The picture of an alignment: which source words each target word was written from."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.decoding.translation import Translation
from zoo.diagnostics.pictures import num_columns, parts, picture, visible
from zoo.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_INCHES_A_WORD = 0.24
_MOST_ACROSS = 40  # words of the source; more go on in a panel below


def draw_alignment(path: os.PathLike[str] | str, translation: Translation) -> None:
    """Writes the heat map of a translation's attention: source words across, its own words down.

    A source of more than 40 words goes on in further panels below. Where words are cut into
    subwords, each subword that begins a word begins with the sign of a space.

    Args:
        path: the picture's file.
        translation: what `zoo.translate` gives.

    Raises:
        UserError: the model has no attention, or the text is empty.
    """
    weights = translation.attention
    if weights is None:
        raise UserError(
            "there is no alignment to draw: the text is empty, or the model has no attention "
            "(model.context=vector)"
        )
    num_target, num_source = weights.shape
    source, target = (
        [*map(visible, tokens)] for tokens in (translation.source_tokens, translation.tokens)
    )
    panels = parts(num_source, _MOST_ACROSS)
    longest = max(map(num_columns, source)), max(map(num_columns, target))
    across = panels[0].stop
    width = 1.6 + 0.09 * longest[1] + _INCHES_A_WORD * max(across, 8)
    height = 0.5 + 0.09 * longest[0] + _INCHES_A_WORD * num_target
    size = (width, 0.3 + height * len(panels))
    with picture(path, size, nrows=len(panels), squeeze=False) as (figure, axes):
        for axis, part in zip(axes[:, 0], panels, strict=True):
            image = _draw_panel(axis, weights[:, part], source[part], target)
            axis.set_xlim(-0.5, across - 0.5)  # so that a word is as wide in each panel
        shrink = min(1, 4 / size[1])
        figure.colorbar(image, ax=axes, label="attention", shrink=shrink, pad=0.02)


def _draw_panel(
    axes: "Axes", weights: np.ndarray, source: Sequence[str], target: Sequence[str]
) -> "AxesImage":
    """Draws the attention over some words of the source."""
    image = axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(np.arange(len(source)), source, rotation=90)
    axes.set_yticks(np.arange(len(target)), target)
    axes.tick_params(length=0, labelsize=9, top=True, labeltop=True, labelbottom=False)
    axes.set_xticks(np.arange(len(source) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(target) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#dddddd", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[["right", "bottom"]].set_visible(False)
    return image
