"""`python -m zoo verify`: measure a released checkpoint's scores again, and compare them."""

import argparse
import contextlib
import json
import sys

from zoo.errors import UserError
from zoo.types import Json

SUMMARY = "measure the scores of released checkpoints again and compare them with their cards"
EXAMPLES = """\
examples:
  python -m zoo verify python_docs_lstm
  python -m zoo verify penn_treebank_lstm --data_directory=DIR
  python -m zoo verify --all --data_directory=data/ptb --data_directory=data/trec

A score whose corpus is not at hand is not compared, and is told. The exit code is 1 if a score is
further from its card's than the spread that the card states.
"""
_DIFFERS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="released checkpoints")
    parser.add_argument("--all", action="store_true", help="all that are released")
    parser.add_argument(
        "--data_directory",
        metavar="DIR",
        action="append",
        default=[],
        help="where the corpus lies; of several corpora given several times",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a score")


def run(arguments: argparse.Namespace) -> None:
    """Measures, compares and prints.

    Raises:
        UserError: there is no such checkpoint, or it has no card.
    """
    from zoo.hub import list_checkpoints

    released = {one.name: one for one in list_checkpoints()}
    names = sorted(released) if arguments.all else arguments.names
    if bool(arguments.all) == bool(arguments.names):
        raise UserError("give the names of released checkpoints, or --all, and not both")
    unknown = [name for name in names if name not in released]
    if unknown:
        raise UserError(f"{unknown[0]} is not released; see python -m zoo list")
    differs, places = False, arguments.data_directory
    for name in names:
        try:
            results = _verify(name, str(released[name].directory), places)
        except UserError as error:
            if not arguments.all:
                raise
            print(f"{name}  not compared: {error}", file=sys.stderr)
            continue
        for result in results:
            differs |= result["verdict"] == "differs"
            print(json.dumps(result) if arguments.json else _line(result), flush=True)
    if differs:
        sys.exit(_DIFFERS)


def _verify(name: str, directory: str, places: list[str]) -> list[Json]:
    """A record for each score of a card."""
    from zoo.cards import JSON, read_card
    from zoo.training import checkpoints

    try:
        checkpoints.verify(directory)
    except checkpoints.DamagedCheckpoint as error:
        raise UserError(f"{error}; copy it again") from error
    card = read_card(f"{directory}/{JSON}")
    reason = None
    if card.needs_directory and not places:
        reason = "needs --data_directory"
    elif not card.is_of_this_python:
        reason = f"its text is that of Python {card.python}"
    measured: dict[str, Json] = {}  # by flags, so that nothing is measured twice
    results = []
    for score in card.scores:
        result = {
            "checkpoint": name,
            "measure": score.measure,
            "flags": score.flags,
            "stated": score.value,
            "measured": None,
            "verdict": f"not compared: {reason}",
        }
        if reason is None:
            if score.flags not in measured:
                own = places if card.needs_directory else []
                measured[score.flags] = _measure_where_it_lies(directory, score.flags, own)
            if score.measure not in measured[score.flags]:
                raise UserError(f"{name} states {score.measure!r}, which is not measured")
            value = measured[score.flags][score.measure]
            close = abs(value - score.value) <= score.spread
            result |= {"measured": value, "verdict": "agrees" if close else "differs"}
        results.append(result)
    return results


def _measure_where_it_lies(directory: str, flags: str, places: list[str]) -> Json:
    """What `zoo evaluate` gives with the first place that holds the corpus, or without any."""
    for place in places[:-1]:
        with contextlib.suppress(UserError):
            return _measure(directory, flags, place)
    return _measure(directory, flags, places[-1] if places else None)


def _measure(directory: str, flags: str, data_directory: str | None) -> Json:
    """What `zoo evaluate` gives."""
    from zoo.commands import evaluate

    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    where = [] if data_directory is None else [f"--data_directory={data_directory}"]
    return evaluate.measure(parser.parse_args([directory, *flags.split(), *where]))


def _line(result: Json) -> str:
    """A result in a line.

    Example:
        >>> _line({"checkpoint": "a", "measure": "bleu", "flags": "--split=test", "stated": 31.5,
        ...        "measured": 31.49, "verdict": "agrees"})
        'a  bleu (--split=test): 31.5 stated, 31.49 measured: agrees'
    """
    measured = "" if result["measured"] is None else f", {result['measured']:.5g} measured"
    return (
        f"{result['checkpoint']}  {result['measure']} ({result['flags']}): "
        f"{result['stated']:g} stated{measured}: {result['verdict']}"
    )
