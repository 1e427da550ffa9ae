"""The picture of an alignment: which source words each target word was written from."""

import os

import numpy as np

from zoo.decoding.translation import Translation
from zoo.diagnostics.pictures import picture
from zoo.errors import UserError

_INCHES_A_WORD = 0.24


def draw_alignment(path: os.PathLike[str] | str, translation: Translation) -> None:
    """Writes the heat map of a translation's attention: source words across, its own words down.

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
    longest = max(map(len, translation.source_tokens)), max(map(len, translation.tokens))
    size = (
        1.6 + 0.09 * longest[1] + _INCHES_A_WORD * max(num_source, 8),
        0.8 + 0.09 * longest[0] + _INCHES_A_WORD * num_target,
    )
    with picture(path, size) as (figure, axes):
        image = axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(np.arange(num_source), translation.source_tokens, rotation=90)
        axes.set_yticks(np.arange(num_target), translation.tokens)
        axes.tick_params(length=0, labelsize=9, top=True, labeltop=True, labelbottom=False)
        axes.set_xticks(np.arange(num_source + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(num_target + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="#dddddd", linewidth=0.5)
        axes.tick_params(which="minor", length=0)
        figure.colorbar(image, ax=axes, label="attention", shrink=min(1, 4 / size[1]), pad=0.02)
