"""The tables of a run's scores: on validation at the best step, and on the test split."""

from collections.abc import Mapping, Sequence
from html import escape

from zoo.report.runs import Record
from zoo.report.seeds import groups, spreads


def best_scores(record: Record) -> tuple[int, dict[str, float]]:
    """Returns the best step of a run and its scores on validation.

    As long as the run is not finished, the step is the last step that was evaluated.
    """
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


def is_finished(record: Record) -> bool:
    """Returns whether a run reached its end.

    A run of an earlier version without a report has no summary. It is finished if it was evaluated
    at its last step.
    """
    num_steps = record.config.get("training", {}).get("num_steps")
    return bool(record.summary) or num_steps == best_scores(record)[0]


def validation_table(records: Sequence[Record]) -> str:
    """Returns a table with a column for each run and a row for each score on validation.

    Runs that differ in their seed alone have columns with their mean and standard deviation, too.
    """
    runs = runs_of(records)
    found = [best_scores(run) for run in runs]
    heads = []
    for run, (step, _) in zip(runs, found, strict=True):
        last = "best step" if run.summary else "last step"
        told = last if is_finished(run) else "not finished; step"
        heads.append({told: f"{step:,}"})
    return _table(runs, heads, [scores for _, scores in found])


def tables_of_test(records: Sequence[Record]) -> str:
    """Returns a table of the scores on the test split for each way in which they were measured."""
    runs = runs_of(records)
    settings = dict.fromkeys(one.settings for run in runs for one in run.evaluations)
    tables = []
    for own in settings:
        measured = {
            number: one
            for number, run in enumerate(runs)
            for one in run.evaluations
            if one.settings == own
        }
        heads = [{"step": f"{one.step:,}"} for one in measured.values()]
        title = f"<h3>{escape(own)}</h3>" if own else ""
        scores = [one.scores for one in measured.values()]
        tables.append(title + _table([runs[number] for number in measured], heads, scores))
    return "".join(tables)


def runs_of(records: Sequence[Record]) -> list[Record]:
    """Returns the runs; a run of several seeds is replaced by the runs of its seeds."""
    return [run for record in records for run in (record.members or (record,))]


def _table(
    runs: Sequence[Record],
    heads: Sequence[Mapping[str, str]],
    scores: Sequence[Mapping[str, float]],
) -> str:
    """Returns a table of scores, with the mean and the spread of runs that differ in their seed."""
    titles = [run.name for run in runs]
    columns = [
        dict(head) | {name: f"{value:,.5g}" for name, value in own.items()}
        for head, own in zip(heads, scores, strict=True)
    ]
    for numbers in groups([run.config for run in runs]):
        found = spreads([scores[number] for number in numbers])
        of = "" if len(numbers) == len(runs) else f" of {', '.join(titles[n] for n in numbers)}"
        titles += [f"mean{of}", f"standard deviation{of}"]
        columns.append({name: f"{one.mean:,.5g}" for name, one in found.items()})
        columns.append({name: f"{one.standard_deviation:,.3g}" for name, one in found.items()})
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [
        [name.replace("_", " "), *(column.get(name, "-") for column in columns)] for name in names
    ]
    return table(["score", *titles], rows, has_names=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, has_names: bool = False) -> str:
    """Returns a table in HTML, which scrolls if it is wider than the page.

    Args:
        columns: the title of each column; if all are "", the table has no line of titles.
        rows: the texts of each row.
        has_names: whether the first text of a row is the row's name.
    """
    is_number = [all(map(_is_number, own)) for own in zip(*rows, strict=True)]
    head = "".join(
        f'<th scope="col"{_aligned(number)}>{escape(title)}</th>'
        for number, title in zip(is_number or [False] * len(columns), columns, strict=True)
    )
    lines = []
    for row in rows:
        cells = [
            f"<td{_aligned(number)}>{escape(text)}</td>"
            for number, text in zip(is_number, row, strict=True)
        ]
        if has_names:
            cells[0] = f'<th scope="row">{escape(row[0])}</th>'
        lines.append(f"<tr>{''.join(cells)}</tr>")
    thead = f"<thead><tr>{head}</tr></thead>\n" if any(columns) else ""
    body = "\n".join(lines)
    return f'<div class="wide" tabindex="0"><table>\n{thead}<tbody>{body}</tbody>\n</table></div>\n'


def _aligned(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _is_number(text: str) -> bool:
    try:
        float(text.rstrip("%").replace(",", ""))
    except ValueError:
        return text == "-"
    return True


def duration(seconds: float) -> str:
    """Returns a duration as a person says it.

    Example:
        >>> [duration(seconds) for seconds in (4.23, 125, 3725)]
        ['4.2 s', '2 min 5 s', '1 h 2 min']
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
