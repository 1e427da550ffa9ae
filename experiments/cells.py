"""Every cell as a word language model: perplexity at equal parameters and equal steps.

    python experiments/cells.py --data_directory=DIR --workdir=runs/cells
    python experiments/cells.py --data_directory=DIR --workdir=runs/cells --cells=lstm,min_gru
    python experiments/cells.py --workdir=runs/smoke --smoke

DIR holds ptb.train.txt, ptb.valid.txt and ptb.test.txt (Penn Treebank). Each cell stands alone in
one residual block, after a convolution of width 4. Embeddings and softmax share one matrix. The
width is the largest multiple of eight with which the model has at most 2.3 million parameters. All
cells get the same batches, optimizer and steps, and no setting was searched for any cell.

Prints a table of perplexities on validation and test, with the mean and standard deviation over the
seeds. In the mode stream the state is carried over sentences; in the mode sentence it is reset at
each. Writes cells.md and cells.png to the workdir. The same command continues a stopped run.
--smoke takes a few steps on the manual inside Python.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

sys.path.insert(0, str(Path(__file__).parents[1]))  # for a checkout that is not installed

from experiments.score_grid import chosen
from experiments.scores import spread
from experiments.table2 import perplexity, score_run
from experiments.timed_runs import train_timed
from zoo.diagnostics.pictures import picture, tidy
from zoo.errors import UserError
from zoo.layers.cells import cell_names
from zoo.models.registry import build
from zoo.terminal import run_script
from zoo.training.config import base_config

NUM_TYPES = 10_000
MOST_PARAMETERS = 2_300_000
# An epoch has 1,327 steps: 929,589 tokens in 20 streams, in chunks of 35. One more was taken.
STEPS_PER_EPOCH = 1_328
KINDS = ("stream validation", "stream test", "sentence validation", "sentence test")


class Entry(NamedTuple):
    """The results of a cell: its perplexities by kind, a list with a value for each seed."""

    cell: str
    width: int
    num_parameters: int
    scores: Mapping[str, list[float]]
    minutes: float


def main() -> None:
    """Trains and evaluates the cells, and prints the table."""
    arguments = parse_arguments()
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    entries = []
    for cell in arguments.cells:
        entries.append(run_cell(cell, arguments))
        print(row_of(entries[-1]), flush=True)
    print(write_report(arguments, entries))


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--workdir", type=Path, required=True, help="runs, table and picture")
    add("--data_directory", help="directory with the Penn Treebank")
    add("--cells", default="all", help="names with commas between, or all (default: all)")
    add("--num_seeds", type=int, default=3, help="number of seeds, trained at once (default: 3)")
    add("--num_epochs", type=int, default=2, help="number of epochs of training (default: 2)")
    add("--smoke", action="store_true", help="train two cells for a few steps on another text")
    arguments = parser.parse_args()
    if not arguments.smoke and not arguments.data_directory:
        raise UserError(
            "--data_directory is missing; give --data_directory=DIR with the file ptb.train.txt"
        )
    for name in ("num_seeds", "num_epochs"):
        if getattr(arguments, name) < 1:
            raise UserError(f"--{name} is {getattr(arguments, name)}; use at least 1")
    arguments.num_steps = arguments.num_epochs * STEPS_PER_EPOCH
    arguments.cells = chosen("cells", arguments.cells, cell_names())
    if arguments.smoke:
        arguments.cells, arguments.num_seeds, arguments.num_steps = ["gru", "lru"], 2, 4
    return arguments


def run_cell(cell: str, arguments: argparse.Namespace) -> Entry:
    """Trains a cell's model with all seeds, and evaluates each of them."""
    config = make_config(cell, arguments)
    run = arguments.workdir / cell
    minutes = train_timed(config, run, cell)
    seeds = range(arguments.num_seeds)
    runs = [run / f"seed_{seed}" for seed in seeds] if len(seeds) > 1 else [run]
    of_seeds = [score_run(one, config.data.to_dict()) for one in runs]
    scores = {kind: [perplexity(found[kind]) for found in of_seeds] for kind in KINDS}
    width = config.model.embedding_size
    return Entry(cell, width, num_parameters(cell, width), scores, minutes)


