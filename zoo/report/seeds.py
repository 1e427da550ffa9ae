"""Several runs that differ in their seed alone: which these are, and the spread of their scores.

A run of several seeds (training.num_seeds) has each as a run of its own below its directory.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from zoo.errors import WRONG_FORM, UserError
from zoo.report.records import CONFIG, Record, flatten, read_record, read_sealed
from zoo.types import Json

_OF_SEEDS = "training.seed"


class Spread(NamedTuple):
    """The values of a score over several runs.

    Attributes:
        mean: of the values.
        standard_deviation: of a sample, with n - 1 in its denominator.
        values: of each run.
    """

    mean: float
    standard_deviation: float
    values: tuple[float, ...]


def spreads(scores: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """The spread of each score that all of several runs have.

    Args:
        scores: the scores of each run, at least two, by name.

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
    """Returns the names of models, where a run of several seeds becomes those of its seeds.

    Raises:
        UserError: a run has several learning rates, or its seeds are not trained to the end.

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
        UserError: it has several learning rates, or its seeds are not trained to the end.
    """
    training = read_sealed(directory / CONFIG)["training"]
    if len(training.get("learning_rate_factors", [1.0])) > 1:
        raise UserError(
            f"{directory} holds runs of several learning rates; give those of one, such as "
            f"{directory}/seed_*_rate_x1"
        )
    seeds = range(training["seed"], training["seed"] + training["num_seeds"])
    members = [directory / f"seed_{seed}" for seed in seeds]
    if not all((member / CONFIG).exists() for member in members):
        raise UserError(f"{directory} has no models of its seeds yet; let its run go on to its end")
    return members


def is_several(directory: Path) -> bool:
    """Returns whether a directory is that of a run of several seeds or learning rates."""
    try:
        if not (directory / CONFIG).is_file():
            return False
        training = read_sealed(directory / CONFIG).get("training", {})
        rates = training.get("learning_rate_factors", [1.0])
        return training.get("num_seeds", 1) != 1 or len(rates) > 1
    except (OSError, *WRONG_FORM):
        return False  # whoever reads it will say what is wrong


def read_with_members(directory: Path) -> Record:
    """Reads a run's directory, and those of its seeds once these are trained.

    Raises:
        UserError: it is no run, or a file of it is damaged.
    """
    record = read_record(directory)
    try:
        places = members_of(directory) if is_several(directory) else []
    except UserError:  # of several rates, or not finished
        return record
    members = [_read_member(place) for place in places]
    return record._replace(
        members=tuple(one._replace(name=f"{record.name}/{one.name}") for one in members)
    )


def _read_member(directory: Path) -> Record:
    """The run of one seed, which has no files but its config and a step."""
    record = read_record(directory)
    for path in sorted(directory.glob("checkpoints/*/progress.json")):
        try:
            progress = json.loads(path.read_bytes())
            scores = dict(progress["best_scores"])
            return record._replace(summary={"best_step": progress["best_step"], "scores": scores})
        except (OSError, *WRONG_FORM) as error:
            raise UserError(f"{path} is damaged: {error}; start the training again") from error
    return record


def group_of(config: Json) -> str:
    """Returns a text that is the same for configs that differ in the seed alone.

    Example:
        >>> group_of({"training": {"seed": 1}}) == group_of({"training": {"seed": 2}})
        True
    """
    flat = {name: value for name, value in flatten(config).items() if name != _OF_SEEDS}
    return json.dumps(flat, sort_keys=True, default=str)


def groups(configs: Sequence[Json]) -> list[list[int]]:
    """Returns the numbers of the runs of each config that several runs of other seeds have.

    Example:
        >>> runs = [{"training": {"seed": 1}}, {"model": {"order": 2}}, {"training": {"seed": 2}}]
        >>> groups(runs)
        [[0, 2]]
    """
    numbers: dict[str, list[int]] = {}
    for number, config in enumerate(configs):
        numbers.setdefault(group_of(config), []).append(number)
    return [own for own in numbers.values() if len(own) > 1]
