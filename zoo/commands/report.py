"""`python -m zoo report`: the page of a run, or of several side by side."""

import argparse
from contextlib import ExitStack

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
    from zoo.buckets import Bucket, is_address, local_copy
    from zoo.errors import UserError
    from zoo.report.page import write_report

    if len(arguments.runs) > 1 and arguments.output is None:
        raise UserError("a page that compares runs needs a place; give --output=FILE.html")
    if arguments.output is None and is_address(arguments.runs[0]):
        Bucket(arguments.runs[0])  # tells of an address that is none
        raise UserError(
            f"{arguments.runs[0]} is in a bucket, where its run has put a page; give "
            "--output=FILE.html for another one"
        )
    with ExitStack() as opened:
        runs = [
            opened.enter_context(local_copy(run, _is_of_page)) if is_address(run) else run
            for run in arguments.runs
        ]
        print(write_report(runs, arguments.output))


def _is_of_page(name: str) -> bool:
    """Whether an object below a run's address is needed for its page."""
    return "/" not in name
