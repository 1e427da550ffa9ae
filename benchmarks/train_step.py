"""Time of one train step, ours compared with other libraries, in alternating processes.

    python benchmarks/train_step.py                                     every row, beside flax
    python benchmarks/train_step.py --peers torch flax haiku keras --json=steps.json
    python benchmarks/train_step.py --rows lstm_2x650 --rounds 5
    python benchmarks/train_step.py --rows lstm_2x650 lstm_2x1500 --peers torch --bfloat16

All sides do the same work: embedding, recurrent layers, output layer, cross-entropy, gradient,
clipping by global norm, SGD. A process compiles, takes some untimed steps, then reports the median
of the others, five at a time. Two processes never run at once, and ratios are taken round by round,
so that a machine whose speed drifts favours nobody. The last command is for a GPU, where
torch.nn.LSTM is cuDNN's. All other libraries except flax come with `pip install '.[benchmarks]'`.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.processes import median_seconds, peak_megabytes, run_apart
from benchmarks.rows import ROWS, Row, language_model_operations

STEPS_PER_CALL = 5  # of all sides, which then wait for the device
PEERS = ("torch", "flax", "haiku", "keras")
FOR_A_GPU = "lstm_2x1500"  # one step takes seconds on a CPU
OF_EVERY_KIND = ("ours", "torch")  # the others have only language models in float32


def builder(side: str) -> Callable[[Row, int], Callable[[], float]]:
    """Returns the function that builds a side's train step."""
    if side == "ours":
        from benchmarks.ours import build
    elif side == "torch":
        from benchmarks.peers_torch import build
    elif side == "keras":
        from benchmarks.peers_keras import build
    elif side == "haiku":
        from benchmarks.peers_jax import build_haiku as build
    else:
        from benchmarks.peers_jax import build_flax as build
    return build


def measure(side: str, row: Row, num_steps: int) -> dict[str, float]:
    """Returns import and first-call seconds, milliseconds per step, memory and loss, all here."""
    started = time.perf_counter()
    build = builder(side)
    imported = time.perf_counter()
    call = build(row, STEPS_PER_CALL)
    call()
    first = time.perf_counter()
    call()
    seconds = median_seconds(call, -(-num_steps // STEPS_PER_CALL)) / STEPS_PER_CALL
    found = {
        "import_seconds": imported - started,
        "first_call_seconds": first - imported,
        "milliseconds": 1e3 * seconds,
        "peak_megabytes": peak_megabytes(),
        "loss_nats": call(),
    }
    if side == "ours" and row.kind == "language_model":
        found["share_of_peak"] = (
            language_model_operations(row) / seconds / peak_operations(row.dtype)
        )
    return found


def peak_operations(dtype: str) -> float:
    """Returns the operations per second of a large matrix product in this process, with jax."""
    import jax
    import jax.numpy as jnp

    size = 2048
    matrix = jnp.ones((size, size), dtype)
    multiply = jax.jit(jnp.matmul)
    multiply(matrix, matrix).block_until_ready()
    return 2 * size**3 / median_seconds(lambda: multiply(matrix, matrix).block_until_ready(), 10)


def measure_apart(side: str, row: str, num_steps: int, bfloat16: bool) -> dict[str, float]:
    """Runs `measure` in a process of its own."""
    rounded = ["--bfloat16"] if bfloat16 else []
    return run_apart(__file__, "--measure", side, "--rows", row, f"--steps={num_steps}", *rounded)


def compare(
    name: str, peers: list[str], rounds: int, num_steps: int, *, bfloat16: bool
) -> dict[str, list]:
    """Returns the measurements of each side in every round."""
    all_have_it = ROWS[name].kind == "language_model"
    sides = ["ours", *(peer for peer in peers if all_have_it or peer in OF_EVERY_KIND)]
    found: dict[str, list] = {side: [] for side in sides}
    for _ in range(rounds):
        for side in sides:
            found[side].append(measure_apart(side, name, num_steps, bfloat16))
    return found


def line(name: str, found: dict[str, list], peers: list[str]) -> str:
    """Returns a row of the table: our milliseconds, each peer's milliseconds and their ratio.

    For a language model, it also has the speed of our matrix products as a share of the machine's.
    """
    own = [record["milliseconds"] for record in found["ours"]]
    shares = [record["share_of_peak"] for record in found["ours"] if "share_of_peak" in record]
    share = f"{statistics.median(shares):.0%}" if shares else ""
    cells = [name, f"{statistics.median(own):.1f}", share]
    for peer in peers:
        if peer not in found:
            cells.append("")
            continue
        times = [record["milliseconds"] for record in found[peer]]
        ratios = sorted(theirs / mine for mine, theirs in zip(own, times, strict=True))
        cells.append(
            f"{statistics.median(times):.1f}: x {statistics.median(ratios):.2f} "
            f"({ratios[0]:.2f}-{ratios[-1]:.2f})"
        )
    return f"| {' | '.join(cells)} |"


def start_table(results: dict[str, dict[str, list]], sides: list[str]) -> str:
    """Returns a table with the start-up costs: imports, the first call with compiling, memory."""
    heads = ["row", *(f"{side}: import + first call, s; peak, MB" for side in sides)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for name, found in results.items():
        cells = [_start_cell(found[side]) if side in found else "" for side in sides]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(lines)


def _start_cell(records: list[dict[str, float]]) -> str:
    names = ("import_seconds", "first_call_seconds", "peak_megabytes")
    medians = [statistics.median(record[name] for record in records) for name in names]
    return "{:.1f} + {:.1f}; {:,.0f}".format(*medians)


def main() -> None:
    """Prints the tables, or with --measure the measurements of one side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    usual = [name for name in ROWS if name != FOR_A_GPU]
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=usual)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=["flax"])
    parser.add_argument("--rounds", type=int, default=3, help="processes per side and row")
    parser.add_argument("--steps", type=int, default=20, help="timed steps per process")
    parser.add_argument("--bfloat16", action="store_true", help="round operands of products")
    parser.add_argument("--json", type=Path, help="file for all measurements")
    parser.add_argument("--measure", choices=("ours", *PEERS), help="one side in this process")
    arguments = parser.parse_args()
    if arguments.measure:
        dtype = "bfloat16" if arguments.bfloat16 else "float32"
        row = ROWS[arguments.rows[0]]._replace(dtype=dtype)
        print(json.dumps(measure(arguments.measure, row, arguments.steps)))
        return
    others = [row for row in arguments.rows if ROWS[row].kind != "language_model"]
    if arguments.bfloat16 and (others or set(arguments.peers) - {"torch"}):
        parser.error("--bfloat16 is for --rows of language models and --peers torch alone")
    theirs = [f"{peer}, ms: times ours" for peer in arguments.peers]
    heads = ["row", "ours, ms", "of the peak", *theirs]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    results = {}
    for row in arguments.rows:
        results[row] = compare(
            row,
            arguments.peers,
            arguments.rounds,
            arguments.steps,
            bfloat16=arguments.bfloat16,
        )
        print(line(row, results[row], arguments.peers), flush=True)
    print(f"\n{start_table(results, ['ours', *arguments.peers])}")
    if arguments.json:
        machine = {"machine": platform.machine(), "cores": os.cpu_count()}
        arguments.json.write_text(json.dumps({**machine, "rows": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
