"""Curves and heat maps as SVG elements of a page, which gives them its colours, light or dark."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 12, 40
NUM_COLOURS = 6
_MOST_MARKS = 40  # a curve with more points than this has no marks that show numbers on hover
_MOST_POINTS = 800  # a curve with more points than this is thinned
_HALF, _STRONG = 0.61, 0.92  # texts of cells above these numbers change colour, dark or light
_CELL, _LETTER = 24, 6.7  # the sides of a heat map's cell and the width of a letter


class Series(NamedTuple):
    """A curve.

    Attributes:
        name: the name of the curve.
        x: the x of each point.
        y: the y of each point. It must be finite, and positive on a logarithmic axis.
        low: the lower edge of a band around the curve at each point; empty for no band.
        high: the upper edge of the band.
        colour: the number of the curve's colour; -1 for the curve's place in the chart.
        dashed: whether the line is dashed.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    colour: int = -1
    dashed: bool = False


def line_chart(
    series: Sequence[Series], x_label: str, y_label: str, *, logarithmic: bool = False
) -> str:
    """Returns a chart of curves over one x axis.

    Args:
        series: the curves; the first `NUM_COLOURS` of them have colours of their own.
        x_label: the title of the x axis.
        y_label: the title of the y axis, which is also the text for people who see no picture.
        logarithmic: whether the y axis is logarithmic.

    Example:
        >>> chart = line_chart([Series("loss", [1, 2], [3.0, 2.5])], "step", "nats")
        >>> chart.startswith('<svg class="chart"'), "loss" in chart
        (True, True)
    """
    thinned = [_thin(one) for one in series]
    xs = [x for one in thinned for x in one.x]
    ys = [y for one in thinned for y in (*one.y, *one.low, *one.high)]
    x_ticks = _ticks(min(xs), max(xs))
    y_ticks = _log_ticks(min(ys), max(ys)) if logarithmic else _ticks(min(ys), max(ys))
    across = _Axis(min(xs), max(xs), _LEFT, WIDTH - _RIGHT)
    low, high = min(*ys, y_ticks[0]), max(*ys, y_ticks[-1])
    up = _Axis(low, high, HEIGHT - _BOTTOM, _TOP, logarithmic)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(y_label)} by {escape(x_label)}">'
    ]
    for tick in y_ticks:
        y = up.place(tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" class="end">{_number(tick)}</text>')
    for tick in x_ticks:
        x, text = across.place(tick), _number(tick)
        x = min(x, WIDTH - _LETTER * len(text) / 2)  # the last number stays inside the picture
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - _BOTTOM + 16}" class="middle">{text}</text>')
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" class="middle">{escape(x_label)}</text>')
    for index, one in enumerate(thinned):
        colour = index if one.colour < 0 else one.colour
        parts += _curve(one, across, up, f"c{colour % NUM_COLOURS}")
    return "".join([*parts, "</svg>"])


