"""`python -m zoo tag`: tags the words of texts, and prints them as JSON or in columns."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.commands.lines import check_one_source, given_lines
from zoo.data.text_reading import user_path
from zoo.errors import UserError

if TYPE_CHECKING:
    from zoo.evaluation.tagger import Tagging

SUMMARY = "tag the words of texts with a tagger, and print a JSON object for each text, or columns"
FORMATS = ("json", "conll")
EXAMPLES = """\
examples:
  python -m zoo tag runs/names "Ada Lovelace was born in London."
  python -m zoo tag runs/names --file=sentences.txt --format=conll
  cat sentences.txt | python -m zoo tag runs/names --split=spaces

Texts are the arguments, the lines of a file, or the lines of standard input. Each text is split
into words like the corpus of the tagger; with --split=spaces it is split only at spaces. A JSON
object has the words, the tag of each word with its probability, and the spans that the tags mark,
each with the position of its first character and the position after its last one. In the format
conll, each line has a word, a tab and its tag, and a blank line follows each text. CHECKPOINT is a
released name (see `python -m zoo list`), a run's directory (its best step is used), the directory
of one step, or a file that `export` wrote.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a released name, a directory or a file")
    add("texts", metavar="TEXT", nargs="*", help="a text to tag")
    add("--file", metavar="FILE", help="tag the lines of a UTF-8 file")
    add("--format", choices=FORMATS, default=FORMATS[0], help="output format (default: json)")
    add(
        "--split",
        choices=("words", "spaces"),
        default="words",
        help="split a text into words like the tagger's corpus, or only at spaces (default: words)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Predicts and prints the tags of the texts.

    Raises:
        UserError: if there is no text, the file has columns, or the checkpoint is not a tagger.
    """
    check_one_source(arguments)
    if arguments.file:
        _refuse_columns(user_path(arguments.file))
    import zoo

    checkpoint = zoo.load(arguments.checkpoint)
    write = _json if arguments.format == "json" else _conll
    for texts in given_lines(arguments.texts, arguments.file):
        given = texts if arguments.split == "words" else [text.split() for text in texts]
        for result in zoo.tag(checkpoint, given):
            print(write(result), flush=True)


def _refuse_columns(path: Path) -> None:
    """Raises a UserError if a file has columns, whose tags would be read as words."""
    from zoo.data.corpora.conll_file import COLUMN_SUFFIXES
    from zoo.data.tables import is_table, unpacked_suffix

    if (is_table(path) or unpacked_suffix(path) in COLUMN_SUFFIXES) and path.is_file():
        raise UserError(
            f"{path} has columns, but tag reads one text per line; write each sentence into a line "
            "of a .txt file, and add --split=spaces if its words are split already"
        )


def _json(result: "Tagging") -> str:
    return json.dumps(result.to_json(), ensure_ascii=False)


def _conll(result: "Tagging") -> str:
    """Returns lines with a word and its tag; `print` adds the blank line after the text."""
    rows = zip(result.tokens, result.tags, strict=True)
    return "".join(f"{word}\t{tag}\n" for word, tag in rows)
