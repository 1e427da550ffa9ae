"""How every picture of the zoo is opened and saved; matplotlib is an extra."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UserError
from zoo.whole_file import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito 2008: told apart by colour-blind people too. Each comes with its own marker.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SUFFIXES = (".png", ".svg", ".pdf")


@contextmanager
def picture(
    path: os.PathLike[str] | str, size: tuple[float, float], **subplots: Any
) -> Iterator[tuple["Figure", Any]]:
    """A figure and its axes; saved, whole or not at all, when the block ends without an error.

    Args:
        path: ends with .png, .svg or .pdf.
        size: width and height in inches.
        **subplots: what `Figure.subplots` takes.

    Raises:
        UserError: matplotlib is not installed, or the file can't be written.
    """
    target = check_path(path)
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError(
            "pictures need matplotlib, which is not installed; "
            'type: pip install "recurrent-zoo[plots]"'
        ) from error
    figure = Figure(figsize=size, layout="constrained")
    yield figure, figure.subplots(**subplots)
    with whole_file(target) as incomplete:
        figure.savefig(incomplete, dpi=144)


def check_path(path: os.PathLike[str] | str) -> Path:
    """Where a picture is to go; to be asked before the work that makes it.

    Raises:
        UserError: the name has no suffix of a picture, or there is no such directory.
    """
    target = Path(path).expanduser()
    if target.suffix not in SUFFIXES:
        raise UserError(f"{path} is no name for a picture; end it with {', '.join(SUFFIXES)}")
    if not target.parent.is_dir():
        raise UserError(f"cannot write {path}: there is no directory {target.parent}; make it")
    return target


def tidy(axes: "Axes") -> None:
    """Takes away the lines of a plot that carry nothing."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, alpha=0.25, linewidth=0.6)
