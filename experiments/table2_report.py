"""The output of table2.py: lines, Markdown, JSON and a bar chart."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo.diagnostics.pictures import COLOURS, picture, tidy


class Entry(NamedTuple):
    """The results of one row.

    Attributes:
        name: the name of the row.
        paper: test perplexity alone and with KN5 in the paper; None if it is not there.
        alone: test perplexity of every seed, by mode.
        mixed: test perplexity of every seed interpolated with KN5, by mode.
        validation: perplexity alone in mode stream, for every seed.
        minutes: minutes of training, for all seeds together.
        note: a further remark.
    """

    name: str
    paper: tuple[float | None, float | None]
    alone: dict[str, list[float]]
    mixed: dict[str, list[float]]
    validation: list[float]
    minutes: float
    note: str = ""

    def line(self) -> str:
        """Returns the row as one line."""
        return (
            f"{self.name:30}  {_show(self.alone.get('stream')):>14}  "
            f"{_show(self.mixed.get('stream')):>14}  {self.minutes:6.1f} min"
        )


def _show(values: list[float] | None) -> str:
    """Returns a mean and, for several values, the largest distance of a value from it.

    Example:
        >>> _show([123.04]), _show([120.0, 122.0]), _show(None)
        ('123.0', '121.0 +- 1.0', '-')
    """
    if not values:
        return "-"
    mean = float(np.mean(values))
    spread = f" +- {np.abs(np.array(values) - mean).max():.1f}" if len(values) > 1 else ""
    return f"{mean:.1f}{spread}"


def _paper(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def write_report(workdir: Path, entries: list[Entry], about: dict[str, Any]) -> str:
    """Writes table2.md, table2.json and table2.png; returns the Markdown."""
    text = markdown(entries, about)
    (workdir / "table2.md").write_text(text, encoding="utf-8")
    record = {"about": about, "rows": [entry._asdict() for entry in entries]}
    (workdir / "table2.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    draw(workdir / "table2.png", entries, about)
    return text


def markdown(entries: list[Entry], about: dict[str, Any]) -> str:
    """Returns the table with its conditions, in Markdown."""
    lines = [
        f"# Test perplexity on {about['corpus']}: paper and ours\n",
        "| model | paper | paper + KN5 | ours | ours + KN5 | sentence | sentence + KN5 "
        "| validation | minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        cells = [
            entry.name,
            *(_paper(value if about["is_penn_treebank"] else None) for value in entry.paper),
            *(
                _show(values.get(mode))
                for mode in ("stream", "sentence")
                for values in (entry.alone, entry.mixed)
            ),
            _show(entry.validation),
            f"{entry.minutes:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    lines += [f"{entry.name}: {entry.note}." for entry in entries if entry.note]
    if not about["is_penn_treebank"]:
        lines.append("The paper's figures are for the Penn Treebank; do not compare them.")
    minutes = sum(entry.minutes for entry in entries)
    lines += [
        "",
        "The paper is Mikolov et al. 2011. Our columns are in mode stream, which carries the state "
        "over sentences, unless they say sentence, where it is reset at each sentence. Models and "
        f"weights were chosen on the validation part. Seeds: {about['num_seeds']}. "
        f"{minutes:.0f} minutes of training on {about['machine']}; {about['versions']}; "
        f"vectors: {about['word_vectors'] or 'none'}.",
    ]
    return "\n".join(lines) + "\n"


def draw(path: Path, entries: list[Entry], about: dict[str, Any]) -> None:
    """Draws bars for our perplexities, alone and with KN5, and diamonds for the paper's."""
    places = np.arange(len(entries))[::-1]
    with picture(path, (8.0, 0.8 + 0.5 * len(entries))) as (_, axis):
        shown = (
            ("alone", 0.19, COLOURS[5], "black"),
            ("interpolated with KN5", -0.19, COLOURS[0], "white"),
        )
        for index, (label, offset, colour, text_colour) in enumerate(shown):
            values = [(entry.alone, entry.mixed)[index].get("stream", []) for entry in entries]
            means = [np.mean(value) if value else np.nan for value in values]
            axis.barh(places + offset, means, height=0.36, color=colour, label=label)
            for place, value in zip(places + offset, values, strict=True):
                if value:
                    style = {"ha": "right", "va": "center", "fontsize": 8, "color": text_colour}
                    at = {"xytext": (-4, -0.5), "textcoords": "offset points"}
                    axis.annotate(_show(value), (np.mean(value), place), **at, **style)
            paper = [entry.paper[index] for entry in entries]
            if about["is_penn_treebank"]:
                figures = [np.nan if value is None else value for value in paper]
                style = {"marker": "D", "color": "black", "linestyle": "none", "markersize": 4}
                name = "Mikolov et al. 2011" if index == 0 else None
                axis.plot(figures, places + offset, label=name, **style)
        axis.set_yticks(places, [entry.name for entry in entries])
        axis.set_xlabel(f"test perplexity on {about['corpus']}, state carried over sentences")
        tidy(axis)
        axis.grid(visible=False, axis="y")
        axis.legend(
            frameon=False, fontsize=8, loc="upper center", ncols=3, bbox_to_anchor=(0.4, 1.1)
        )