class _Axis(NamedTuple):
    """An axis, which maps numbers to places in the picture."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, number: float) -> float:
        """Returns the place of a number."""
        low, high = self.low, self.high
        if self.logarithmic:
            number, low, high = math.log(number), math.log(low), math.log(high)
        part = (number - low) / (high - low) if high > low else 0.5
        return self.start + part * (self.end - self.start)


def _curve(series: Series, across: _Axis, up: _Axis, colour: str) -> list[str]:
    """Returns the band, the line and the marks of a curve."""
    xs = [across.place(x) for x in series.x]
    name = escape(series.name)
    parts = []
    if series.low:
        edge = _points(xs, series.low, up) + _points(xs, series.high, up)[::-1]
        parts.append(f'<polygon class="band {colour}" points="{" ".join(edge)}"/>')
    line, dashed = " ".join(_points(xs, series.y, up)), " dashed" if series.dashed else ""
    parts.append(
        f'<polyline class="line {colour}{dashed}" points="{line}"><title>{name}</title></polyline>'
    )
    if len(xs) > _MOST_MARKS:
        return parts
    for x, at, value in zip(xs, series.x, series.y, strict=True):
        told = f"{name}: {_number(value)} at {_number(at)}"
        parts.append(
            f'<circle class="mark {colour}" cx="{x:.1f}" cy="{up.place(value):.1f}" r="3">'
            f"<title>{told}</title></circle>"
        )
    return parts


def _points(xs: Sequence[float], values: Sequence[float], up: _Axis) -> list[str]:
    """Returns the points of a line as SVG writes them."""
    return [f"{x:.1f},{up.place(value):.1f}" for x, value in zip(xs, values, strict=True)]


def _thin(series: Series) -> Series:
    """Returns every k-th point of a long curve and its last point."""
    step = -(-len(series.x) // _MOST_POINTS)
    if step == 1:
        return series
    kept = [*range(0, len(series.x) - 1, step), len(series.x) - 1]
    x, y, low, high = (
        [values[at] for at in kept] if values else []
        for values in (series.x, series.y, series.low, series.high)
    )
    return series._replace(x=x, y=y, low=low, high=high)


def _ticks(low: float, high: float) -> list[float]:
    """Returns four to seven round numbers from low to high.

    Example:
        >>> _ticks(0, 97), _ticks(2.0, 2.0)
        ([0, 20, 40, 60, 80], [2.0])
    """
    if high <= low:
        return [low]
    rough = (high - low) / 6
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Returns powers of ten around a range; in a short range, also 2 and 5 times these powers.

    Example:
        >>> _log_ticks(0.02, 30)
        [0.01, 0.1, 1.0, 10.0, 100.0]
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if last - first > 2:
        step = max(1, (last - first) // 5)
        return [10.0**power for power in range(first, last + step, step)]
    numbers = [10.0**power * factor for power in range(first, last + 1) for factor in (1, 2, 5)]
    inside = [number for number in numbers if low <= number <= high]
    return inside or [low]


def _number(value: float) -> str:
    """Returns a number as a short text.

    Example:
        >>> [_number(value) for value in (12000, 0.25, 1e-7, 3, 1234.5678, 12345678)]
        ['12,000', '0.25', '1e-07', '3', '1,235', '12.35M']
    """
    if 1e6 <= abs(value) < 1e9:
        return f"{value / 1e6:.4g}M"
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:.3g}"


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    texts: Sequence[Sequence[str]] | None = None,
) -> str:
    """Returns a picture of a matrix; the larger a number is, the stronger is its cell's colour.

    Args:
        rows: the name of each row, at the left.
        columns: the name of each column, written upwards above the matrix.
        values: the numbers of each row, from 0 to 1.
        texts: the texts in the cells; None for no texts.

    Example:
        >>> heat_map(["a", "b"], ["x"], [[0.5], [1.0]]).count("<rect")
        2
    """
    left = 12 + _LETTER * max(map(len, rows), default=0)
    top = 12 + _LETTER * max(map(len, columns), default=0)
    width, height = left + _CELL * len(columns) + 4, top + _CELL * len(rows) + 4
    parts = [
        f'<svg class="map" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="width:{width:.0f}px" role="img" aria-label="a heat map of {len(rows)} rows">'
    ]
    for number, name in enumerate(columns):
        x = left + _CELL * (number + 0.5) + 4
        place = f'transform="translate({x:.1f} {top - 5:.1f}) rotate(-90)"'
        parts.append(f"<text {place}>{escape(name)}</text>")
    for row, name in enumerate(rows):
        y = top + _CELL * row
        parts.append(
            f'<text x="{left - 6:.1f}" y="{y + _CELL / 2 + 4:.1f}" class="end">{escape(name)}'
            "</text>"
        )
        for column, value in enumerate(values[row]):
            x = left + _CELL * column
            told = f"{escape(name)}, {escape(columns[column])}: {value:.3f}"
            parts.append(
                f'<rect class="cell" x="{x:.1f}" y="{y:.1f}" width="{_CELL}" height="{_CELL}" '
                f'fill-opacity="{min(max(value, 0), 1):.3f}"><title>{told}</title></rect>'
            )
            if texts is not None and texts[row][column]:
                ground = "strong" if value > _STRONG else "half" if value > _HALF else ""
                parts.append(
                    f'<text x="{x + _CELL / 2:.1f}" y="{y + _CELL / 2 + 4:.1f}" '
                    f'class="middle inside {ground}">{escape(texts[row][column])}</text>'
                )
    return "".join([*parts, "</svg>"])
