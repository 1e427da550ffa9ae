"""`python -m zoo verify`: measures a checkpoint's scores again, and compares them."""

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UserError
from zoo.report.seeds import expand, groups, spreads
from zoo.types import Json

if TYPE_CHECKING:
    from zoo.cards import StatedScore

SUMMARY = "measure the scores of released checkpoints and of runs again, and compare them"
EXAMPLES = """\
examples:
  python -m zoo verify python_docs_lstm
  python -m zoo verify penn_treebank_lstm --data_directory=DIR
  python -m zoo verify --all --data_directory=data/ptb --data_directory=data/trec
  python -m zoo verify runs/five_seeds

A score whose corpus cannot be read is reported as not compared. The exit code is 1 if a score
differs from the score on its card by more than the card allows. For a run, the validation scores
that its training recorded are measured again. For a run of several seeds (training.num_seeds), and
for runs that differ only in their seeds, the mean and the standard deviation are printed, too.
"""
_DIFFERS = 1
_ROUNDING, _CUTS = 1e-3, 0.03  # relative: for the same sums; for a text that was cut into streams
_NOT_MEASURED = ("error",)  # the score that training minimizes, which follows from another score


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="released checkpoints, or runs")
    parser.add_argument("--all", action="store_true", help="verify all released checkpoints")
    parser.add_argument(
        "--data_directory",
        metavar="DIR",
        action="append",
        default=[],
        help="directory with the corpus; repeat the flag for several corpora",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per score")


def run(arguments: argparse.Namespace) -> None:
    """Measures, compares and prints the scores.

    Raises:
        UserError: if there is no such checkpoint, or it has no card.
    """
    from zoo.hub import list_checkpoints

    released = {one.name: one for one in list_checkpoints()}
    if bool(arguments.all) == bool(arguments.names):
        raise UserError("give either the names of checkpoints or --all")
    names = sorted(released) if arguments.all else expand(arguments.names)
    unknown = [name for name in names if name not in released and not Path(name).is_dir()]
    if unknown:
        raise UserError(f"{unknown[0]} is not released; see python -m zoo list")
    found: dict[str, list[Json]] = {}
    for name in names:
        directory = str(released[name].directory) if name in released else ""
        try:
            found[name] = _verify(name, directory, arguments.data_directory)
        except UserError as error:
            if not arguments.all:
                raise
            print(f"{name}  not compared: {error}", file=sys.stderr)
            continue
        for result in found[name]:
            print(json.dumps(result) if arguments.json else _line(result), flush=True)
    for result in [] if arguments.all else _spreads(found):
        print(json.dumps(result) if arguments.json else _spread_line(result), flush=True)
    if any(result["verdict"] == "differs" for results in found.values() for result in results):
        sys.exit(_DIFFERS)


def _spreads(found: dict[str, list[Json]]) -> list[Json]:
    """Returns the mean and spread of the measured scores, over runs that differ only in seeds."""
    from zoo.hub import describe

    names = list(found)
    told = []
    for numbers in groups([describe(name)["config"] for name in names]):
        own = [names[number] for number in numbers]
        rows: dict[tuple[str, str], list[float]] = {}
        for result in (one for name in own for one in found[name]):
            if result["measured"] is not None:
                key = (result["measure"], result["flags"])
                rows.setdefault(key, []).append(result["measured"])
        for (measure, flags), values in rows.items():
            if len(values) == len(own):
                spread = spreads([{measure: value} for value in values])[measure]
                told.append({"checkpoints": own, "measure": measure, "flags": flags})
                told[-1] |= spread._asdict()
    return told


def _spread_line(result: Json) -> str:
    """Returns a mean and its spread as one line.

    Example:
        >>> _spread_line({"checkpoints": ["a", "b"], "measure": "bleu", "flags": "--split=test",
        ...               "mean": 31.0, "standard_deviation": 1.41421})
        'mean of 2 seeds  bleu (--split=test): 31 +- 1.41'
    """
    return (
        f"mean of {len(result['checkpoints'])} seeds  {result['measure']} ({result['flags']}): "
        f"{result['mean']:.5g} +- {result['standard_deviation']:.3g}"
    )


def _verify(name: str, directory: str, places: list[str]) -> list[Json]:
    """Returns a record for each score of a card or, without a card, each score of the training."""
    from zoo.cards import JSON, read_card
    from zoo.training import checkpoints

    if not directory:
        return _compare(name, name, _noted(name), places)
    try:
        checkpoints.verify(directory)
    except checkpoints.DamagedCheckpoint as error:
        raise UserError(f"{error}; copy it again") from error
    card = read_card(f"{directory}/{JSON}")
    reason = ""
    if card.needs_directory and not places:
        reason = "needs --data_directory"
    elif not card.is_of_this_python:
        reason = f"its text is from Python {card.python}"
    own = places if card.needs_directory else []
    return _compare(name, directory, card.scores, own, reason)


def _noted(name: str) -> "tuple[StatedScore, ...]":
    """Returns the validation scores that the training of a run recorded, and their flags."""
    import zoo
    from zoo.cards import StatedScore
    from zoo.tasks.registry import find_task

    checkpoint = zoo.load(name)
    flags, spread = "--split=validation", _ROUNDING
    evaluation = checkpoint.config.get("evaluation", {})
    task = find_task(checkpoint.config["model"]["architecture"])
    for flag in ("mode", "beam_size"):
        if flag in task.flags and flag in evaluation:
            flags += f" --{flag}={evaluation[flag]}"
    if evaluation.get("num_streams", 1) > 1:
        spread = _CUTS
    scores = checkpoint.progress.get("validation", {})
    kept = {n: v for n, v in scores.items() if "." not in n and n not in _NOT_MEASURED}
    if not kept:
        raise UserError(f"{name} has recorded no scores, so there is nothing to compare with")
    return tuple(
        StatedScore(measure, flags, value, spread * abs(value)) for measure, value in kept.items()
    )


def _compare(
    name: str,
    directory: str,
    scores: "Sequence[StatedScore]",
    places: list[str],
    reason: str = "",
) -> list[Json]:
    """Returns a record for each stated score, measured unless there is a reason not to."""
    measured: dict[str, Json] = {}  # by flags, so that nothing is measured twice
    results = []
    for score in scores:
        result = {
            "checkpoint": name,
            "measure": score.measure,
            "flags": score.flags,
            "stated": score.value,
            "measured": None,
            "verdict": f"not compared: {reason}",
        }
        if not reason:
            if score.flags not in measured:
                measured[score.flags] = _measure_where_it_lies(directory, score.flags, places)
            if score.measure not in measured[score.flags]:
                raise UserError(f"{name} states {score.measure!r}, which is not measured")
            value = measured[score.flags][score.measure]
            close = abs(value - score.value) <= score.spread
            result |= {"measured": value, "verdict": "agrees" if close else "differs"}
        results.append(result)
    return results


def _measure_where_it_lies(directory: str, flags: str, places: list[str]) -> Json:
    """Returns the scores of `evaluate` with the first place that holds the corpus, or with none."""
    for place in places[:-1]:
        with contextlib.suppress(UserError):
            return _measure(directory, flags, place)
    return _measure(directory, flags, places[-1] if places else None)


def _measure(directory: str, flags: str, data_directory: str | None) -> Json:
    """Returns the scores of `zoo evaluate`."""
    from zoo.commands import evaluate

    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    where = [] if data_directory is None else [f"--data_directory={data_directory}"]
    return evaluate.measure(parser.parse_args([directory, *flags.split(), *where]), directory)


def _line(result: Json) -> str:
    """Returns a result as one line.

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
