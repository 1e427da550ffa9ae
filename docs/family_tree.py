"""Draws the family tree of the zoo's cells: `python docs/family_tree.py docs/pictures/cells.png`.

Each cell stands in the year of its paper and in the row of its family. An arrow leads from each
cell to the cells that were developed from it.
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))  # for a checkout that is not installed

from zoo.diagnostics.pictures import COLOURS, picture


class Kin(NamedTuple):
    """Cells of one paper in the tree.

    Attributes:
        year: the year of the paper.
        row: the row of the family, from the top.
        names: the names in configs.
        parents: the first names of the cells that the paper changed.
    """

    year: int
    row: int
    names: tuple[str, ...]
    parents: tuple[str, ...] = ()


FAMILIES = (
    "a recurrent\nmatrix",
    "more is seen\nand scaled",
    "gates without a\nrecurrent matrix",
    "state spaces",
    "the state\nis a matrix",
    "the matrix\nis corrected",
)
TREE = (
    Kin(1990, 0, ("elman", "elman_relu", "elman_logistic")),
    Kin(1997, 0, ("lstm",), ("elman",)),
    Kin(2014, 0, ("gru",), ("lstm",)),
    Kin(2024, 0, ("slstm",), ("lstm",)),
    Kin(2002, 1, ("peephole_lstm",), ("lstm",)),
    Kin(2020, 1, ("mogrifier_lstm", "mogrifier_gru", "mogrifier_elman"), ("lstm",)),
    Kin(2017, 2, ("qrnn",), ("lstm",)),
    Kin(2018, 2, ("sru",), ("qrnn",)),
    Kin(2024, 2, ("min_gru", "min_lstm", "rg_lru"), ("sru", "lru")),
    Kin(2022, 3, ("s4d",)),
    Kin(2023, 3, ("lru", "s5", "s6"), ("s4d",)),
    Kin(2020, 4, ("linear_attention",)),
    Kin(2023, 4, ("retnet",), ("linear_attention",)),
    Kin(2024, 4, ("gla", "mlstm"), ("retnet",)),
    Kin(2021, 5, ("delta_net",), ("linear_attention",)),
    Kin(
        2025,
        5,
        ("gated_delta_net", "gated_delta_net_signed", "delta_net_signed", "rwkv7"),
        ("delta_net", "gla"),
    ),
)
YEARS = sorted({kin.year for kin in TREE})  # years without a cell take no room


def main() -> None:
    """Draws the picture into the file that the command names."""
    with picture(sys.argv[1], (12.5, 5.2)) as (_, axes):
        boxes = {kin.names[0]: draw_kin(axes, kin) for kin in TREE}
        for kin in TREE:
            for parent in kin.parents:
                draw_arrow(axes, boxes[parent], boxes[kin.names[0]])
        axes.set_xticks(range(len(YEARS)), YEARS)
        axes.set_yticks(range(len(FAMILIES)), FAMILIES)
        axes.set_xlim(-0.7, len(YEARS) - 0.2)
        axes.set_ylim(len(FAMILIES) - 0.4, -0.7)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)


def draw_kin(axes: Any, kin: Kin) -> Any:
    """Draws the box with the names of a paper's cells, and returns it."""
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": COLOURS[kin.row]}
    style = {"ha": "center", "va": "center", "fontsize": 8, "bbox": box}
    return axes.text(YEARS.index(kin.year), kin.row, "\n".join(kin.names), **style)


def draw_arrow(axes: Any, start: Any, end: Any) -> None:
    """Draws an arrow between two boxes; it bends around a box that is in the way."""
    (start_column, row), (column, end_row) = start.get_position(), end.get_position()
    slope = (end_row - row) / (column - start_column)
    places = [(YEARS.index(kin.year), kin.row) for kin in TREE]
    is_blocked = any(
        start_column < at < column and abs(row + slope * (at - start_column) - kin_row) < 0.35
        for at, kin_row in places
    )
    bend = (-0.06 if row == end_row else -0.25) if is_blocked else 0.0
    look = {"arrowstyle": "-|>", "color": COLOURS[row], "connectionstyle": f"arc3,rad={bend}"}
    ends = {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()}
    arrow = look | ends | {"shrinkA": 0, "shrinkB": 1}
    axes.annotate("", end.get_position(), start.get_position(), arrowprops=arrow, zorder=0)


if __name__ == "__main__":
    main()
