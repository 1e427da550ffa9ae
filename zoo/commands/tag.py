"""`python -m zoo tag`: the tags of the words of texts, as JSON or in columns."""

import argparse
import json
from typing import TYPE_CHECKING

from zoo.commands.lines import check_one_source, given_lines

if TYPE_CHECKING:
    from zoo.evaluation.tagger import Tagging

SUMMARY = "tag the words of texts with a tagger: a JSON object a text, or columns, on stdout"
FORMATS = ("json", "conll")
EXAMPLES = """\
examples:
  python -m zoo tag runs/names "Ada Lovelace was born in London."
  python -m zoo tag runs/names --file=sentences.txt --format=conll
  cat sentences.txt | python -m zoo tag runs/names --split=spaces

Texts are the arguments, or the lines of a file, or those of standard input. Each text is split into
words as the corpus of the tagger is; with --split=spaces it is split at its spaces alone. A JSON
object has the words, the tag of each word with its probability, and the spans that the tags mark
with their first and last characters. In the format conll each line has a word, a tab and its tag,
with a blank line behind each text. CHECKPOINT is a released name (see `python -m zoo list`), a
run's directory, whose best step it then is, one step's directory, or a file that `export` wrote.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a released name, a directory or a file")
    add("texts", metavar="TEXT", nargs="*", help="a text to tag")
    add("--file", metavar="FILE", help="tag the lines of a UTF-8 file")
    add("--format", choices=FORMATS, default=FORMATS[0], help="of the output (default: json)")
    add(
        "--split",
        choices=("words", "spaces"),
        default="words",
        help="split a text into words as the tagger's corpus is, or at spaces (default: words)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Tags the texts.

    Raises:
        UserError: there is no text, or the checkpoint is no tagger.
    """
    check_one_source(arguments)
    import zoo

    checkpoint = zoo.load(arguments.checkpoint)
    write = _json if arguments.format == "json" else _conll
    for texts in given_lines(arguments.texts, arguments.file):
        given = texts if arguments.split == "words" else [text.split() for text in texts]
        for result in zoo.tag(checkpoint, given):
            print(write(result), flush=True)


def _json(result: "Tagging") -> str:
    return json.dumps(result.to_json(), ensure_ascii=False)


def _conll(result: "Tagging") -> str:
    """A word and its tag a line; the line that `print` ends is the blank one behind the text."""
    rows = zip(result.tokens, result.tags, strict=True)
    return "".join(f"{word}\t{tag}\n" for word, tag in rows)
