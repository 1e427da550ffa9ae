"""The page of a run: one file that needs no network and no script, in light and dark colours."""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

from zoo.errors import WRONG_FORM, UserError
from zoo.report.charts import NUM_COLOURS, Series, heat_map, line_chart
from zoo.report.curves import LOSS, Drawn, draw_curves
from zoo.report.records import REPORT, differing_fields, flatten
from zoo.report.runs import Record
from zoo.report.score_tables import duration, table, tables_of_test, validation_table
from zoo.report.seeds import read_with_members
from zoo.types import Json
from zoo.whole_file import whole_file

_MOST_SAMPLES = 12


def write_report(
    workdirs: Sequence[os.PathLike[str] | str], path: os.PathLike[str] | str | None = None
) -> Path:
    """Writes the page of a run, or a page that compares several runs.

    Args:
        workdirs: the directories of the runs.
        path: the path of the page; None for report.html in the first run's directory.

    Returns:
        The path of the page.

    Raises:
        UserError: A directory is no run, or the page cannot be written.
    """
    places = [Path(workdir).expanduser() for workdir in workdirs]
    target = places[0] / REPORT if path is None else Path(path).expanduser()
    records = [read_with_members(place) for place in places]
    try:
        text = make_page(_named_apart(records))
    except WRONG_FORM as error:
        raise UserError(
            f"the records of {', '.join(map(str, places))} have another form than a training gives "
            f"them ({str(error)[:200]}), so no page can be made; start the training's command again"
        ) from error
    with whole_file(target) as incomplete:
        incomplete.write_text(text, encoding="utf-8", errors="backslashreplace")
    return target


def _named_apart(records: list[Record]) -> list[Record]:
    """Returns the records with names that are all different."""
    names = [record.name for record in records]
    return [
        record._replace(name=f"{record.name} ({number + 1})")
        if names.count(record.name) > 1
        else record
        for number, record in enumerate(records)
    ]


def make_page(records: list[Record]) -> str:
    """Returns the text of the whole page.

    Args:
        records: what `read_record` returns for each run; their names must be different.
    """
    several = len(records) > 1
    title = "Comparison of runs" if several else records[0].name
    style = Path(__file__).with_name("style.css").read_text("utf-8")
    sections = [
        "" if several else _section("Training", _training(records[0])),
        _section("Scores on the validation split", validation_table(records)),
        _section("Scores on the test split", tables_of_test(records)),
        _section("Differing settings", _differences(records)) if several else "",
        _section("Along training", _curves(records)),
        *(_figures(record, named=several) for record in records),
        *(_samples(record, named=several) for record in records),
        *(_config(record, named=several) for record in records),
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(_about(records))}</p>\n"
        f"{''.join(sections)}</main>\n</body>\n</html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>\n" if content else ""


def _about(records: list[Record]) -> str:
    if len(records) > 1:
        return ", ".join(record.name for record in records)
    config = records[0].config
    corpus = config.get("data", {}).get("corpus", "an unknown corpus")
    return f"{config.get('model', {}).get('architecture', 'A model')} on {corpus}"


def _training(record: Record) -> str:
    """Returns the last command that trained a run, and the time that all its sessions took."""
    sessions = record.sessions
    commands = [one.command for one in sessions if one.command]
    shown = f"<pre>{escape(commands[-1])}</pre>" if commands else ""
    if not sessions:
        return shown
    times = f" in {len(sessions)} sessions" if len(sessions) > 1 else ""
    seconds = sum(one.seconds for one in sessions)
    return f"{shown}<p>The training took {duration(seconds)}{times}.</p>"


def _differences(records: list[Record]) -> str:
    differing = differing_fields([record.config for record in records])
    if not differing:
        return "<p>The runs have the same config.</p>"
    rows = [
        [name, *("-" if value is None else str(value) for value in values)]
        for name, values in differing.items()
    ]
    return table(["field", *(record.name for record in records)], rows, has_names=True)


def _curves(records: list[Record]) -> str:
    """Returns a chart for each score that changes, and the scores that do not change."""
    drawn = draw_curves(records)
    charts = []
    for title, series in drawn.charts:
        both = " (dashed: in training; solid: on validation)"
        told = both if any(one.dashed for one in series) else ""
        names = list(dict.fromkeys(one.name for one in series))
        own = _legend(names) if len(records) == 1 and len(names) > 1 else ""
        charts.append(_figure(title + told, own + line_chart(series, "step", title)))
    return "".join(
        [
            _legend(drawn.names) if len(records) > 1 and charts else "",
            f"<p>{_BAND}</p>" if drawn.has_bands else "",
            f'<div class="charts">{"".join(charts)}</div>' if charts else "",
            _constants(drawn),
        ]
    )


_BAND = (
    "A band reaches from one standard deviation over the seeds below the mean to one standard "
    "deviation above the mean."
)


def _constants(drawn: Drawn) -> str:
    """Returns a sentence with the scores that do not change during training."""
    told = [
        f"{title} {', '.join(dict.fromkeys(f'{value:,.5g}' for value in values))}"
        for title, values in drawn.constants
        if title != LOSS
    ]
    return f"<p>Constant: {escape('; '.join(told))}.</p>" if told else ""


def _figure(title: str, picture: str) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{picture}</figure>"


def _legend(names: Sequence[str]) -> str:
    items = [
        f'<li><span class="key c{number % NUM_COLOURS}"></span>{escape(name)}</li>'
        for number, name in enumerate(names)
    ]
    return f'<ul class="legend">{"".join(items)}</ul>'


def _figures(record: Record, *, named: bool) -> str:
    """Returns the figures of the run's task, see `zoo.diagnostics.figures`."""
    figures = record.summary.get("figures", [])
    pictures = "".join(_figure(figure["title"], _picture(figure)) for figure in figures)
    content = f'<div class="figures">{pictures}</div>' if pictures else ""
    return _section(f"Inside {record.name}" if named else "Inside the model", content)


def _picture(figure: Json) -> str:
    if figure["kind"] == "table":
        return table(figure["columns"], figure["rows"])
    if figure["kind"] == "heat_map":
        return heat_map(figure["rows"], figure["columns"], figure["values"], figure.get("texts"))
    series = [Series(**one) for one in figure["series"]]
    chart = line_chart(
        series, figure["x_label"], figure["y_label"], logarithmic=figure["logarithmic"]
    )
    return _legend([one.name for one in series]) + chart if len(series) > 1 else chart


def _samples(record: Record, *, named: bool) -> str:
    """Returns what the model wrote at some steps of its training, the last step first."""
    samples = record.samples
    if len(samples) > _MOST_SAMPLES:
        last = len(samples) - 1
        at = [round(number * last / (_MOST_SAMPLES - 1)) for number in range(_MOST_SAMPLES)]
        samples = [samples[number] for number in at]
    texts = [f"<h3>step {step:,}</h3><pre>{escape(text)}</pre>" for step, text in reversed(samples)]
    return _section(f"Samples of {record.name}" if named else "Samples", "".join(texts))


def _config(record: Record, *, named: bool) -> str:
    rows = [[name, str(value)] for name, value in flatten(record.config).items()]
    fields = table(["", ""], rows, has_names=True)
    content = f"<details><summary>{len(rows)} fields</summary>{fields}</details>"
    command = _training(record) if named else ""
    return _section(f"Config of {record.name}" if named else "Config", command + content)