def make_config(cell: str, arguments: argparse.Namespace) -> ConfigDict:
    """Returns the config of the experiment for one cell."""
    config = base_config("recurrent_lm")
    config.data.corpus = "python_docs" if arguments.smoke else "penn_treebank"
    config.data.directory = arguments.data_directory or ""
    config.data.vocabulary = "word"
    config.data.batch_size, config.data.sequence_length = 20, 35
    width = widest(cell)
    for name, value in model_settings(cell, width).items():
        setattr(config.model, name, value)
    config.model.output_dropout_rate = 0.2
    config.optimizer.name = "adamw"
    config.optimizer.learning_rate = 3e-3
    config.optimizer.weight_decay = 0.1
    config.optimizer.clip_norm = 1.0
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 100
    every_steps = min(arguments.num_steps, STEPS_PER_EPOCH)
    config.training.num_steps = arguments.num_steps
    config.training.checkpoint_every_steps = every_steps
    config.training.num_seeds = arguments.num_seeds
    config.evaluation.every_steps = every_steps
    config.evaluation.sample_tokens = 0
    config.evaluation.report = False
    return config


def model_settings(cell: str, width: int) -> dict[str, Any]:
    """Returns the section `model` for a cell with H units, without dropout."""
    return {
        "cell": cell,
        "embedding_size": width,
        "hidden_sizes": (width,),
        "block": "residual",
        "convolution_width": 4,
        "tie_embeddings": True,
    }


def num_parameters(cell: str, width: int) -> int:
    """Returns the number of parameters of a cell's model with H units over 10,000 types."""
    settings = {"architecture": "recurrent_lm", **model_settings(cell, width)}
    model = build(settings, NUM_TYPES)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 1), jnp.int32))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def widest(cell: str) -> int:
    """Returns the largest multiple of eight units that the parameters allow.

    Example:
        >>> num_parameters("gru", widest("gru")) <= MOST_PARAMETERS
        True
    """
    fits, too_wide = 8, MOST_PARAMETERS // NUM_TYPES // 8 * 8 + 8
    while too_wide - fits > 8:
        middle = (fits + too_wide) // 16 * 8
        if num_parameters(cell, middle) <= MOST_PARAMETERS:
            fits = middle
        else:
            too_wide = middle
    return fits


def row_of(entry: Entry) -> str:
    """Returns a line of the table, in Markdown."""
    shown = " | ".join(spread(entry.scores[kind]) for kind in KINDS)
    parameters = f"{entry.num_parameters:,}"
    return f"| `{entry.cell}` | {entry.width} | {parameters} | {shown} | {entry.minutes:.1f} |"


def write_report(arguments: argparse.Namespace, entries: Sequence[Entry]) -> str:
    """Writes the table and the picture, the best cell first; returns the table."""
    best_first = sorted(entries, key=lambda one: statistics.mean(one.scores[KINDS[0]]))
    head = f"| cell | H | parameters | {' | '.join(KINDS)} | minutes |"
    lines = [head, "|---" * (len(KINDS) + 4) + "|", *map(row_of, best_first)]
    below = (
        f"Perplexity, mean and standard deviation of {arguments.num_seeds} seeds, after "
        f"{arguments.num_steps:,} steps on {jax.default_backend()}."
    )
    table = "\n".join([*lines, "", below]) + "\n"
    (arguments.workdir / "cells.md").write_text(table, encoding="utf-8")
    draw(arguments.workdir / "cells.png", best_first)
    return table


def draw(path: Path, entries: Sequence[Entry]) -> None:
    """Draws the validation perplexity of each seed, a row for each cell, the best on top."""
    with picture(path, (6, 1.4 + 0.24 * len(entries))) as (_, axes):
        for row, entry in enumerate(entries):
            values = entry.scores[KINDS[0]]
            axes.plot(values, [row] * len(values), "o", markersize=4, color="#0072B2")
        axes.set_yticks(range(len(entries)), [entry.cell for entry in entries], fontsize=8)
        axes.invert_yaxis()
        axes.set_xlabel("perplexity on validation, each seed a dot")
        tidy(axes)


if __name__ == "__main__":
    run_script(main)
