"""How every picture of the zoo is opened and saved; matplotlib is an extra."""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import Note, UserError
from zoo.whole_file import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito 2008: told apart by colour-blind people too. Each comes with its own marker.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SUFFIXES = (".png", ".svg", ".pdf")
# Fonts that are tried, where they are installed, for what the first one has no glyph for.
FONTS = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
)
_MISSING = re.compile(r"Glyph (\d+) \(.*\) missing from")


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

    Warns:
        Note: no installed font has a glyph for some characters, which are named once.
    """
    target = check_path(path)
    try:
        from matplotlib import font_manager, rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError(
            "pictures need matplotlib, which is not installed; "
            'type: pip install "recurrent-zoo[plots]"'
        ) from error
    installed = {font.name for font in font_manager.fontManager.ttflist}
    with rc_context({"font.family": [name for name in FONTS if name in installed]}):
        figure = Figure(figsize=size, layout="constrained")
        yield figure, figure.subplots(**subplots)
        with whole_file(target) as incomplete, _missing_glyphs_told_once():
            figure.savefig(incomplete, dpi=144)


@contextmanager
def _missing_glyphs_told_once() -> Iterator[None]:
    """Inside, matplotlib's warning for each character without a glyph is kept for one note."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    missing = ""
    for warning in caught:
        if match := _MISSING.match(str(warning.message)):
            missing += chr(int(match[1])) * (chr(int(match[1])) not in missing)
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, 1)
    if missing:
        warnings.warn(
            f"no installed font has a glyph for {', '.join(missing[:20])}; the picture shows boxes "
            "there. Install a font that has them, such as Noto Sans CJK for Chinese, Japanese and "
            "Korean",
            Note,
            stacklevel=4,
        )


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
