"""`python -m zoo report`: the page of a run, or of several side by side."""

import argparse

SUMMARY = "write a run's report.html again, or a page that compares runs"
EXAMPLES = """\
examples:
  python -m zoo report runs/lstm
  python -m zoo report runs/lstm runs/gru runs/elman --output=cells.html

The page holds all it needs. A run that is still going on, or was stopped, has a page too.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the --workdir of a training")
    parser.add_argument(
        "--output", metavar="FILE", help="the page (default: report.html in the first run)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Writes the page and says where.

    Raises:
        UserError: a directory is no run, or several runs are given without a page to write.
    """
    from zoo.errors import UserError
    from zoo.report.page import write_report

    if len(arguments.runs) > 1 and arguments.output is None:
        raise UserError("a page that compares runs needs a place; give --output=FILE.html")
    print(write_report(arguments.runs, arguments.output))
