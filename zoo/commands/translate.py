"""`python -m zoo translate`: a line in, its translation out."""

import argparse
import json
import sys

from zoo.commands.lines import given_lines, tell_unknown
from zoo.errors import UserError
from zoo.special_tokens import UNKNOWN
from zoo.types import Json

SUMMARY = "translate texts with an encoder-decoder: a line each, on stdout"
EXAMPLES = """\
examples:
  python -m zoo translate runs/toy "der alte Hund schläft ."
  python -m zoo translate runs/toy --file=source.txt > translations.txt
  cat source.txt | python -m zoo translate runs/toy --beam_size=1
  python -m zoo translate runs/toy "die Frau ruft das Kind an ." --json --picture=alignment.png

Texts are the arguments, or the lines of a file, or those of standard input; translations come a
line each, in the same order, and an empty line is one too. CHECKPOINT is a released name (see
`python -m zoo list`), a run's directory, whose best step it then is, one step's directory, or a
file that `export` wrote.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a released name, a directory or a file")
    add("texts", metavar="TEXT", nargs="*", help="a text to translate")
    add("--file", metavar="FILE", help="translate the lines of a UTF-8 file")
    add("--beam_size", type=int, help="width of the search; 1 is greedy (default: 5)")
    add(
        "--length_penalty",
        type=float,
        default=1.0,
        help="power of the length that scores are divided by (default: 1)",
    )
    add("--temperature", type=float, default=0.0, help="draw instead of searching, if above 0")
    add("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    add("--n_best", type=int, default=1, help="with --json: so many translations of each text")
    add("--too_long", choices=("cut", "refuse"), default="cut", help="what to do with long texts")
    add("--json", action="store_true", help="a JSON object a text, with scores and attention")
    add("--picture", metavar="FILE", help="draw the first text's alignment: .png, .svg or .pdf")


def run(arguments: argparse.Namespace) -> None:
    """Translates the texts.

    Raises:
        UserError: there is no text, or the checkpoint is no translator.
    """
    if arguments.texts and arguments.file:
        raise UserError("there are texts and --file; give one of them")
    if arguments.n_best > 1 and not arguments.json:
        raise UserError("--n_best needs --json, since a text has one line otherwise")
    import zoo

    checkpoint = zoo.load(arguments.checkpoint)
    names = ("length_penalty", "temperature", "seed", "n_best")
    settings: Json = {name: getattr(arguments, name) for name in names}
    settings["beam_size"] = (
        arguments.beam_size
        if arguments.beam_size is not None
        else (1 if arguments.temperature else 5)
    )
    picture, number, unknown = arguments.picture, 0, {}
    for texts in given_lines(arguments.texts, arguments.file):
        for result in zoo.translate(checkpoint, texts, **settings):
            number += 1
            if count := result.source_tokens.count(UNKNOWN):
                unknown[number] = count
            if result.is_cut:
                _tell_cut(number, refuse=arguments.too_long == "refuse")
            line = json.dumps(result.to_json(), ensure_ascii=False) if arguments.json else ""
            print(line or result.text, flush=True)
            if picture:
                from zoo.diagnostics.alignment import draw_alignment

                draw_alignment(picture, result)
                picture = None
    tell_unknown(unknown)


def _tell_cut(number: int, *, refuse: bool) -> None:
    """Says that a text was cut, or refuses it."""
    from zoo.decoding.translation import MAX_SOURCE_TOKENS

    fact = f"text {number} has more than {MAX_SOURCE_TOKENS} tokens"
    if refuse:
        raise UserError(f"{fact}; shorten it, or let its end be cut with --too_long=cut")
    print(f"note: {fact}; its end was cut", file=sys.stderr)
