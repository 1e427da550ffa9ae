"""`python -m zoo evaluate`: measures how good a model is, by the scores of its task."""

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from zoo.commands.adapting import (
    adapt_as_asked,
    add_adapting_arguments,
    check_adapting,
    is_asked,
    reads_corpus,
)
from zoo.commands.lines import (
    add_measured_text,
    check_one_task,
    check_task_flags,
    measured_files,
    measured_request,
)
from zoo.errors import WRONG_FORM, UserError
from zoo.evaluation.modes import MODES
from zoo.report.page import write_report
from zoo.report.records import REPORT
from zoo.report.seeds import Spread, expand, spreads
from zoo.report.sessions import note_evaluation
from zoo.types import Json

if TYPE_CHECKING:
    from zoo.evaluation.classification import ClassificationScore

SUMMARY = "measure a model: perplexity, accuracy and F1, or BLEU"
EXAMPLES = """\
examples:
  python -m zoo evaluate runs/demo --split=test
  python -m zoo evaluate runs/demo --split=test --mode=sentence --json
  python -m zoo evaluate runs/demo --text=notes.txt
  python -m zoo evaluate runs/five_seeds --split=test
  python -m zoo evaluate runs/topics --split=test --picture=confusion.png
  python -m zoo evaluate runs/topics --text=labelled.csv --json
  python -m zoo evaluate runs/toy_german --split=test --beam_size=5
  python -m zoo evaluate runs/toy_german --source=my.de --target=my.en --json

A language model is scored on every token exactly once, with the end of each sentence. For several
models, and for a run of several seeds (training.num_seeds), the output also has the mean of each
score and its standard deviation over the models.
CHECKPOINT is a released name (see `python -m zoo list`), a run's directory (its best step is used),
the directory of one step, or a file that `export` wrote.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument(
        "checkpoints",
        nargs="+",
        metavar="CHECKPOINT",
        help="a released name, a directory or a file; one or several",
    )
    add_measured_text(
        parser,
        "score this UTF-8 text file instead; for a classifier a .csv, .tsv or .jsonl with the "
        "columns that it was trained with",
    )
    parser.add_argument(
        "--beam_size", type=int, help="for a translator: beam size of the search (default: 5)"
    )
    parser.add_argument(
        "--data_directory",
        metavar="DIR",
        help="directory with the corpus of --split; needed if the corpus is read from files",
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="for a language model: stream carries the state over sentences, sentence resets it at "
        f"each sentence (default: {MODES[0]})",
    )
    parser.add_argument(
        "--picture",
        metavar="FILE",
        help="draw the confusion matrix of a classifier: .png, .svg or .pdf",
    )
    add_adapting_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> None:
    """Measures the scores, and prints them.

    Raises:
        UserError: if the checkpoint, the corpus or the text file is missing or damaged.
    """
    names = expand(arguments.checkpoints)
    if len(names) > 1:
        _run_several(names, arguments)
        return
    record = measure(arguments, names[0])
    _note(arguments.checkpoints, names, [record])
    if arguments.json:
        print(json.dumps(record, ensure_ascii=False))
        return
    for name, value in record.items():
        if not isinstance(value, dict | list | None):
            text = f"{value:.4f}" if isinstance(value, float) else str(value)
            if name.startswith(("dynamic_", "cache_")):
                text = f"{value:g}"  # a setting that the user may type again
            print(f"{name:18}  {text}")
    if by_label := record.get("by_label"):
        from zoo.evaluation.classification import LabelScore, label_table

        print(f"\n{label_table([LabelScore(**row) for row in by_label])}")
    if by_type := record.get("by_type"):
        from zoo.evaluation.tagging import TypeScore, type_table

        counts = ("label", "num_right", "num_predicted", "num_gold")
        rows = [TypeScore(*(row[name] for name in counts)) for row in by_type]
        print(f"\n{type_table(rows)}")


def _run_several(names: list[str], arguments: argparse.Namespace) -> None:
    """Measures several models, and prints each score, the mean and the spread."""
    if arguments.picture:
        raise UserError("--picture draws the confusion matrix of one model; give one CHECKPOINT")
    check_one_task(names, [_noun(name) for name in names])
    records = [measure(arguments, name) for name in names]
    _note(arguments.checkpoints, names, records)
    found = spreads([score_values(record) for record in records])
    if arguments.json:
        mean = {name: one.mean for name, one in found.items()}
        spread = {name: one.standard_deviation for name, one in found.items()}
        record = {"runs": records, "mean": mean, "standard_deviation": spread}
        print(json.dumps(record, ensure_ascii=False))
        return
    print(spread_table(names, found))


def _noun(name: str) -> str:
    """Returns what a model is, such as "classifier"; parameters are read only if it is a file."""
    from zoo import hub
    from zoo.tasks.registry import find_task

    if Path(name).expanduser().is_file():
        return hub.load(name).kind.noun
    with suppress(*WRONG_FORM):
        return find_task(hub.describe(name)["config"]["model"]["architecture"]).kind.noun
    return hub.load(name).kind.noun  # which says what is wrong with the records


def _note(given: Sequence[str], names: Sequence[str], records: Sequence[Json]) -> None:
    """Notes scores on the test split in the runs' directories, and writes their reports again."""
    noted = [
        record.get("split") == "test" and note_evaluation(name, record)
        for name, record in zip(names, records, strict=True)
    ]
    for name in dict.fromkeys([*given, *names]) if any(noted) else ():
        page = Path(name).expanduser() / REPORT
        if page.exists():
            with suppress(UserError):
                write_report([page.parent])


