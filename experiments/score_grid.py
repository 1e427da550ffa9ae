"""Scores of cells on tasks: runs that finish once, a table, and a picture."""

import argparse
import contextlib
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.sequence_learning import TRANSFORMER, Settings
from zoo.diagnostics.pictures import picture
from zoo.errors import UserError
from zoo.layers.cells import cell_names


class Grid(NamedTuple):
    """The settings of an experiment.

    Attributes:
        name: the name of its files in the workdir.
        guessing: the score of guessing in per cent, by task.
        published: published scores in per cent, by task and cell.
        smoke_cells, smoke_tasks: the names for --smoke, with commas between.
        usual_tasks: the default of --tasks, with commas between.
    """

    name: str
    guessing: Mapping[str, float]
    published: Mapping[str, Mapping[str, float]]
    smoke_cells: str
    smoke_tasks: str
    usual_tasks: str = "all"


def parse_arguments(description: str, grid: Grid, settings: Settings) -> argparse.Namespace:
    """Reads the command line of an experiment.

    Args:
        description: what the experiment is.
        grid: its tasks.
        settings: the settings of its runs; --num_steps changes one of them.

    Raises:
        UserError: if a cell or task is unknown, or a number is below 1.
    """
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    add("--workdir", type=Path, required=True, help="results, table and picture")
    add("--cells", default="all", help="names with commas between, or all (default: all)")
    add("--tasks", default=grid.usual_tasks, help=f"names (default: {grid.usual_tasks})")
    add("--num_seeds", type=int, default=1, help="runs of each cell and task (default: 1)")
    add("--num_steps", type=int, default=settings.num_steps, help="most steps of a run")
    add("--smoke", action="store_true", help="run a few cells and tasks for a few steps")
    arguments = parser.parse_args()
    for name in ("num_seeds", "num_steps"):
        if getattr(arguments, name) < 1:
            raise UserError(f"--{name} is {getattr(arguments, name)}; use at least 1")
    if arguments.smoke:
        arguments.cells, arguments.tasks = grid.smoke_cells, grid.smoke_tasks
        arguments.num_seeds, arguments.num_steps = 1, 20
    arguments.settings = Settings(**(asdict(settings) | {"num_steps": arguments.num_steps}))
    arguments.cells = chosen("cells", arguments.cells, [*cell_names(), TRANSFORMER])
    arguments.tasks = chosen("tasks", arguments.tasks, list(grid.guessing))
    return arguments


def chosen(flag: str, names: str, known: Sequence[str]) -> list[str]:
    """Returns the names in the value of a flag; "all" means all known names.

    Raises:
        UserError: if a name is unknown.

    Example:
        >>> chosen("cells", "gru,lstm", ["lstm", "gru", "elman"])
        ['gru', 'lstm']
    """
    found = list(known) if names == "all" else names.split(",")
    for name in found:
        if name not in known:
            raise UserError(f"--{flag} names {name!r}; use some of {','.join(known)}")
    return found


def run_grid(
    arguments: argparse.Namespace,
    grid: Grid,
    learn: Callable[[str, str, int, Settings], dict[str, Any]],
    note: str,
) -> None:
    """Runs all combinations that are not finished yet, and writes and prints the report.

    Args:
        arguments: parsed arguments from `parse_arguments`.
        grid: the experiment.
        learn: a function that trains and evaluates (cell, task, seed, settings) and returns a row
            with its `score`.
        note: the text below the table.
    """
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    results = Results(arguments.workdir / f"{grid.name}.jsonl")
    rows = []
    for cell in arguments.cells:
        for task in arguments.tasks:
            for seed in range(arguments.num_seeds):
                of = {"cell": cell, "task": task, "seed": seed}
                run = partial(learn, cell, task, seed, arguments.settings)
                rows.append(results.once(of, arguments.settings, run))
                print(line(rows[-1]), flush=True)
    print(write_report(arguments, grid, rows, note))


def line(row: dict[str, Any]) -> str:
    """Returns the line that is printed for a finished run."""
    return (
        f"{row['cell']:22} {row['task']:22} seed {row['seed']}: {row['score']:5.1f} % "
        f"(in training {row['training_score']:.1f} %), {row['steps']} steps, "
        f"{row['minutes']:.1f} minutes"
    )


