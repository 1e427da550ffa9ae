"""`python -m zoo report`: writes the page of a run, or a page that compares several runs."""

import argparse
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from zoo.errors import WRONG_FORM, UserError
from zoo.types import Json

SUMMARY = "write a run's report.html again, or a page that compares runs"
EXAMPLES = """\
examples:
  python -m zoo report runs/lstm
  python -m zoo report runs/lstm runs/gru runs/elman --output=cells.html

The page is one file that needs no other. For a run of several seeds (training.num_seeds), and for
runs that differ only in their seeds, it has the mean and the standard deviation of each score. A
run that is not finished has a page too.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the --workdir of a training")
    parser.add_argument(
        "--output", metavar="FILE", help="the page to write (default: report.html in the first run)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the scores as one JSON object instead of a page"
    )


def run(arguments: argparse.Namespace) -> None:
    """Writes the page and prints its place, or prints the scores.

    Raises:
        UserError: if a directory is not a run, or several runs are given without --output.
    """
    from zoo.buckets import is_address, local_copy
    from zoo.report.page import write_report

    _check(arguments)
    with ExitStack() as opened:
        runs = [
            opened.enter_context(local_copy(run, _is_of_page)) if is_address(run) else run
            for run in arguments.runs
        ]
        if not arguments.json:
            print(write_report(runs, arguments.output))
            return
        try:
            print(json.dumps(_scores(runs)))
        except WRONG_FORM as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"the records of a run have another form: {error}") from error


def _check(arguments: argparse.Namespace) -> None:
    from zoo.buckets import Bucket, is_address

    if arguments.json:
        if arguments.output is not None:
            raise UserError("--json writes no page; leave out --output, or --json")
        return
    if len(arguments.runs) > 1 and arguments.output is None:
        raise UserError("a page that compares runs needs a place; give --output=FILE.html")
    if arguments.output is not None and not arguments.output.endswith((".html", ".htm")):
        raise UserError(f"--output is {arguments.output}; name a page that ends with .html")
    if arguments.output is None and is_address(arguments.runs[0]):
        Bucket(arguments.runs[0])  # raises for an invalid address
        raise UserError(
            f"{arguments.runs[0]} is in a bucket, where its run has written a page; give "
            "--output=FILE.html for another page"
        )


def _is_of_page(name: str) -> bool:
    """Returns whether the page needs an object below a run's address."""
    return "/" not in name


def _scores(names: Sequence[os.PathLike[str] | str]) -> Json:
    """Returns the best step and scores of runs, and the spread of runs that differ only in seed."""
    from zoo.report.score_tables import best_scores, runs_of
    from zoo.report.seeds import groups, read_with_members, spreads

    found = [read_with_members(Path(name).expanduser()) for name in names]
    runs = runs_of(found)
    best = [best_scores(one) for one in runs]
    told: Json = {
        "runs": [
            {"run": one.name, "best_step": step, "scores": scores}
            for one, (step, scores) in zip(runs, best, strict=True)
        ],
        "seeds": [],
    }
    for numbers in groups([one.config for one in runs]):
        of_scores = spreads([best[number][1] for number in numbers])
        told["seeds"].append(
            {
                "runs": [runs[number].name for number in numbers],
                "mean": {name: one.mean for name, one in of_scores.items()},
                "standard_deviation": {
                    name: one.standard_deviation for name, one in of_scores.items()
                },
            }
        )
    return told
