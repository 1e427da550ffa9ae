"""`python -m zoo classify`: labels texts, and prints a JSON object for each."""

import argparse
import sys
from typing import TYPE_CHECKING

from zoo.commands.lines import UnknownTokens
from zoo.commands.rows import (
    Row,
    add_row_arguments,
    check_row_arguments,
    given_rows,
    row_writer,
    with_key,
)
from zoo.errors import UserError
from zoo.special_tokens import UNKNOWN
from zoo.types import Json

if TYPE_CHECKING:
    from zoo.evaluation.attribution import Attribution
    from zoo.evaluation.classifying import Classification, TrainedClassifier

SUMMARY = "label texts with a classifier, and print a JSON object for each text"
EXAMPLES = """\
examples:
  python -m zoo classify runs/topics "The else clause runs when the loop ends."
  python -m zoo classify runs/topics --file=questions.txt
  python -m zoo classify runs/topics --file=table.csv --column=text --id=ID --output=labels.csv
  cat questions.txt | python -m zoo classify runs/topics --tokens
  python -m zoo classify runs/topics "It raises an exception." --picture=tokens.png
  python -m zoo classify runs/topics "It raises an exception." --attribution=leave_one_out

Texts are the arguments, the lines of a file, or the lines of standard input; an empty text is
labelled too. With --column the rows of a table have the texts, and the results are a table, too:
the id or the text, the label and its probability, and with --top=5 the five most probable labels.
With --tokens each object holds the tokens that were read and the share of each token in the pooled
vector. The share says which states were read, not which label they speak for. --attribution says
how many nats each token adds to the log-probability of the most probable label: "leave_one_out"
reads the text without the token, "integrated_gradients" follows the gradient from zero embeddings
to the embeddings of the text. CHECKPOINT is a released name (see `python -m zoo list`), a run's
directory (its best step is used), the directory of one step, or a file that `export` wrote.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add_row_arguments(parser, "label")
    add("--top", type=int, metavar="K", help="print the K most probable labels of each text")
    add("--tokens", action="store_true", help="add the tokens and their weights")
    add(
        "--attribution",
        choices=("leave_one_out", "integrated_gradients"),
        help="add how much each token speaks for the most probable label",
    )
    add(
        "--picture",
        metavar="FILE",
        help="draw each token's attribution, or without --attribution its share in the pooled "
        "vector: .png, .svg or .pdf",
    )


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
    for flag in ("tokens", "attribution"):
        if is_table and getattr(arguments, flag):
            raise UserError(f"--{flag} adds lists, which a table does not hold; use --format=jsonl")
    from zoo.evaluation.classifying import TrainedClassifier, classify
    from zoo.models.trained import require

    unknown, num_cut = UnknownTokens(), 0
    with row_writer(arguments.output, chosen) as write:
        checkpoint = require(arguments.checkpoint, TrainedClassifier)
        for rows in given_rows(arguments):
            texts = [row.text for row in rows]
            results, found = classify(checkpoint, texts), []
            if arguments.attribution:
                from zoo.evaluation.attribution import attribute

                found = attribute(checkpoint, texts, method=arguments.attribution)
            for number, (row, result) in enumerate(zip(rows, results, strict=True)):
                unknown.count(result.tokens.count(UNKNOWN))
                num_cut += result.is_cut
                make = _table_row if is_table else _record
                more = {"attribution": _attributed(found[number])} if found else {}
                write(make(checkpoint, row, result, arguments) | more)
            if arguments.picture:
                _draw(arguments.picture, results, found)
    unknown.tell()
    if num_cut:
        print(
            f"note: {num_cut:,} of {unknown.num_texts:,} texts have more than "
            f"{checkpoint.max_tokens} tokens, of which the model does not read the "
            f"{checkpoint.cut}; to read more, train with data.max_tokens=NUMBER",
            file=sys.stderr,
        )


def _draw(path: str, results: "list[Classification]", found: "list[Attribution]") -> None:
    """Draws the attributions, or without any the shares in the pooled vector."""
    from zoo.diagnostics.shaded_tokens import draw_attributions, draw_pooled_tokens

    if found:
        draw_attributions(path, found)
    else:
        draw_pooled_tokens(path, results)


def _attributed(found: "Attribution") -> Json:
    """Returns an attribution as JSON, without the text, which stands beside it."""
    return {name: value for name, value in found.to_json().items() if name != "text"}


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
    return with_key(row, {name: value for name, value in record.items() if name not in left_out})


def _table_row(
    checkpoint: "TrainedClassifier",
    row: Row,
    result: "Classification",
    arguments: argparse.Namespace,
) -> Json:
    """Returns the result of a text as a row of a table: its id or the text, and its labels."""
    cells: Json = {} if row.key else {"text": row.text}
    if checkpoint.labels.multiple:
        separator = checkpoint.config.get("data", {}).get("label_separator") or ","
        cells["labels"] = separator.join(result.labels)
    for rank, (label, value) in enumerate(_most_probable(result, arguments.top or 1).items()):
        number = f"_{rank + 1}" if rank or checkpoint.labels.multiple else ""
        cells |= {f"label{number}": label, f"probability{number}": value}
    return with_key(row, cells)
