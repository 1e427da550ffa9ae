"""Counting by each recurrence: tasks of the Chomsky hierarchy, trained short and scored long.

    python experiments/counting.py --workdir=runs/counting
    python experiments/counting.py --workdir=runs/counting --tasks=all
    python experiments/counting.py --workdir=runs/parity --tasks=parity_check --cells=lstm,delta_net
    python experiments/counting.py --workdir=runs/smoke --smoke

Trains every cell, and a Transformer, on the tasks of Delétang et al. (2023) and on the word
problems of A5 and S5 (Merrill et al. 2024), see counting_tasks.py. Each batch has one length n,
drawn from 1 to 40. Scores are the share of right answers on lengths from 41 to 500; in a word
problem only the last answer counts. Guessing gives 50 % if answers are bits. All cells stand in a
residual block of 32 units, see sequence_learning.py. The paper trains one plain layer of 256 units
for up to a million steps, and takes the best of several learning rates. A run ends early once
99.95 % of its answers over 200 batches are right. --smoke takes about three minutes.

Several processes may share a workdir if each has cells of its own. The command for all cells then
prints the whole table. In this way, the eight default tasks took 75 minutes on 2 cores, with one
half of the cells on each (`taskset -c 0 python experiments/counting.py --cells=...`).

Prints a table with our scores and, in brackets, the paper's scores. Writes counting.md,
counting.png and counting.jsonl, with a line for each finished run, to the workdir. The same command
continues a stopped experiment.
"""

import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # for a checkout that is not installed

from experiments.counting_tasks import NUM_SYMBOLS, TASKS, Batch, CountingTask, make_batch
from experiments.score_grid import Grid, parse_arguments, run_grid
from experiments.sequence_learning import (
    TRANSFORMER,
    Answering,
    SequenceModel,
    Settings,
    bucket,
    fill,
    score,
    train,
)
from zoo.terminal import run_script

LONGEST = 40  # the largest length in training
SCORED = (41, 60, 80, 120, 160, 240, 360, 500)
ROWS, LONG_ROWS = 64, 16  # scored rows of each length: with at most 512 steps, and with more

# Delétang et al. 2023, table of mean accuracies on lengths 41 to 500, in per cent.
_PUBLISHED_CELLS = ("elman", "lstm", TRANSFORMER)
_PUBLISHED = {
    "even_pairs": (100, 100, 67.7),
    "modular_arithmetic": (100, 100, 23.1),
    "parity_check": (95.5, 100, 50.4),
    "cycle_navigation": (100, 90.0, 33.9),
    "stack_manipulation": (54.5, 58.1, 51.1),
    "reverse_string": (60.6, 59.5, 56.1),
    "duplicate_string": (50.2, 56.5, 52.8),
    "missing_duplicate": (51.7, 53.1, 53.8),
    "odds_first": (50.4, 54.6, 52.7),
    "binary_addition": (49.5, 54.8, 51.7),
    "binary_multiplication": (49.6, 52.9, 50.4),
    "compute_sqrt": (53.9, 57.3, 51.5),
    "bucket_sort": (22.5, 79.4, 35.7),
}


GRID = Grid(
    name="counting",
    guessing={name: 100 / task.num_answers for name, task in TASKS.items()},
    published={
        task: dict(zip(_PUBLISHED_CELLS, scores, strict=True))
        for task, scores in _PUBLISHED.items()
    },
    smoke_cells="elman,lstm,delta_net_signed,transformer",
    smoke_tasks="parity_check,reverse_string,word_problem_a5",
    usual_tasks="even_pairs,parity_check,cycle_navigation,modular_arithmetic,stack_manipulation,"
    "reverse_string,bucket_sort,word_problem_a5",
)


def main() -> None:
    """Trains and evaluates the cells, and prints the table."""
    arguments = parse_arguments(__doc__.splitlines()[0], GRID, Settings())
    lengths = SCORED[:2] if arguments.smoke else SCORED
    note = (
        f"Right answers in per cent on lengths {lengths[0]} to {lengths[-1]}, after training on "
        f"lengths 1 to {LONGEST}; in brackets Delétang et al. (2023)."
    )
    run_grid(arguments, GRID, partial(learn, lengths), note)


def learn(
    lengths: tuple[int, ...], cell: str, name: str, seed: int, settings: Settings
) -> dict[str, Any]:
    """Trains one cell on one task; returns its scores in per cent, also by length."""
    task = TASKS[name]
    sizes = (settings.width, settings.num_layers, settings.convolution_width)
    answering = Answering(SequenceModel(cell, NUM_SYMBOLS, NUM_SYMBOLS, *sizes))
    draw_batch = partial(training_batch, task, settings.batch_size)
    state, recent = train(answering, draw_batch, settings, seed)
    by_length = {
        length: 100 * score(answering, state.params, [scored_batch(task, seed, length)])
        for length in lengths
    }
    return {
        "score": statistics.mean(by_length.values()),
        "by_length": by_length,
        "training_score": 100 * recent,
        "steps": int(state.step),
    }


def training_batch(task: CountingTask, num_rows: int, draw: np.random.Generator) -> Batch:
    """Returns a batch of one random length up to LONGEST."""
    batch = make_batch(task, draw, num_rows, int(draw.integers(1, LONGEST + 1)))
    return fill(batch, bucket(batch.inputs.shape[1], smallest=48))


def scored_batch(task: CountingTask, seed: int, length: int) -> Batch:
    """Returns the batch that is scored for a length, which no training sees."""
    num_steps = make_batch(task, np.random.default_rng(0), 1, length).inputs.shape[1]
    num_rows = ROWS if num_steps <= 512 else LONG_ROWS
    batch = make_batch(task, np.random.default_rng([seed, length]), num_rows, length, True)
    return fill(batch, bucket(batch.inputs.shape[1], smallest=512))


if __name__ == "__main__":
    run_script(main)
