"""`python -m zoo arpa`: an n-gram model as an ARPA file, for KenLM and SRILM."""

import argparse

from zoo.errors import UserError

SUMMARY = "write an n-gram model as an ARPA file"
EXAMPLES = """\
examples:
  python -m zoo arpa runs/kneser_ney kn5.arpa.gz
  python -m zoo evaluate kn5.arpa.gz --text=notes.txt

An ARPA file, ours or another toolkit's, stands for a checkpoint wherever one is asked for.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="an n-gram model")
    parser.add_argument("file", metavar="FILE", help="the file to write; .gz compresses it")


def run(arguments: argparse.Namespace) -> None:
    """Writes the file.

    Raises:
        UserError: the checkpoint is no n-gram model, or the file can't be written.
    """
    import zoo
    from zoo.exchange.arpa import write_arpa

    checkpoint = zoo.load(arguments.checkpoint)
    architecture = checkpoint.config["model"]["architecture"]
    if architecture != "ngram_lm":
        raise UserError(f"{arguments.checkpoint} is a {architecture}; give an ngram_lm")
    write_arpa(arguments.file, checkpoint.params, checkpoint.vocabulary)
