"""The picture of vanishing gradients: norms of dL_T/dh_t against the distance T - t."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.diagnostics.gradient_flow import GradientFlow
from zoo.diagnostics.pictures import COLOURS, MARKERS, picture, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_flows(
    path: os.PathLike[str] | str, panels: Mapping[str, Mapping[str, GradientFlow]]
) -> None:
    """Draws flows side by side, on one logarithmic scale.

    Lines show the top layer's h_t. Thin lines of the same colour show lower layers, dashed lines an
    LSTM's memory c_t. A vertical bar marks where the truncation of training cuts the gradient off.

    Args:
        path: the file of the picture.
        panels: by the title of each panel, flows by the name of their model.
    """
    size = (5.2 * len(panels) + 2.2, 4.0)
    with picture(path, size, ncols=len(panels), squeeze=False, sharey=True) as (_, axes):
        for axis, (title, flows) in zip(axes[0], panels.items(), strict=True):
            for index, (name, flow) in enumerate(flows.items()):
                _draw_flow(axis, name, flow, index)
            axis.set_yscale("log")
            axis.set_title(title, fontsize=10)
            axis.set_xlabel("steps back, T - t")
            tidy(axis)
        axes[0, 0].set_ylabel("norm of $\\partial L_T / \\partial h_t$")
        low, high = axes[0, 0].get_ylim()
        axes[0, 0].set_ylim(max(low, high * 1e-12), high)
        _legend(axes[0])


def _draw_flow(axis: "Axes", name: str, flow: GradientFlow, index: int) -> None:
    colour = COLOURS[index % len(COLOURS)]
    distance = np.arange(flow.hidden.shape[1])
    every = max(1, len(distance) // 8)
    *lower, top = flow.hidden
    for norms in lower:
        axis.plot(distance, _positive(norms), color=colour, linewidth=0.8)
    marker = MARKERS[index % len(MARKERS)]
    axis.plot(
        distance, _positive(top), color=colour, marker=marker, markevery=every, ms=4, label=name
    )
    if flow.memory is not None:
        label = f"{name}, memory $c_t$"
        axis.plot(distance, _positive(flow.memory[-1]), color=colour, linestyle="--", label=label)
    if flow.reach < len(distance) - 1:
        axis.axvline(flow.reach - 0.5, color=colour, linestyle=":", linewidth=1.4)
        axis.annotate(
            f"training stops: {flow.reach}",
            (flow.reach - 0.4, 0.02 + 0.06 * index),
            xycoords=("data", "axes fraction"),
            color=colour,
            fontsize=8,
        )


def _legend(axes: Sequence["Axes"]) -> None:
    """Draws one legend for all panels, beside the last panel, where it covers nothing."""
    lines = [line for axis in axes for line in axis.get_legend_handles_labels()[0]]
    by_name = {str(line.get_label()): line for line in lines}
    axes[-1].legend(
        by_name.values(),
        by_name.keys(),
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        fontsize=8,
        frameon=False,
    )


def _positive(norms: np.ndarray) -> np.ndarray:
    """Replaces zeros, which have no logarithm, by NaN, which is not drawn."""
    return np.where(norms > 0, norms, np.nan)
