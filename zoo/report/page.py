"""The page: one file that needs no network and no script, in light and dark."""

import math
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

from zoo.errors import WRONG_FORM, UserError
from zoo.report.charts import NUM_COLOURS, Series, heat_map, line_chart
from zoo.report.records import REPORT, Record, differing_fields, flatten
from zoo.report.seeds import groups, read_with_members, spreads
from zoo.whole_file import whole_file

# What a curve's axis says; other scores say their name. The first ones stand first on the page.
_TITLES = {
    ("train", "loss_nats"): "training loss, nats per target",
    ("validation", "perplexity"): "validation perplexity",
    ("validation", "bits_per_character"): "validation, bits per character",
    ("validation", "accuracy"): "validation accuracy",
    ("validation", "macro_f1"): "validation macro F1",
    ("validation", "bleu"): "validation BLEU",
    ("train", "learning_rate"): "learning rate",
    ("train", "gradient_norm"): "norm of the gradient",
    ("train", "tokens_per_second"): "tokens per second",
}
_MOST_SAMPLES = 12


def write_report(
    workdirs: Sequence[os.PathLike[str] | str], path: os.PathLike[str] | str | None = None
) -> Path:
    """Writes the page of a run, or one that compares several.

    Args:
        workdirs: the runs' directories.
        path: the page; None for report.html in the first run's directory.

    Returns:
        The page's path.

    Raises:
        UserError: a directory is no run, or the page can't be written.
    """
    places = [Path(workdir).expanduser() for workdir in workdirs]
    target = places[0] / REPORT if path is None else Path(path).expanduser()
    records = [read_with_members(place) for place in places]
    try:
        text = make_page(_named_apart(records))
    except WRONG_FORM as error:
        raise UserError(
            f"no page can be made of {', '.join(map(str, places))}: its records have another form "
            f"than a training gives them ({str(error)[:200]}); start the training's command again"
        ) from error
    with whole_file(target) as incomplete:
        incomplete.write_text(text, encoding="utf-8", errors="backslashreplace")
    return target


def _named_apart(records: list[Record]) -> list[Record]:
    """Records of which no two have one name."""
    names = [record.name for record in records]
    return [
        record._replace(name=f"{record.name} ({number + 1})")
        if names.count(record.name) > 1
        else record
        for number, record in enumerate(records)
    ]


def make_page(records: list[Record]) -> str:
    """The whole page as text.

    Args:
        records: what `read_record` gives, with different names.
    """
    several = len(records) > 1
    title = "Comparison of runs" if several else records[0].name
    style = Path(__file__).with_name("style.css").read_text("utf-8")
    sections = [
        _section("Scores", _scores(records)),
        _section("Differing settings", _differences(records)) if several else "",
        _section("Along training", _curves(records)),
        *(_figures(record, named=several) for record in records),
        *(_samples(record, named=several) for record in records),
        *(_config(record, named=several) for record in records),
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(_about(records))}</p>\n"
        f"{''.join(sections)}</body>\n</html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>\n" if content else ""


def _about(records: list[Record]) -> str:
    if len(records) > 1:
        return ", ".join(record.name for record in records)
    config = records[0].config
    corpus = config.get("data", {}).get("corpus", "an unknown corpus")
    return f"{config.get('model', {}).get('architecture', 'A model')} on {corpus}"


def _scores(records: list[Record]) -> str:
    """A table: a run a column, a score of its best step a row; and the spread over seeds."""
    runs = [run for record in records for run in (record.members or (record,))]
    titles, columns = [run.name for run in runs], [_best_scores(run) for run in runs]
    for numbers in groups([run.config for run in runs]):
        found = spreads([best_scores(runs[number])[1] for number in numbers])
        of = "" if len(numbers) == len(runs) else f" of {', '.join(titles[n] for n in numbers)}"
        titles += [f"mean{of}", f"standard deviation{of}"]
        columns.append({name: f"{one.mean:,.5g}" for name, one in found.items()})
        columns.append({name: f"{one.standard_deviation:,.3g}" for name, one in found.items()})
    names = list(dict.fromkeys(name for column in columns for name in column))
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    rows = [
        f"<tr><th>{escape(name.replace('_', ' '))}</th>"
        + "".join(f"<td>{escape(column.get(name, '-'))}</td>" for column in columns)
        + "</tr>"
        for name in names
    ]
    return _table(f"<tr><th></th>{head}</tr>", rows)


