"""`python -m zoo classify`: labels texts, and prints a JSON object for each."""

import argparse
from typing import TYPE_CHECKING

from zoo.commands.lines import UnknownTokens
from zoo.commands.rows import Row, add_row_arguments, check_row_arguments, given_rows, row_writer
from zoo.errors import UserError
from zoo.special_tokens import UNKNOWN
from zoo.types import Json

if TYPE_CHECKING:
    from zoo.evaluation.classifying import Classification, TrainedClassifier

SUMMARY = "label texts with a classifier, and print a JSON object for each text"
EXAMPLES = """\
examples:
  python -m zoo classify runs/topics "The else clause runs when the loop ends."
  python -m zoo classify runs/topics --file=questions.txt
  python -m zoo classify runs/topics --file=table.csv --column=text --id=ID --output=labels.csv
  cat questions.txt | python -m zoo classify runs/topics --tokens
  python -m zoo classify runs/topics "It raises an exception." --picture=tokens.png

Texts are the arguments, the lines of a file, or the lines of standard input; an empty text gets a
label too. With --column, texts are the rows of a table, and the results are a table, too. It has
the id or the text, the label and its probability; with --top=5 it has the five most probable
labels. With --tokens, each object has the tokens that were read and their shares in the pooled
vector. CHECKPOINT is a released name (see `python -m zoo list`), a run's directory (its best step
is used), the directory of one step, or a file that `export` wrote.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add_row_arguments(parser, "label")
    add("--top", type=int, metavar="K", help="print the K most probable labels of each text")
    add("--tokens", action="store_true", help="add the tokens and their weights")
    add("--picture", metavar="FILE", help="draw the tokens that decided: .png, .svg or .pdf")


def run(arguments: argparse.Namespace) -> None:
    """Prints the labels of the texts.

    Raises:
        UserError: if there is no text, or the checkpoint is not a classifier.
    """
    chosen = check_row_arguments(arguments)
    if arguments.picture and not arguments.texts:
        raise UserError("--picture draws the texts of the command line; give one or more")
    if arguments.top is not None and arguments.top < 1:
        raise UserError(f"--top is {arguments.top}; use at least 1, such as 5")
    is_table = chosen != "jsonl"
    if is_table and arguments.tokens:
        raise UserError("--tokens are lists, which a table does not hold; use --format=jsonl")
    from zoo.evaluation.classifying import TrainedClassifier, classify
    from zoo.models.trained import require

    unknown = UnknownTokens()
    with row_writer(arguments.output, chosen) as write:
        checkpoint = require(arguments.checkpoint, TrainedClassifier)
        for rows in given_rows(arguments):
            results = classify(checkpoint, [row.text for row in rows])
            for row, result in zip(rows, results, strict=True):
                unknown.count(result.tokens.count(UNKNOWN))
                make = _table_row if is_table else _record
                write(make(checkpoint, row, result, arguments))
            if arguments.picture:
                from zoo.diagnostics.deciding_tokens import draw_deciding_tokens

                draw_deciding_tokens(arguments.picture, results)
    unknown.tell()


def _most_probable(result: "Classification", count: int) -> dict[str, float]:
    """Returns the most probable labels of a text with their probabilities, the best first."""
    order = sorted(result.probabilities, key=lambda label: -result.probabilities[label])
    return {label: result.probabilities[label] for label in order[:count]}


def _record(
    checkpoint: "TrainedClassifier",
    row: Row,
    result: "Classification",
    arguments: argparse.Namespace,
) -> Json:
    """Returns the result of a text as JSON."""
    del checkpoint
    record = result.to_json()
    if arguments.top is not None:
        record["probabilities"] = _most_probable(result, arguments.top)
    left_out = (() if arguments.tokens else ("tokens", "weights")) + (("text",) if row.key else ())
    return row.key | {name: value for name, value in record.items() if name not in left_out}


def _table_row(
    checkpoint: "TrainedClassifier",
    row: Row,
    result: "Classification",
    arguments: argparse.Namespace,
) -> Json:
    """Returns the result of a text as a row of a table: its id or the text, and its labels."""
    cells: Json = dict(row.key) or {"text": row.text}
    if checkpoint.labels.multiple:
        separator = checkpoint.config.get("data", {}).get("label_separator") or ","
        cells["labels"] = separator.join(result.labels)
    for rank, (label, value) in enumerate(_most_probable(result, arguments.top or 1).items()):
        number = f"_{rank + 1}" if rank or checkpoint.labels.multiple else ""
        cells |= {f"label{number}": label, f"probability{number}": value}
    return cells
