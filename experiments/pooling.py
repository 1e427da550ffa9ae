"""Poolings and cells on one corpus, and the padding trap.

    python experiments/pooling.py --workdir=runs/pooling
    python experiments/pooling.py --workdir=runs/pooling_trec \
        --config=configs/trec_classifier.py --data_directory=DIR
    python experiments/pooling.py --workdir=runs/smoke --smoke

Trains three cells, and a bag of embeddings, with every pooling and several seeds. Prints the mean
and spread of the validation accuracy; the test split is not used. Then comes the trap: a network
that takes the padding after a text for text, and reads its last state there. Writes pooling.md,
pooling.json and pooling.png to the workdir. When started again, it continues a stopped experiment.
"""

import argparse
import dataclasses
import importlib.util
import json
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

sys.path.insert(0, str(Path(__file__).parents[1]))  # for a checkout that is not installed

from experiments.scores import per_cent
from experiments.timed_runs import train_timed
from zoo.data.config import LabeledDataConfig
from zoo.data.labeled_batching import LabeledBatch
from zoo.diagnostics.pictures import COLOURS, picture, tidy
from zoo.errors import UserError
from zoo.layers.pooling import POOLINGS
from zoo.models.classifier import NO_CELL
from zoo.tasks.classification import CLASSIFICATION, ClassifierWorkload
from zoo.tasks.encoded_labeled import encode_labeled_corpus
from zoo.terminal import run_script
from zoo.training import checkpoints, step_files
from zoo.training.loop import train_workload

CELLS = (NO_CELL, "elman", "gru", "lstm")
TRAP = "last, read from padding"
DEFAULT_CONFIG = Path(__file__).parents[1] / "configs" / "python_docs_topics_classifier.py"


def main() -> None:
    """Trains and evaluates the models, and prints the table."""
    arguments = parse_arguments()
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, list[float]]] = {}
    minutes = 0.0
    for cell in CELLS:
        for column in (*POOLINGS, TRAP) if cell != NO_CELL else POOLINGS:
            runs = [train_one(arguments, cell, column, seed) for seed in range(arguments.num_seeds)]
            results.setdefault(cell, {})[column] = [run.accuracy for run in runs]
            minutes += sum(run.minutes for run in runs)
            print(f"{cell:6} {column:10} {per_cent(results[cell][column])}", flush=True)
    print(write_report(arguments, results, minutes))


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, required=True, help="runs, table and picture")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="a classifier's config")
    parser.add_argument("--data_directory", default="", help="directory with the corpus")
    parser.add_argument("--num_seeds", type=int, default=3, help="number of seeds (default: 3)")
    parser.add_argument("--smoke", action="store_true", help="train one seed for a few steps")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.num_seeds = 1
    if arguments.num_seeds < 1:
        raise UserError(f"--num_seeds is {arguments.num_seeds}; use at least 1")
    return arguments


