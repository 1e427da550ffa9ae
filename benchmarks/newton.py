"""Newton's method compared with the loop over time: milliseconds, and number of rounds.

    python benchmarks/newton.py

One sequence of T steps through a GRU or an Elman cell of H units on this machine. The times are
medians of forward calls, and of forward and backward calls.
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import jax
import jax.numpy as jnp

from benchmarks.processes import median_seconds
from zoo.layers.cells import make_cell
from zoo.layers.fast.newton import Steps, find_states
from zoo.layers.recurrent import recurrence

WAYS = ("auto", "newton", "quasi_newton")


def problem(name: str, size: int, num_steps: int) -> tuple:
    """Returns an initialized cell, its parameters, and one sequence of random inputs."""
    cell, (key, *keys) = make_cell(name, size), jax.random.split(jax.random.key(0), 20)
    named = zip(keys, cell.parameters(size).items(), strict=False)
    params = {label: one.init(own, one.shape) for own, (label, one) in named}
    return cell, params, jax.random.normal(key, (1, num_steps, size))


def milliseconds(function: Callable[..., jax.Array], times: int, *arguments: Any) -> float:
    """Returns the median time of calls, after one call that compiles."""

    def call() -> None:
        jax.block_until_ready(function(*arguments))

    call()
    return 1e3 * median_seconds(call, times)


def measure(name: str, size: int, num_steps: int, times: int) -> dict[str, float | int | str]:
    """Returns the milliseconds of each way, and Newton's rounds and distance from the loop."""
    cell, params, inputs = problem(name, size, num_steps)
    projected, start = cell.project(params, inputs).swapaxes(0, 1), cell.initial_state(1)
    steps = Steps(params, projected, start, start, None)
    wanted = recurrence(cell, params, inputs).outputs
    found: dict[str, float | int | str] = {"cell": name, "H": size, "T": num_steps}
    for way in WAYS:

        def run(params: dict, inputs: jax.Array, way: str = way) -> jax.Array:
            return recurrence(cell, params, inputs, scan=way).outputs

        def total(params: dict, inputs: jax.Array, way: str = way) -> jax.Array:
            return recurrence(cell, params, inputs, scan=way).outputs.sum()

        found[f"{way}_forward"] = milliseconds(jax.jit(run), times, params, inputs)
        found[f"{way}_both"] = milliseconds(jax.jit(jax.grad(total)), times, params, inputs)
        if way != "auto":
            count = jax.jit(partial(find_states, cell, diagonal=way == "quasi_newton"))
            found[f"{way}_rounds"] = int(count(steps).rounds)
            found[f"{way}_error"] = float(jnp.abs(run(params, inputs) - wanted).max())
    return found


def main() -> None:
    """Prints a line of JSON for each problem."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=["elman", "gru"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[4, 16, 64])
    parser.add_argument("--steps", nargs="+", type=int, default=[512, 4096])
    parser.add_argument("--times", type=int, default=5, help="timed calls for each way")
    arguments = parser.parse_args()
    for name in arguments.cells:
        for size in arguments.sizes:
            for num_steps in arguments.steps:
                print(json.dumps(measure(name, size, num_steps, arguments.times)), flush=True)


if __name__ == "__main__":
    main()
