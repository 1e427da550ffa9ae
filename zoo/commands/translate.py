"""`python -m zoo translate`: translates texts, and prints a line for each."""

import argparse
import sys
from typing import TYPE_CHECKING

from zoo.commands.lines import UnknownTokens
from zoo.commands.rows import (
    TABLES,
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
    from zoo.decoding.translation import Translation

FORMATS = (*TABLES, "text")

SUMMARY = "translate texts with an encoder-decoder, and print a line for each text"
EXAMPLES = """\
examples:
  python -m zoo translate runs/toy "der alte Hund schläft ."
  python -m zoo translate runs/toy --file=source.txt > translations.txt
  python -m zoo translate runs/toy --file=table.csv --column=de --id=ID --output=english.csv
  cat source.txt | python -m zoo translate runs/toy --beam_size=1
  python -m zoo translate runs/toy "die Frau ruft das Kind an ." --json --picture=alignment.png

Texts are the arguments, the lines of a file, or the lines of standard input. Each translation is
printed on its own line, in the same order; an empty line stays empty. With --column, texts are the
rows of a table, and the results are a table, too. It has the id or the text, the translation and
its score, log p(translation | text) / tokens^length_penalty in nats. CHECKPOINT is a released name
(see `python -m zoo list`), a run's directory (its best step is used), the directory of one step, or
a file that `export` wrote.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add_row_arguments(parser, "translate", FORMATS)
    add("--beam_size", type=int, help="beam size of the search; 1 means greedy (default: 5)")
    add(
        "--length_penalty",
        type=float,
        default=1.0,
        help="power of the length by which scores are divided (default: 1)",
    )
    add(
        "--temperature",
        type=float,
        default=0.0,
        help="if above 0, draw translations at random instead of searching (default: 0)",
    )
    add("--seed", type=int, default=0, help="random seed for --temperature (default: 0)")
    add(
        "--n_best",
        type=int,
        default=1,
        help="number of translations of each text, for JSON or a table (default: 1)",
    )
    add(
        "--too_long",
        choices=("cut", "refuse"),
        default="cut",
        help="drop the end of a too long text, or end with an error (default: cut)",
    )
    add(
        "--json",
        action="store_true",
        help="print a JSON object with attention for each text, like --format=jsonl",
    )
    add("--picture", metavar="FILE", help="draw the first text's alignment: .png, .svg or .pdf")


def run(arguments: argparse.Namespace) -> None:
    """Translates the texts.

    Raises:
        UserError: if there is no text, or the checkpoint is not a translator.
    """
    chosen = check_row_arguments(arguments, "text", FORMATS)
    if arguments.json and arguments.format not in (None, "jsonl"):
        raise UserError(f"--json and --format={arguments.format} are two formats; give one of them")
    if arguments.json:
        chosen = "jsonl"
    if arguments.n_best > 1 and chosen == "text":
        raise UserError("--n_best needs --json or a table; plain text has one line for each text")
    import zoo

    names = ("length_penalty", "temperature", "seed", "n_best")
    settings: Json = {name: getattr(arguments, name) for name in names}
    settings["beam_size"] = (
        arguments.beam_size
        if arguments.beam_size is not None
        else (1 if arguments.temperature else 5)
    )
    picture, unknown = arguments.picture, UnknownTokens()
    with row_writer(arguments.output, chosen) as write:
        checkpoint = zoo.load(arguments.checkpoint)
        for rows in given_rows(arguments):
            texts = [row.text for row in rows]
            results = zoo.translate(checkpoint, texts, **settings, first_text=unknown.num_texts)
            for row, result in zip(rows, results, strict=True):
                number = unknown.count(result.source_tokens.count(UNKNOWN))
                if result.is_cut:
                    _tell_cut(number, refuse=arguments.too_long == "refuse")
                write(_row(row, result, chosen, arguments.n_best))
                if picture:
                    from zoo.diagnostics.alignment import draw_alignment

                    draw_alignment(picture, result)
                    picture = None
    unknown.tell()


def _row(row: Row, result: "Translation", chosen: str, n_best: int) -> Json:
    """Returns the result of a text in one of the formats."""
    if chosen in ("jsonl", "text"):
        return with_key(row, result.to_json())
    cells: Json = {} if row.key else {"source": row.text}
    found = [(result.text, result.score), *result.others]
    for rank in range(n_best):
        text, score = found[rank] if rank < len(found) else ("", "")
        number = f"_{rank + 1}" if rank else ""
        cells |= {f"translation{number}": text, f"score{number}": score}
    return with_key(row, cells)


def _tell_cut(number: int, *, refuse: bool) -> None:
    """Prints a note that a text was cut, or refuses the text."""
    from zoo.decoding.translation import MAX_SOURCE_TOKENS

    fact = f"text {number} has more than {MAX_SOURCE_TOKENS} tokens"
    if refuse:
        raise UserError(f"{fact}; shorten it, or allow its end to be dropped with --too_long=cut")
    print(f"note: {fact}; its end was dropped", file=sys.stderr)