def read_config(arguments: argparse.Namespace) -> ConfigDict:
    """Returns the config that every run changes."""
    spec = importlib.util.spec_from_file_location("config", arguments.config)
    if spec is None or spec.loader is None or not arguments.config.exists():
        raise UserError(f"{arguments.config} is not a config; give one of configs/*_classifier.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config()
    config.data.directory = arguments.data_directory
    if arguments.smoke:
        config.training.num_steps = config.evaluation.every_steps = 10
        config.evaluation.report = False
        config.data.bucket_lengths = (64,)
    return config


class Trained(NamedTuple):
    """The best validation accuracy of a run, and its training time."""

    accuracy: float
    minutes: float


def train_one(arguments: argparse.Namespace, cell: str, column: str, seed: int) -> Trained:
    """Trains or continues one run; the column is its pooling, or the trap."""
    trap = column == TRAP
    pooling = "last" if trap else column
    config = read_config(arguments)
    config.model.cell, config.model.pooling = cell, pooling
    config.training.seed = seed
    # One direction only, so that the last state has read everything.
    config.model.bidirectional = False
    run = arguments.workdir / f"{cell}_{pooling}{'_trap' if trap else ''}_seed{seed}"

    def train_run(config: ConfigDict, workdir: str) -> None:
        workload = CLASSIFICATION.workload(config)
        if trap:
            workload = into_the_trap(workload, config)
        train_workload(config, workload, workdir, log=lambda line: None)

    minutes = train_timed(config, run, run.name, train_run)
    last = checkpoints.step_directory(run, config.training.num_steps)
    error = step_files.read_json(last / checkpoints.PROGRESS)["best_score"]
    return Trained(1 - error, minutes)


@dataclasses.dataclass(frozen=True)
class PaddedBatches:
    """Batches in which every text is as long as the longest bucket, and padding counts as text."""

    batches: Any
    num_steps: int

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches per epoch."""
        return self.batches.batches_per_epoch

    def with_seed(self, seed: int) -> "PaddedBatches":
        """Returns the same batches in the order of another seed."""
        return PaddedBatches(self.batches.with_seed(seed), self.num_steps)

    def batch(self, epoch: int, index: int) -> LabeledBatch:
        """Returns a batch without the knowledge of where its texts end."""
        return blind(self.batches.batch(epoch, index), self.num_steps)


def blind(batch: LabeledBatch, num_steps: int) -> LabeledBatch:
    """Returns the same texts, padded to one length that is taken for their own."""
    missing = num_steps - batch.tokens.shape[1]
    tokens = np.pad(batch.tokens, ((0, 0), (0, max(missing, 0))), mode="edge")[:, :num_steps]
    return batch._replace(tokens=tokens, lengths=np.full(len(tokens), num_steps, np.int32))


def into_the_trap(workload: ClassifierWorkload, config: ConfigDict) -> ClassifierWorkload:
    """Returns a workload that trains and evaluates on padding as if it were text."""
    texts = encode_labeled_corpus(LabeledDataConfig(**config.data))
    num_steps = max(len(row) for row in (*texts.train.rows, *texts.validation.rows))
    rows = [np.pad(row, (0, num_steps - len(row)), mode="edge") for row in texts.validation.rows]
    return dataclasses.replace(
        workload,
        batches=PaddedBatches(workload.batches, num_steps),
        validation=workload.validation._replace(rows=rows),
    )


def write_report(
    arguments: argparse.Namespace, results: dict[str, dict[str, list[float]]], minutes: float
) -> str:
    """Returns the table; also writes it, with its numbers and a bar chart, to the workdir."""
    columns = [*POOLINGS, TRAP]
    lines = [
        f"| cell | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
        *(
            f"| {cell} | {' | '.join(per_cent(row[c]) if c in row else '-' for c in columns)} |"
            for cell, row in results.items()
        ),
    ]
    note = (
        f"\nValidation accuracy in per cent, mean and standard deviation of {arguments.num_seeds} "
        f"seeds; {arguments.config.stem}, one direction; {minutes:.0f} minutes.\n"
    )
    table = "\n".join(lines) + "\n" + note
    (arguments.workdir / "pooling.md").write_text(table, encoding="utf-8")
    (arguments.workdir / "pooling.json").write_text(json.dumps(results, indent=1) + "\n")
    draw(arguments.workdir / "pooling.png", results, columns)
    return table


def draw(path: Path, results: dict[str, dict[str, list[float]]], columns: list[str]) -> None:
    """Draws bars for each cell, with a colour for each pooling."""
    width = 0.8 / len(columns)
    with picture(path, (8, 4)) as (_, axes):
        for number, column in enumerate(columns):
            cells = [at for at, row in enumerate(results.values()) if column in row]
            scores = [row[column] for row in results.values() if column in row]
            axes.bar(
                [at + number * width for at in cells],
                [statistics.mean(score) for score in scores],
                width,
                yerr=[statistics.stdev(s) if len(s) > 1 else 0 for s in scores],
                label=column,
                color=COLOURS[number],
            )
        names = ["bag of embeddings" if cell == NO_CELL else cell for cell in results]
        axes.set_xticks([at + 2 * width for at in range(len(names))], names)
        axes.set_ylabel("validation accuracy")
        axes.legend(ncols=3, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        tidy(axes)


if __name__ == "__main__":
    run_script(main)
