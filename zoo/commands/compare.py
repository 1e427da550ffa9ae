"""`python -m zoo compare`: tests whether one model is better than another, or only luckier."""

import argparse
import json
from pathlib import Path

from zoo.commands.lines import (
    add_measured_text,
    check_one_task,
    check_task_flags,
    measured_files,
    measured_request,
)
from zoo.errors import UserError
from zoo.evaluation.modes import MODES
from zoo.types import Json

SUMMARY = "test the difference between two models on a split: the paired bootstrap over its texts"
EXAMPLES = """\
examples:
  python -m zoo compare runs/lstm runs/gru --split=test
  python -m zoo compare runs/topics runs/bag --text=labelled.csv --json
  python -m zoo compare runs/attention runs/vector --source=my.de --target=my.en

The scores are perplexity for language models, accuracy and F1 for classifiers, and BLEU for
translators; taggers cannot be compared. Texts of the split are drawn again and again, with repeats,
and both models are scored on the drawn texts. p is the probability of a difference as large as the
measured one if the models did not differ. It speaks about other texts, not about other seeds of the
training.
"""
_MOST_SAMPLES = 10_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add("first", metavar="CHECKPOINT", help="a released name, a directory or a file")
    add("second", metavar="CHECKPOINT", help="the other model, of the same task")
    add_measured_text(parser, "score this text, or table of labelled texts, instead")
    add("--beam_size", type=int, help="for translators (default: 5)")
    add("--mode", choices=MODES, help=f"for language models (default: {MODES[0]})")
    add("--data_directory", metavar="DIR", help="directory with the corpus of --split")
    add("--samples", type=int, default=10_000, help="number of samples (default: %(default)s)")
    add("--seed", type=int, default=0, help="random seed of the samples (default: %(default)s)")
    add("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> None:
    """Compares the two models, and prints the differences.

    Raises:
        UserError: if the models are of different tasks or corpora, or a file is missing.
    """
    if not 1 <= arguments.samples <= _MOST_SAMPLES:
        raise UserError(f"--samples is {arguments.samples}; use 1 to {_MOST_SAMPLES}")
    if not 0 <= arguments.seed < 2**32:
        raise UserError(f"--seed is {arguments.seed}; use 0 to {2**32 - 1}")
    found = _compare(arguments, measured_files(arguments))
    if arguments.json:
        print(json.dumps(found))
    else:
        print("\n".join(_line(arguments, one) for one in found["differences"]))


def _compare(arguments: argparse.Namespace, files: tuple[Path, ...]) -> Json:
    """Returns the differences, with the models and the texts that they were measured on."""
    import zoo
    from zoo.evaluation.comparing import compare
    from zoo.tasks.registry import find_task

    checkpoints = [zoo.load(name) for name in (arguments.first, arguments.second)]
    nouns = [one.kind.noun for one in checkpoints]
    check_one_task((arguments.first, arguments.second), nouns)
    tasks = [find_task(one.config["model"]["architecture"]) for one in checkpoints]
    for task in tasks:
        check_task_flags(task, arguments)
    request = measured_request(arguments, files)
    statistics = [
        task.statistics(one, request) for task, one in zip(tasks, checkpoints, strict=True)
    ]
    options = {"num_samples": arguments.samples, "seed": arguments.seed}
    differences = [one.to_json() for one in compare(*statistics, **options)]
    read = {"text": arguments.text or arguments.source} if request.files else {}
    names = {"first": arguments.first, "second": arguments.second}
    return names | (read or {"split": arguments.split}) | {"differences": differences}


def _line(arguments: argparse.Namespace, one: Json) -> str:
    """Returns a difference as one line."""
    return (
        f"{one['measure'].replace('_', ' ')}: {arguments.first} {one['first']:.5g}, "
        f"{arguments.second} {one['second']:.5g}, difference {one['difference']:+.4g} "
        f"(95 % of samples {one['low']:+.4g} to {one['high']:+.4g}), p = {one['p_value']:.2g}, "
        f"{one['num_texts']:,} texts"
    )