class Results:
    """Finished runs, stored as lines of a file.

    A run is identified by its key, such as cell, task and seed, and by its settings. Processes that
    make different runs may share the file, so lines are only ever added.
    """

    def __init__(self, path: Path) -> None:
        """Reads the finished runs, and skips lines that a killed process left incomplete."""
        self.path = path
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        self._before = "" if text.endswith("\n") or not text else "\n"
        self.rows = []
        for line in text.splitlines():
            with contextlib.suppress(ValueError):
                self.rows.append(json.loads(line))

    def once(
        self, of: dict[str, Any], settings: Settings, run: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Returns the row of a run, which is run only if it is not finished yet."""
        key = json.loads(json.dumps({**of, "settings": asdict(settings)}))  # tuples become lists
        for row in self.rows:
            if all(row.get(name) == value for name, value in key.items()):
                return row
        started = time.monotonic()
        row = {**key, **run()}
        row["minutes"] = round((time.monotonic() - started) / 60, 3)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{self._before}{json.dumps(row)}\n")
        self._before = ""
        self.rows.append(row)
        return row


def draw_scores(
    path: Path, cells: Sequence[str], guessing: Mapping[str, float], scores: np.ndarray
) -> None:
    """Draws scores in per cent, cells down and tasks across; no colour means guessing.

    Args:
        path: the file of the picture.
        cells: the names of the rows.
        guessing: the score of guessing in per cent, by task in the order of the columns.
        scores: float[cells, tasks].
    """
    size = (3.4 + 0.62 * len(guessing), 2.6 + 0.27 * len(cells))
    chance = np.array(list(guessing.values()))
    shares = (scores - chance) / (100 - chance)
    with picture(path, size) as (_, axes):
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for row, column in np.ndindex(*scores.shape):
            colour = "white" if shares[row, column] > 0.6 else "black"
            place = {"ha": "center", "va": "center", "fontsize": 8, "color": colour}
            axes.text(column, row, f"{scores[row, column]:.0f}", **place)
        labels = [f"{task.replace('_', ' ')} ({score:.0f})" for task, score in guessing.items()]
        axes.set_xticks(range(len(labels)), labels, rotation=60, ha="right", fontsize=8)
        axes.set_yticks(range(len(cells)), cells, fontsize=8)
        axes.tick_params(length=0)
        axes.set_title("right answers in % (guessing in brackets)", fontsize=9)


def write_report(
    arguments: argparse.Namespace, grid: Grid, rows: Sequence[dict[str, Any]], note: str
) -> str:
    """Writes the table and the picture to the workdir; returns the table."""
    cells, tasks = arguments.cells, arguments.tasks
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        found.setdefault((row["cell"], row["task"]), []).append(row["score"])
    scores = np.array([[statistics.mean(found[cell, task]) for task in tasks] for cell in cells])
    lines = [
        f"| cell | {' | '.join(task.replace('_', ' ') for task in tasks)} |",
        f"|---|{'---|' * len(tasks)}",
        f"| guessing | {' | '.join(f'{grid.guessing[task]:.0f}' for task in tasks)} |",
    ]
    for cell, of_cell in zip(cells, scores, strict=True):
        shown = []
        for task, mean in zip(tasks, of_cell, strict=True):
            paper = grid.published.get(task, {}).get(cell)
            shown.append(f"{mean:.1f}" + ("" if paper is None else f" ({paper:g})"))
        lines.append(f"| {cell} | {' | '.join(shown)} |")
    minutes = sum(row["minutes"] for row in rows)
    below = f"{note} Mean of {arguments.num_seeds} seeds; {minutes:.0f} minutes."
    table = "\n".join([*lines, "", below]) + "\n"
    (arguments.workdir / f"{grid.name}.md").write_text(table, encoding="utf-8")
    guessing = {task: grid.guessing[task] for task in tasks}
    draw_scores(arguments.workdir / f"{grid.name}.png", cells, guessing, scores)
    return table