def _best_scores(record: Record) -> dict[str, str]:
    """The step and its scores on validation, as text."""
    step, scores = best_scores(record)
    told = "best step" if record.summary else "not finished; step"
    return {told: f"{step:,}"} | {name: f"{value:,.5g}" for name, value in scores.items()}


def best_scores(record: Record) -> tuple[int, dict[str, float]]:
    """Returns a run's best step and its scores on validation; its last one while there is none."""
    if record.summary:
        step, scores = record.summary["best_step"], record.summary["scores"]
    else:
        ends = {
            name: (curve.steps[-1], curve.values[-1])
            for (split, name), curve in record.curves.items()
            if split == "validation"
        }
        step = max((at for at, _ in ends.values()), default=0)
        scores = {name: value for name, (at, value) in ends.items() if at == step}
    return step, {name: value for name, value in scores.items() if "." not in name}


def _differences(records: list[Record]) -> str:
    differing = differing_fields([record.config for record in records])
    if not differing:
        return "<p>None: the runs have one config.</p>"
    head = "".join(f"<th>{escape(record.name)}</th>" for record in records)
    rows = [
        f"<tr><th>{escape(name)}</th>"
        + "".join(f"<td>{escape('-' if value is None else str(value))}</td>" for value in values)
        + "</tr>"
        for name, values in differing.items()
    ]
    return _table(f"<tr><th></th>{head}</tr>", rows)


def _table(head: str, rows: list[str]) -> str:
    body = "\n".join(rows)
    return (
        f'<div class="wide"><table>\n<thead>{head}</thead>\n<tbody>{body}</tbody>\n</table></div>'
    )


def _curves(records: list[Record]) -> str:
    """A chart for each score that some run has more than once."""
    found = dict.fromkeys(key for record in records for key in record.curves)
    charts = []
    for key in sorted(found, key=[*_TITLES, *found].index):
        split, name = key
        series = [
            Series(record.name, *_finite(record.curves[key].steps, record.curves[key].values))
            for record in records
            if key in record.curves
        ]
        if "." in name or max(len(one.x) for one in series) < 2:
            continue  # a threshold, or nothing that moves
        title = _TITLES.get(key, f"{split}, {name.replace('_', ' ')}")
        charts.append(_figure(title, line_chart(series, "step", title)))
    legend = _legend([record.name for record in records]) if len(records) > 1 else ""
    return f'{legend}<div class="charts">{"".join(charts)}</div>' if charts else ""


def _finite(xs: Sequence[float], ys: Sequence[float]) -> tuple[list[float], list[float]]:
    kept = [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
    return [x for x, _ in kept], [y for _, y in kept]


def _figure(title: str, picture: str) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{picture}</figure>"


def _legend(names: Sequence[str]) -> str:
    items = [
        f'<li><span class="key c{number % NUM_COLOURS}"></span>{escape(name)}</li>'
        for number, name in enumerate(names)
    ]
    return f'<ul class="legend">{"".join(items)}</ul>'


def _figures(record: Record, *, named: bool) -> str:
    """The pictures that belong to the run's task, see `zoo.diagnostics.figures`."""
    pictures = []
    for figure in record.summary.get("figures", []):
        if figure["kind"] == "heat_map":
            picture = heat_map(
                figure["rows"], figure["columns"], figure["values"], figure.get("texts")
            )
        else:
            series = [Series(**one) for one in figure["series"]]
            picture = line_chart(
                series, figure["x_label"], figure["y_label"], logarithmic=figure["logarithmic"]
            )
            if len(series) > 1:
                picture = _legend([one.name for one in series]) + picture
        pictures.append(_figure(figure["title"], picture))
    content = f'<div class="figures">{"".join(pictures)}</div>' if pictures else ""
    return _section(f"Inside {record.name}" if named else "Inside the model", content)


def _samples(record: Record, *, named: bool) -> str:
    """What the model wrote, spread over its training."""
    samples = record.samples
    if len(samples) > _MOST_SAMPLES:
        last = len(samples) - 1
        at = [round(number * last / (_MOST_SAMPLES - 1)) for number in range(_MOST_SAMPLES)]
        samples = [samples[number] for number in at]
    texts = [f"<h3>step {step:,}</h3><pre>{escape(text)}</pre>" for step, text in reversed(samples)]
    return _section(f"Samples of {record.name}" if named else "Samples", "".join(texts))


def _config(record: Record, *, named: bool) -> str:
    rows = [
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in flatten(record.config).items()
    ]
    table = _table("", rows)
    content = f"<details><summary>{len(rows)} fields</summary>{table}</details>"
    return _section(f"Config of {record.name}" if named else "Config", content)
