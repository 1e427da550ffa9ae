"""Speed and memory of every cell: train steps of growing length, and generation.

    python benchmarks/cells.py
    python benchmarks/cells.py --cells=lstm,s6

Measures a language model of one plain layer with 128 units and 256 tokens. A train step reads one
sequence of T tokens; generation writes 256 tokens after a start. Every number is a median in a
process of its own, and the memory is the peak of the process of the longest sequence.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.growth import measure_apart
from benchmarks.processes import median_seconds, run_apart
from benchmarks.rows import Row
from zoo.layers.cells import cell_names

MODEL = Row("language_model", "lstm", 1, 128, 256, 512, 1)
STEPS = (512, 2048, 8192)


class Measured(NamedTuple):
    """The measurements of one cell.

    Attributes:
        cell: its name.
        milliseconds: the time of one train step; one number for each length in STEPS.
        megabytes: the peak of memory for the longest sequence.
        tokens_per_second: the speed of generation.
    """

    cell: str
    milliseconds: list[float]
    megabytes: float
    tokens_per_second: float


def generation(row: Row, times: int) -> float:
    """Returns the tokens per second in this process."""
    from benchmarks.generate import ours

    call = ours(row, 1)
    num_tokens = call()
    return num_tokens / median_seconds(call, times)


def measure_cell(cell: str, times: int) -> Measured:
    """Measures a cell in processes of their own, one after the other."""
    model = MODEL._replace(cell=cell)
    trained = [measure_apart(model._replace(steps=steps), times) for steps in STEPS]
    milliseconds = [one["milliseconds"] for one in trained]
    rate = run_apart(__file__, f"--times={times}", "--generate", json.dumps(model))
    return Measured(cell, milliseconds, trained[-1]["peak_megabytes"], rate)


def line(measured: Measured) -> str:
    """Returns a line of the table, in Markdown."""
    times = " | ".join(f"{value:.1f}" for value in measured.milliseconds)
    rest = f"{measured.megabytes:,.0f} | {measured.tokens_per_second:,.0f}"
    return f"| `{measured.cell}` | {times} | {rest} |"


def main() -> None:
    """Prints the table, or with --generate what one process measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", help="names with commas between (default: all)")
    parser.add_argument("--times", type=int, default=5, help="timed steps and texts per process")
    parser.add_argument("--generate", metavar="ROW", help="measure generation in this process")
    arguments = parser.parse_args()
    if arguments.generate:
        print(generation(Row(*json.loads(arguments.generate)), arguments.times))
        return
    head = [*(f"T {steps:,}, ms" for steps in STEPS), "memory, MB", "tokens/s"]
    print(f"| cell | {' | '.join(head)} |\n|---{'|---' * len(head)}|", flush=True)
    for cell in arguments.cells.split(",") if arguments.cells else cell_names():
        print(line(measure_cell(cell, arguments.times)), flush=True)


if __name__ == "__main__":
    main()