def score_values(record: Json) -> dict[str, float]:
    """Returns the scores in a record of `measure`, without counts and settings."""
    return {
        name: value
        for name, value in record.items()
        if isinstance(value, float) and not name.startswith(("dynamic_", "cache_"))
    }


def spread_table(names: Sequence[str], found: Mapping[str, Spread]) -> str:
    """Returns a table with the mean, the standard deviation and each value of scores.

    Example:
        >>> print(spread_table(["a", "b"], {"bleu": Spread(31.0, 1.4142, (30.0, 32.0))}))
        run        bleu
        a       30.0000
        b       32.0000
        mean    31.0000
        spread   1.4142
    """
    rows = [["run", *found]]
    for number, name in enumerate(names):
        rows.append([name, *(f"{one.values[number]:.4f}" for one in found.values())])
    rows.append(["mean", *(f"{one.mean:.4f}" for one in found.values())])
    rows.append(["spread", *(f"{one.standard_deviation:.4f}" for one in found.values())])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def measure(arguments: argparse.Namespace, name: str) -> Json:
    """Returns the scores of one model by name, measured as the arguments say; raises as `run`."""
    own = arguments.text or arguments.source
    check_adapting(arguments)
    if own is not None and arguments.data_directory is not None and not reads_corpus(arguments):
        raise UserError(
            "--data_directory names the corpus of --split; leave it out if you give a file"
        )
    files = measured_files(arguments)
    import zoo
    from zoo.tasks.registry import find_task

    checkpoint = zoo.load(name)
    task = find_task(checkpoint.config["model"]["architecture"])
    check_task_flags(task, arguments)
    request = measured_request(arguments, files)
    adapting: Json = {}
    if is_asked(arguments):
        adapted, adapting = adapt_as_asked(checkpoint, arguments, request.mode)
        request = request._replace(adapted=adapted)
    score = task.measure(checkpoint, request)
    if arguments.picture:
        from zoo.diagnostics.confusion import draw_confusion

        draw_confusion(arguments.picture, cast("ClassificationScore", score))
    read = {"split": arguments.split} if own is None else {"text": own}
    head = {"checkpoint": str(checkpoint.directory), "step": checkpoint.step, **read}
    return head | adapting | score.to_json()
