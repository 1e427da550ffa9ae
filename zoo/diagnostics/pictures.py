"""How every picture of the zoo is opened and saved; matplotlib is an extra."""

import os
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.diagnostics.fonts import choose_fonts, tell_missing_glyphs
from zoo.errors import UserError
from zoo.whole_file import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito 2008: told apart by colour-blind people too. Each comes with its own marker.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SUFFIXES = (".png", ".svg", ".pdf")
_LONGEST_TOKEN = 40  # characters
# Fonts that are tried, where they are installed, for what the first one has no glyph for.
FONTS = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans SC",
    "Noto Sans JP",
    "Noto Sans KR",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "IPAGothic",
    "Arial Unicode MS",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
)


@contextmanager
def picture(
    path: os.PathLike[str] | str, size: tuple[float, float], **subplots: Any
) -> Iterator[tuple["Figure", Any]]:
    """Yields a figure and its axes, and saves the figure if the block ends without an error.

    Args:
        path: the file, whose name ends with .png, .svg or .pdf. It is never left half written.
        size: the width and the height in inches.
        **subplots: the arguments of `Figure.subplots`.

    Raises:
        UserError: matplotlib is not installed, or the file cannot be written.

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
    families = [name for name in FONTS if name in installed]
    with rc_context({"font.family": families}):
        figure = Figure(figsize=size, layout="constrained")
        yield figure, figure.subplots(**subplots)
        _take_literally(figure)
        tell_missing_glyphs(choose_fonts(figure, families))
        with whole_file(target) as incomplete, _without_glyph_warnings():
            figure.savefig(incomplete, dpi=144)


def _take_literally(figure: "Figure") -> None:
    """Lets tokens and labels with dollar signs be drawn as they are, and not as formulas."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        own = text.get_text()
        if own and not own.startswith("$\\mathdefault{"):  # the numbers of an axis
            text.set_parse_math(False)


@contextmanager
def _without_glyph_warnings() -> Iterator[None]:
    """Inside, matplotlib does not warn of each character without a glyph, which was told before."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from")
        yield


def check_path(path: os.PathLike[str] | str) -> Path:
    """Returns the path of a picture after a check, which comes before the work for the picture.

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


def visible(token: str) -> str:
    """Returns a token as pictures show it: spaces at its start have a sign, and its end may be cut.

    A subword that begins a word begins with a space, so that the sign marks the starts of words.

    Example:
        >>> visible(" net"), visible("work"), visible("")
        ('\u2423net', 'work', '\u2205')
    """
    rest = token.lstrip(" ")
    shown = "\N{OPEN BOX}" * (len(token) - len(rest)) + rest
    if len(shown) > _LONGEST_TOKEN:
        shown = shown[: _LONGEST_TOKEN - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return shown or "\N{EMPTY SET}"


def num_columns(text: str) -> int:
    """Returns how many columns a text takes in a font of fixed width.

    Example:
        >>> num_columns("net"), num_columns("\u7db2")
        (3, 2)
    """
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide


def parts(number: int, most: int) -> list[slice]:
    """Returns slices of nearly equal length that cut columns into panels, one below the other.

    Args:
        number: of columns.
        most: the largest number of columns of a panel.

    Example:
        >>> parts(5, 4), parts(2, 4)
        ([slice(0, 3, None), slice(3, 5, None)], [slice(0, 2, None)])
    """
    num_panels = max(1, -(-number // most))  # rounded up, as the length is
    length = max(1, -(-number // num_panels))
    return [slice(start, min(start + length, number)) for start in range(0, number, length)]
