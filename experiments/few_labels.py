"""A classifier from few labels: from nothing, and from a language model of the same texts.

    python experiments/few_labels.py --data_directory=DIR --workdir=runs/few_labels
    python experiments/few_labels.py --workdir=runs/smoke --smoke

DIR holds the film reviews of IMDB, see configs/imdb_classifier.py. A language model reads all
training reviews without their labels. Then classifiers learn from 100, 1,000 and 10,000 labelled
reviews: from nothing; from the language model; and from it with gradual unfreezing and lower rates
for lower layers (Howard and Ruder 2018). The default for own tables, which has another
architecture, is the fourth row. Prints the accuracy on validation and on the test split, both cut
to a random part, and writes few_labels.md and few_labels.json to the workdir. When started again,
it continues.
"""

import argparse
import csv
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ml_collections import ConfigDict

sys.path.insert(0, str(Path(__file__).parents[1]))  # for a checkout that is not installed

import zoo
from experiments.scores import per_cent
from experiments.timed_runs import train_timed
from zoo.data.config import LabeledDataConfig
from zoo.data.loading import LabeledTexts, load_labeled_corpus
from zoo.errors import UserError
from zoo.terminal import run_script
from zoo.training.config import base_config

NOTHING, PRETRAINED, BY_LAYER, DEFAULT = "nothing", "language model", "by layer", "csv_classifier"
STARTS = (NOTHING, PRETRAINED, BY_LAYER, DEFAULT)
VALIDATION_TEXTS, TEST_TEXTS = 2000, 5000
LANGUAGE_MODEL_EPOCHS = 2


class Plan(NamedTuple):
    """The batch size, the epochs and the number of runs of classifiers."""

    batch_size: int
    num_epochs: int
    num_seeds: int


PLANS = {100: Plan(10, 20, 3), 1000: Plan(25, 10, 3), 10_000: Plan(32, 3, 1)}  # by labelled texts
SMOKE = {200: Plan(10, 2, 1)}


class Score(NamedTuple):
    """The accuracy of a run on both parts, and its minutes."""

    validation: float
    test: float
    minutes: float


def main() -> None:
    """Trains all models and prints the table."""
    arguments = parse_arguments()
    plans = SMOKE if arguments.smoke else PLANS
    write_texts(arguments, tuple(plans))
    config = language_model(arguments)
    minutes = train_timed(config, arguments.workdir / "language_model", "language model")
    results: dict[str, dict[str, list[Score]]] = {}
    for size, plan in plans.items():
        for start in STARTS:
            seeds = range(plan.num_seeds)
            scores = [train_one(arguments, size, plan, start, seed) for seed in seeds]
            results.setdefault(start, {})[str(size)] = scores
            print(
                f"{size:6} {start:15} {per_cent([one.validation for one in scores])}",
                flush=True,
            )
    print(write_report(arguments.workdir, results, minutes))


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, required=True, help="texts, runs and table")
    parser.add_argument("--data_directory", default="", help="directory with the corpus IMDB")
    parser.add_argument("--smoke", action="store_true", help="train a few steps on a small corpus")
    arguments = parser.parse_args()
    if not arguments.smoke and not arguments.data_directory:
        raise UserError("--data_directory is missing; give --data_directory=DIR with train.tsv.gz")
    return arguments


def write_texts(arguments: argparse.Namespace, sizes: Sequence[int]) -> None:
    """Writes a table of each size for the classifiers, and all texts for the language model."""
    corpus = "python_docs_topics" if arguments.smoke else "imdb"
    data = LabeledDataConfig(corpus=corpus, directory=arguments.data_directory)
    splits = load_labeled_corpus(data).splits
    validation, test = (
        shuffled(splits[name])[:most]
        for name, most in (("validation", VALIDATION_TEXTS), ("test", TEST_TEXTS))
    )
    train = shuffled(splits["train"])
    for size in sizes:
        tables = {"train": train[:size], "validation": validation, "test": test}
        directory = arguments.workdir / f"table_{size}"
        directory.mkdir(parents=True, exist_ok=True)
        for name, rows in tables.items():
            with (directory / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("text", "label"), *rows])
    texts = {"train": train, "valid": validation, "test": test}
    directory = arguments.workdir / "texts"
    directory.mkdir(exist_ok=True)
    for name, rows in texts.items():
        lines = "".join(f"{' '.join(text.split())}\n" for text, _ in rows)
        (directory / f"{name}.txt").write_text(lines, encoding="utf-8")


def shuffled(split: LabeledTexts) -> list[tuple[str, str]]:
    """Returns the texts of a split with their labels in a random order, always the same one."""
    rows = [(text, label) for text, (label,) in zip(split.texts, split.labels, strict=True)]
    random.Random(0).shuffle(rows)
    return rows


