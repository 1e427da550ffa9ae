"""The tasks by name; each is imported when it is first needed."""

import importlib
from typing import TYPE_CHECKING

from zoo.models.registry import task_of
from zoo.tasks.task import Task

if TYPE_CHECKING:
    from ml_collections import ConfigDict

    from zoo.tasks.workload import CountingWorkload, Workload

TASKS = {
    "classification": "zoo.tasks.classification:CLASSIFICATION",
    "language_modeling": "zoo.tasks.language_modeling:LANGUAGE_MODELING",
    "ngram_counting": "zoo.tasks.ngram_counting:NGRAM_COUNTING",
    "tagging": "zoo.tasks.tagging:TAGGING",
    "translation": "zoo.tasks.translation:TRANSLATION",
}


def find_task(architecture: str) -> Task:
    """Returns the task that an architecture is trained for.

    Raises:
        UserError: there is no such architecture. The error has the nearest name.

    Example:
        >>> find_task("recurrent_lm").kind.noun
        'language model'
    """
    module, _, name = TASKS[task_of(architecture)].partition(":")
    return getattr(importlib.import_module(module), name)


def settle(config: "ConfigDict") -> "ConfigDict":
    """Returns a config with values for its open fields; see `zoo.tasks.by_size`."""
    from zoo.tasks.by_size import fill, open_in

    if not open_in(config):
        return config
    return fill(config, find_task(config.model.architecture).settle(config))


def build_workload(config: "ConfigDict") -> "Workload | CountingWorkload":
    """Returns the model and the corpus of a config, ready for training; see `Task.workload`."""
    return find_task(config.model.architecture).workload(settle(config))
