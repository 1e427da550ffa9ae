"""Chooses the scores of runs that are drawn along training, and the runs that share a curve.

The loss in training and the loss on validation share a chart. Runs that differ in their seed alone
are drawn as their mean, inside a band of one standard deviation to each side. A score that does not
change is not drawn.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from zoo.report.charts import Series
from zoo.report.runs import Curve, Record
from zoo.report.seeds import groups

Key = tuple[str, str]

LOSS = "loss, nats per target"
# The titles of charts; any other score is titled by its own name. These charts come first.
_TITLES: Mapping[Key, str] = {
    ("train", "loss_nats"): LOSS,
    ("validation", "nats_per_token"): LOSS,
    ("validation", "nats_per_text"): LOSS,
    ("validation", "perplexity"): "validation perplexity",
    ("validation", "bits_per_character"): "validation, bits per character",
    ("validation", "accuracy"): "validation accuracy",
    ("validation", "macro_f1"): "validation macro F1",
    ("validation", "micro_f1"): "validation micro F1",
    ("validation", "bleu"): "validation BLEU",
    ("train", "learning_rate"): "learning rate",
    ("train", "gradient_norm"): "norm of the gradient",
    ("train", "tokens_per_second"): "tokens per second",
}
_MEMBER = re.compile(r"seed_\d+(_rate_x.+)?")


class Chart(NamedTuple):
    """A chart of one score, or of one loss in training and on validation."""

    title: str
    series: list[Series]


class Drawn(NamedTuple):
    """The charts of scores along training, and the scores that do not change.

    Attributes:
        charts: the charts.
        constants: the title and the values of each score that does not change.
        names: the names of the curves, in the order of their colours.
        has_bands: whether a curve is the mean of several seeds.
    """

    charts: list[Chart]
    constants: list[tuple[str, list[float]]]
    names: list[str]
    has_bands: bool


def draw_curves(records: Sequence[Record]) -> Drawn:
    """Returns the charts of runs, and the scores that do not change."""
    parts = _shared(records)
    seeds = _of_seeds(records[0]) if len(records) == 1 else _NO_SEEDS
    by_title: dict[str, list[Series]] = {}
    keys = dict.fromkeys(key for _, part in parts for record in part for key in record.curves)
    for key in sorted(keys, key=[*_TITLES, *keys].index):
        if "." in key[1] or _MEMBER.fullmatch(key[1]):
            continue  # the threshold of a label, or a score of one of several seeds
        for colour, (name, part) in enumerate(parts):
            curves = [record.curves[key] for record in part if key in record.curves]
            if key == seeds.key and len(seeds.series) == 1:
                by_title.setdefault(_title(key), []).append(seeds.series[0])
            elif curves and (one := _series(name, curves, colour)).x:
                is_training = key == ("train", "loss_nats")
                by_title.setdefault(_title(key), []).append(one._replace(dashed=is_training))
    charts: list[Chart] = []
    constants = []
    for title, series in by_title.items():
        if max(len(one.x) for one in series) < 2:
            continue  # one measurement is in the table of scores
        if all(len(set(one.y)) == 1 for one in series):
            constants.append((title, [one.y[0] for one in series]))
        else:
            charts.append(Chart(title, _dashed([one for one in series if len(one.x) > 1])))
    if len(seeds.series) > 1:
        charts.append(Chart(f"{_title(seeds.key)}, by learning rate", seeds.series))
    has_bands = any(one.low for chart in charts for one in chart.series)
    return Drawn(charts, constants, [name for name, _ in parts], has_bands)


def _dashed(series: Sequence[Series]) -> list[Series]:
    """Returns curves that are dashed only if the chart has other curves too."""
    is_mixed = any(not one.dashed for one in series)
    return [one._replace(dashed=one.dashed and is_mixed) for one in series]


def _title(key: Key) -> str:
    return _TITLES.get(key, f"{key[0]}, {key[1].replace('_', ' ')}")


def _shared(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    """Returns the name of each curve and its runs; runs that differ in their seed share a curve."""
    numbers = {own[0]: own for own in groups([record.config for record in records])}
    later = {number for own in numbers.values() for number in own[1:]}
    parts = []
    for number, record in enumerate(records):
        if number not in later:
            part = [records[at] for at in numbers.get(number, [number])]
            name = record.name if len(part) == 1 else f"mean of {_joined(part)}"
            parts.append((name, part))
    return parts


def _joined(records: Sequence[Record]) -> str:
    return ", ".join(record.name for record in records)


def _series(name: str, curves: Sequence[Curve], colour: int) -> Series:
    """Returns the mean of curves over the steps that all of them have, with its band."""
    found = [
        {x: y for x, y in zip(one.steps, one.values, strict=True) if math.isfinite(y)}
        for one in curves
    ]
    steps = [step for step in found[0] if all(step in one for one in found)]
    rows = [[one[step] for one in found] for step in steps]
    means = [sum(row) / len(row) for row in rows]
    if len(curves) == 1:
        return Series(name, steps, means, colour=colour)
    spread = [
        math.sqrt(sum((value - mean) ** 2 for value in row) / (len(row) - 1))
        for row, mean in zip(rows, means, strict=True)
    ]
    low = [mean - own for mean, own in zip(means, spread, strict=True)]
    high = [mean + own for mean, own in zip(means, spread, strict=True)]
    return Series(name, steps, means, low, high, colour)


class _Seeds(NamedTuple):
    """The seeds of one run: the score that training is to lower, and its mean for each rate."""

    key: Key
    series: list[Series]


_NO_SEEDS = _Seeds(("", ""), [])


def _of_seeds(record: Record) -> _Seeds:
    """Returns the curves of a run of several seeds: a mean and a band for each learning rate.

    Such a run notes one score of each seed, the score that training is to lower. The run's own
    curve of this score is the mean of the learning rate that is best at each step.
    """
    rates: dict[str, list[Curve]] = {}
    for (_, name), curve in record.curves.items():
        if found := _MEMBER.fullmatch(name):
            rate = (found[1] or "").removeprefix("_rate_x")
            rates.setdefault(f"learning rate x {rate}" if rate else record.name, []).append(curve)
    series = [_series(name, curves, at) for at, (name, curves) in enumerate(rates.items())]
    if not series or min(len(one.x) for one in series) < 2:
        return _NO_SEEDS
    lowest = [min(values) for values in zip(*(one.y for one in series), strict=False)]
    for key, curve in record.curves.items():
        pairs = zip(lowest, curve.values, strict=False)
        is_mean = len(curve.values) == len(lowest) and all(math.isclose(*pair) for pair in pairs)
        if key[0] == "validation" and is_mean and not _MEMBER.fullmatch(key[1]):
            return _Seeds(key, series)
    return _NO_SEEDS