def language_model(arguments: argparse.Namespace) -> ConfigDict:
    """Returns the config of the language model over words."""
    config = zoo.config("text_file_lstm")
    config.data.directory = str(arguments.workdir / "texts")
    config.data.vocabulary = "lowercase_word"
    config.data.vocabulary_size = 10_000
    config.data.batch_size, config.data.sequence_length = 32, 35
    config.model.embedding_size, config.model.hidden_sizes = 128, (256,)
    config.model.embedding_dropout_rate = config.model.output_dropout_rate = 0.2
    config.optimizer.learning_rate = 3e-3
    config.training.num_epochs = float(LANGUAGE_MODEL_EPOCHS)
    config.evaluation.num_streams = 32
    if arguments.smoke:
        config.training.num_epochs, config.training.num_steps = 0.0, 10
        config.training.checkpoint_every_steps = config.evaluation.every_steps = 10
        config.evaluation.report = False
    return config


def classifier(arguments: argparse.Namespace, size: int, plan: Plan, start: str) -> ConfigDict:
    """Returns the config of a classifier with the layers of the language model."""
    config = base_config("classifier")
    config.data.corpus = "table_file"
    config.data.vocabulary_size = 10_000
    config.data.max_tokens, config.data.cut = 200, "middle"
    config.data.bucket_lengths = (64, 128, 201)
    config.data.batch_size = plan.batch_size
    config.model.cell, config.model.bidirectional = "lstm", False
    config.model.embedding_size, config.model.hidden_sizes = 128, (256,)
    config.model.pooling = "max"
    config.model.word_dropout_rate = 0.1
    config.model.embedding_dropout_rate = 0.3
    config.model.pooled_dropout_rate = 0.5
    config.optimizer.schedule = "linear"
    config.optimizer.learning_rate = 2e-3
    steps_per_epoch = size // config.data.batch_size
    num_steps = plan.num_epochs * steps_per_epoch
    config.optimizer.warmup_steps = num_steps // 10
    config.training.num_steps = config.training.checkpoint_every_steps = num_steps
    config.evaluation.every_steps = max(1, num_steps // 5)
    if start != NOTHING:
        config.training.init_from = str(arguments.workdir / "language_model")
        config.training.keep_tokens = True
    if start == BY_LAYER:
        config.optimizer.layer_rate_factor = 1 / 2.6
        config.optimizer.unfreeze_every_steps = steps_per_epoch
    return config


def train_one(arguments: argparse.Namespace, size: int, plan: Plan, start: str, seed: int) -> Score:
    """Trains or continues one run, and measures it."""
    table = arguments.workdir / f"table_{size}"
    if start == DEFAULT:
        config = zoo.config("csv_classifier")
    else:
        config = classifier(arguments, size, plan, start)
    config.data.directory, config.training.seed = str(table), seed
    if arguments.smoke:
        config.evaluation.report = False
        if start == DEFAULT:
            config.training.num_epochs = 2.0
    run = arguments.workdir / f"{start.replace(' ', '_')}_{size}_seed{seed}"
    minutes = train_timed(config, run, run.name)
    scores = []
    for split in ("validation", "test"):
        kept = run / f"{split}.json"
        if not kept.exists():
            score = zoo.evaluate_classifier(str(run), *read_table(table / f"{split}.csv"))
            kept.write_text(json.dumps(score.accuracy))
        scores.append(json.loads(kept.read_text()))
    return Score(scores[0], scores[1], minutes)


def read_table(path: Path) -> tuple[list[str], list[str]]:
    """Returns the texts and labels of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["label"] for row in rows]


def write_report(workdir: Path, results: dict[str, dict[str, list[Score]]], minutes: float) -> str:
    """Returns the table; also writes it, with its numbers, to the workdir."""
    sizes = list(results[NOTHING])
    lines = [
        f"| start | {' | '.join(f'{int(size):,} texts: validation | test' for size in sizes)} |",
        f"|---|{'---|' * (2 * len(sizes))}",
    ]
    for start, row in results.items():
        cells = [per_cent([s[part] for s in row[size]]) for size in sizes for part in (0, 1)]
        lines.append(f"| {start} | {' | '.join(cells)} |")
    spent = sum(one.minutes for row in results.values() for runs in row.values() for one in runs)
    lines.append(
        f"\nAccuracy in per cent, mean and standard deviation over seeds; the language model took "
        f"{minutes:.0f} minutes, all classifiers {spent:.0f}."
    )
    table = "\n".join(lines) + "\n"
    (workdir / "few_labels.md").write_text(table, encoding="utf-8")
    (workdir / "few_labels.json").write_text(json.dumps(results, indent=1) + "\n")
    return table


if __name__ == "__main__":
    run_script(main)
