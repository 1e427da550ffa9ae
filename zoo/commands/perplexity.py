"""`python -m zoo perplexity`: prints the perplexity of each of many texts."""

import argparse

from zoo.commands.lines import UnknownTokens
from zoo.commands.rows import (
    add_row_arguments,
    check_row_arguments,
    given_rows,
    row_writer,
    with_key,
)
from zoo.errors import UserError
from zoo.types import Json

SUMMARY = "print the perplexity of each text by a language model, as a JSON object for each"
EXAMPLES = """\
examples:
  python -m zoo perplexity runs/lstm "it rains in the morning"
  python -m zoo perplexity runs/lstm --file=sentences.txt --format=tsv
  python -m zoo perplexity runs/lstm --file=table.csv --column=text --id=ID --output=scores.csv
  cat sentences.txt | python -m zoo perplexity runs/lstm --tokens

Texts are the arguments, the lines of a file, or the lines of standard input. Each text is scored by
itself, with its end; python -m zoo evaluate scores a text as a whole. With --tokens, each object
has the tokens and the surprisal of each token, -log2 of its probability, in bits. CHECKPOINT is a
released name (see `python -m zoo list`), a run's directory (its best step is used), the directory
of one step, or a file that `export` wrote.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add_row_arguments(parser, "score")
    parser.add_argument("--tokens", action="store_true", help="add the tokens and their bits")


def run(arguments: argparse.Namespace) -> None:
    """Prints the perplexity of each text.

    Raises:
        UserError: if there is no text, or the checkpoint is not a language model.
    """
    chosen = check_row_arguments(arguments)
    if arguments.tokens and chosen != "jsonl":
        raise UserError("--tokens adds lists, which a table does not hold; use --format=jsonl")
    from zoo.evaluation.line_scores import line_details
    from zoo.models.trained import require_language_model

    unknown = UnknownTokens()
    with row_writer(arguments.output, chosen) as write:
        model = require_language_model(arguments.checkpoint)
        for rows in given_rows(arguments):
            texts = [row.text for row in rows]
            for row, (score, detail) in zip(rows, line_details(model, texts), strict=True):
                unknown.count(score.num_unknown)
                record: Json = {} if row.key else {"text": row.text}
                record |= {
                    "perplexity": score.perplexity,
                    "nats": score.nats,
                    "num_tokens": score.num_tokens,
                    "num_unknown": score.num_unknown,
                }
                write(with_key(row, record | (detail.to_json() if arguments.tokens else {})))
    unknown.tell()
