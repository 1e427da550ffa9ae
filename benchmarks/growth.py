"""Cost of a train step for growing length, batch, width and vocabulary.

    python benchmarks/growth.py --directory=growth
    python benchmarks/growth.py --directory=growth --axes steps

Starts from an LSTM language model of 128 units, T 64, B 16 and 256 tokens, and doubles one size at
a time; the vocabulary is multiplied by four. Along the steps, up to T 8,192, B is 4, and five other
cells are measured too, three of which need no loop over time. Every point is a process of its own:
milliseconds per step (the median) and peak memory. Writes growth.json, and a table and a picture
for each axis.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.processes import median_seconds, peak_megabytes, run_apart
from benchmarks.rows import Row
from zoo.diagnostics.pictures import COLOURS, MARKERS, picture, tidy

BASE = Row("language_model", "lstm", 1, 128, 256, 64, 16)
AXES: dict[str, tuple[int, ...]] = {
    "steps": (64, 128, 256, 512, 1024, 2048, 4096, 8192),
    "batch": (4, 8, 16, 32, 64, 128),
    "size": (64, 128, 256, 512, 1024),
    "vocabulary": (256, 1024, 4096, 16384, 65536),
}
CELLS = {"steps": ("lstm", "gru", "elman", "min_gru", "min_lstm", "rg_lru")}  # else only the LSTM
LABELS = {
    "steps": "T, steps of a sequence",
    "batch": "B, sequences",
    "size": "H, units",
    "vocabulary": "V, tokens",
}


def points(axis: str) -> list[Row]:
    """Returns the models of one axis."""
    base = BASE._replace(batch=4) if axis == "steps" else BASE
    changes: list[dict[str, Any]] = [
        {"cell": cell, axis: value} for cell in CELLS.get(axis, ("lstm",)) for value in AXES[axis]
    ]
    return [base._replace(**change) for change in changes]


def measure(row: Row, num_steps: int) -> dict[str, float]:
    """Returns milliseconds per step and the peak of memory in this process."""
    from benchmarks.ours import build

    call = build(row, 1)
    call()
    seconds = median_seconds(call, num_steps)
    return {"milliseconds": 1e3 * seconds, "peak_megabytes": peak_megabytes()}


def measure_apart(row: Row, num_steps: int) -> dict[str, float]:
    """Runs `measure` in a process of its own."""
    return run_apart(__file__, f"--num_steps={num_steps}", "--measure", json.dumps(row))


def draw(directory: Path, axis: str, found: list[dict[str, Any]]) -> None:
    """Draws milliseconds against the size on logarithmic scales, with a line for each cell."""
    with picture(directory / f"growth_{axis}.png", (6, 4)) as (_, axes):
        for number, cell in enumerate(CELLS.get(axis, ("lstm",))):
            own = [record for record in found if record["cell"] == cell]
            sizes = [record[axis] for record in own]
            times = [record["milliseconds"] for record in own]
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            axes.plot(sizes, times, label=cell, color=colour, marker=marker)
        first = found[0]
        axes.plot(
            sizes,
            [first["milliseconds"] * size / first[axis] for size in sizes],
            color="grey",
            linestyle=":",
            label="proportional",
        )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_xlabel(LABELS[axis])
        axes.set_ylabel("milliseconds per train step")
        axes.legend()
        tidy(axes)


def table(axis: str, found: list[dict[str, Any]]) -> str:
    """Returns a table in Markdown."""
    lines = [f"| cell | {axis} | ms per step | peak memory, MB |", "|---|---|---|---|"]
    lines += [
        f"| {record['cell']} | {record[axis]:,} | {record['milliseconds']:.1f} | "
        f"{record['peak_megabytes']:,.0f} |"
        for record in found
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, help="directory for JSON and pictures")
    parser.add_argument("--axes", nargs="+", choices=AXES, default=list(AXES))
    parser.add_argument("--num_steps", type=int, default=10, help="timed steps per process")
    parser.add_argument("--measure", metavar="ROW", help="measure one model in this process")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(Row(*json.loads(arguments.measure)), arguments.num_steps)))
        return
    if arguments.directory is None:
        parser.error("--directory is missing; give a directory for JSON and pictures")
    arguments.directory.mkdir(parents=True, exist_ok=True)
    results = {}
    for axis in arguments.axes:
        results[axis] = [
            row._asdict() | measure_apart(row, arguments.num_steps) for row in points(axis)
        ]
        draw(arguments.directory, axis, results[axis])
        print(table(axis, results[axis]), flush=True)
    (arguments.directory / "growth.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
