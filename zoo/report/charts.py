"""Curves and heat maps as SVG that stands in a page; colours are the page's, light and dark."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 12, 40
NUM_COLOURS = 6
_MOST_MARKS = 40  # points of a curve that still get a mark, and their numbers on hover
_MOST_POINTS = 800  # of a curve; more of them can't be seen
_CELL, _LETTER = 24, 6.7  # of a heat map, in units of the picture


class Series(NamedTuple):
    """A curve and its name; y must be finite, and positive on a logarithmic axis."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def line_chart(
    series: Sequence[Series], x_label: str, y_label: str, *, logarithmic: bool = False
) -> str:
    """Curves over one x axis.

    Args:
        series: at most `NUM_COLOURS` of them have colours of their own.
        x_label: what x is.
        y_label: what y is, for people who can't see the picture.
        logarithmic: the y axis.

    Example:
        >>> chart = line_chart([Series("loss", [1, 2], [3.0, 2.5])], "step", "nats")
        >>> chart.startswith('<svg class="chart"'), "loss" in chart
        (True, True)
    """
    thinned = [_thin(one) for one in series]
    xs = [x for one in thinned for x in one.x]
    ys = [y for one in thinned for y in one.y]
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
        x = min(x, WIDTH - _LETTER * len(text) / 2)  # the last one would be cut
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - _BOTTOM + 16}" class="middle">{text}</text>')
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" class="middle">{escape(x_label)}</text>')
    for index, one in enumerate(thinned):
        parts += _curve(one, across, up, f"c{index % NUM_COLOURS}")
    return "".join([*parts, "</svg>"])


class _Axis(NamedTuple):
    """From numbers to places in the picture."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, number: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            number, low, high = math.log(number), math.log(low), math.log(high)
        part = (number - low) / (high - low) if high > low else 0.5
        return self.start + part * (self.end - self.start)


def _curve(series: Series, across: _Axis, up: _Axis, colour: str) -> list[str]:
    points = [(across.place(x), up.place(y)) for x, y in zip(series.x, series.y, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [
        f'<polyline class="line {colour}" points="{line}"><title>{escape(series.name)}</title>'
        "</polyline>"
    ]
    if len(points) > _MOST_MARKS:
        return parts
    for (x, y), at, value in zip(points, series.x, series.y, strict=True):
        told = f"{escape(series.name)}: {_number(value)} at {_number(at)}"
        parts.append(
            f'<circle class="mark {colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{told}</title>'
            "</circle>"
        )
    return parts


def _thin(series: Series) -> Series:
    """Every k-th point of a long curve, and its last."""
    step = -(-len(series.x) // _MOST_POINTS)
    if step == 1:
        return series
    kept = [*range(0, len(series.x) - 1, step), len(series.x) - 1]
    return Series(series.name, [series.x[at] for at in kept], [series.y[at] for at in kept])


def _ticks(low: float, high: float) -> list[float]:
    """Four to seven round numbers from low to high.

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
    """Powers of ten from just below to just above; of a short range, 1, 2 and 5 times them.

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
    """A number as short as can be read.

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
    """A matrix of numbers from 0 to 1, the larger the stronger its colour.

    Args:
        rows: a name each, at the left.
        columns: a name each, above, upright.
        values: of each row.
        texts: what stands in the cells; None for nothing.

    Example:
        >>> heat_map(["a", "b"], ["x"], [[0.5], [1.0]]).count("<rect")
        2
    """
    left = 12 + _LETTER * max(map(len, rows), default=0)
    top = 12 + _LETTER * max(map(len, columns), default=0)
    width, height = left + _CELL * len(columns) + 4, top + _CELL * len(rows) + 4
    parts = [
        f'<svg class="map" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="width:{width:.0f}px" role="img">'
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
                strong = " strong" if value > 0.55 else ""
                parts.append(
                    f'<text x="{x + _CELL / 2:.1f}" y="{y + _CELL / 2 + 4:.1f}" '
                    f'class="middle{strong}">{escape(texts[row][column])}</text>'
                )
    return "".join([*parts, "</svg>"])
