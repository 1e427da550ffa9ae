"""`python -m zoo classify`: the labels of texts, a JSON object a line."""

import argparse
import json

from zoo.commands.lines import given_lines, tell_unknown
from zoo.errors import UserError
from zoo.special_tokens import UNKNOWN

SUMMARY = "label texts with a classifier: a JSON object a text, on stdout"
EXAMPLES = """\
examples:
  python -m zoo classify runs/topics "The else clause runs when the loop ends."
  python -m zoo classify runs/topics --file=questions.txt
  cat questions.txt | python -m zoo classify runs/topics --tokens
  python -m zoo classify runs/topics "It raises an exception." --picture=tokens.png

Texts are the arguments, or the lines of a file, or those of standard input; an empty one is
labelled too. With --tokens each object holds the tokens that were read and how much of the pooled
vector comes from each. CHECKPOINT is a released name (see `python -m zoo list`), a run's
directory, whose best step it then is, one step's directory, or a file that `export` wrote.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a released name, a directory or a file")
    add("texts", metavar="TEXT", nargs="*", help="a text to label")
    add("--file", metavar="FILE", help="label the lines of a UTF-8 file")
    add("--tokens", action="store_true", help="add the tokens and their weights")
    add("--picture", metavar="FILE", help="draw the tokens that decided: .png, .svg or .pdf")


def run(arguments: argparse.Namespace) -> None:
    """Labels the texts.

    Raises:
        UserError: there is no text, or the checkpoint is no classifier.
    """
    if arguments.texts and arguments.file:
        raise UserError("there are texts and --file; give one of them")
    if arguments.picture and not arguments.texts:
        raise UserError("--picture draws the texts of the command line; give one or more")
    import zoo

    checkpoint = zoo.load(arguments.checkpoint)
    number, unknown = 0, {}
    for texts in given_lines(arguments.texts, arguments.file):
        results = zoo.classify(checkpoint, texts)
        for result in results:
            number += 1
            if count := result.tokens.count(UNKNOWN):
                unknown[number] = count
            record = result.to_json()
            if not arguments.tokens:
                del record["tokens"], record["weights"]
            print(json.dumps(record, ensure_ascii=False), flush=True)
        if arguments.picture:
            from zoo.diagnostics.deciding_tokens import draw_deciding_tokens

            draw_deciding_tokens(arguments.picture, results)
    tell_unknown(unknown)
