"""Runs that differ in their seed alone: finds these runs, and the spread of their scores.

A run of several seeds (training.num_seeds) has one directory below its own for the run of each
seed.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from zoo.errors import WRONG_FORM, UserError
from zoo.report.records import CONFIG, flatten, read_sealed
from zoo.report.runs import Record, read_record
from zoo.types import Json

_OF_SEEDS = "training.seed"


class Spread(NamedTuple):
    """The values of a score in several runs.

    Attributes:
        mean: the mean of the values.
        standard_deviation: the sample's standard deviation, with n - 1 in the denominator.
        values: the value in each run.
    """

    mean: float
    standard_deviation: float
    values: tuple[float, ...]


def spreads(scores: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Returns the spread of each score that all runs have.

    Args:
        scores: the scores by name of each of at least two runs.

    Example:
        >>> spreads([{"bleu": 30.0, "chrf": 50.0}, {"bleu": 32.0}])["bleu"].mean
        31.0
    """
    shared = [name for name in scores[0] if all(name in one for one in scores)]
    found = {}
    for name in shared:
        values = tuple(float(one[name]) for one in scores)
        mean = sum(values) / len(values)
        squares = sum((value - mean) ** 2 for value in values)
        found[name] = Spread(mean, math.sqrt(squares / (len(values) - 1)), values)
    return found


def expand(names: Sequence[str]) -> list[str]:
    """Returns names of models, in which the runs of its seeds replace a run of several seeds.

    Raises:
        UserError: A run has several learning rates, or its seeds are not trained to the end.

    Example:
        >>> expand(["python_docs_lstm"])
        ['python_docs_lstm']
    """
    found: list[str] = []
    for name in names:
        place = Path(name).expanduser()
        found += [str(member) for member in members_of(place)] if is_several(place) else [name]
    return found


def members_of(directory: Path) -> list[Path]:
    """Returns the directories of the seeds of a run.

    Raises:
        UserError: The run has several learning rates, or its seeds are not trained to the end.
    """
    training = read_sealed(directory / CONFIG)["training"]
    if len(training.get("learning_rate_factors", [1.0])) > 1:
        raise UserError(
            f"{directory} holds runs of several learning rates; give the runs of one learning "
            f"rate, such as {directory}/seed_*_rate_x1"
        )
    seeds = range(training["seed"], training["seed"] + training["num_seeds"])
    members = [directory / f"seed_{seed}" for seed in seeds]
    if not all((member / CONFIG).exists() for member in members):
        raise UserError(
            f"{directory} has no models of its seeds yet; type its command again, which goes on "
            "with the run"
        )
    return members


def is_several(directory: Path) -> bool:
    """Returns whether a directory holds a run of several seeds or learning rates."""
    try:
        if not (directory / CONFIG).is_file():
            return False
        training = read_sealed(directory / CONFIG).get("training", {})
        rates = training.get("learning_rate_factors", [1.0])
        return training.get("num_seeds", 1) != 1 or len(rates) > 1
    except (OSError, *WRONG_FORM):
        return False  # the function that reads the run tells what is wrong


def read_with_members(directory: Path) -> Record:
    """Reads a run's directory, and the directories of its seeds if they are trained.

    Raises:
        UserError: The directory is no run, or a file in it is damaged.
    """
    record = _with_best_step(read_record(directory), directory)
    try:
        places = members_of(directory) if is_several(directory) else []
    except UserError:  # the run has several learning rates, or is not finished
        return record
    members = [_with_best_step(read_record(place), place) for place in places]
    return record._replace(
        members=tuple(one._replace(name=f"{record.name}/{one.name}") for one in members)
    )


def _with_best_step(record: Record, directory: Path) -> Record:
    """Adds the best step to the record of one of several seeds, which has only config and step."""
    if record.summary or record.curves:
        return record
    for path in sorted(directory.glob("checkpoints/*/progress.json")):
        try:
            progress = json.loads(path.read_bytes())
            scores = dict(progress["best_scores"])
            return record._replace(summary={"best_step": progress["best_step"], "scores": scores})
        except (OSError, *WRONG_FORM) as error:
            raise UserError(
                f"{path} is damaged: {error}; start the training's command again"
            ) from error
    return record


def group_of(config: Json) -> str:
    """Returns a text that is the same for all configs that differ in the seed alone.

    Example:
        >>> group_of({"training": {"seed": 1}}) == group_of({"training": {"seed": 2}})
        True
    """
    flat = {name: value for name, value in flatten(config).items() if name != _OF_SEEDS}
    return json.dumps(flat, sort_keys=True, default=str)


def groups(configs: Sequence[Json]) -> list[list[int]]:
    """Returns the numbers of the runs in each group of runs that differ in the seed alone.

    Example:
        >>> runs = [{"training": {"seed": 1}}, {"model": {"order": 2}}, {"training": {"seed": 2}}]
        >>> groups(runs)
        [[0, 2]]
    """
    numbers: dict[str, list[int]] = {}
    for number, config in enumerate(configs):
        numbers.setdefault(group_of(config), []).append(number)
    return [own for own in numbers.values() if len(own) > 1]
