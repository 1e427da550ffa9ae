"""The tasks by name."""

from collections.abc import Callable

from ml_collections import ConfigDict

from zoo.models.registry import task_of
from zoo.tasks import classification, language_modeling, ngram_counting, translation
from zoo.tasks.workload import CountingWorkload, Workload

_WORKLOADS: dict[str, Callable[[ConfigDict], Workload | CountingWorkload]] = {
    "classification": classification.build_workload,
    "language_modeling": language_modeling.build_workload,
    "ngram_counting": ngram_counting.build_workload,
    "translation": translation.build_workload,
}


def build_workload(config: ConfigDict) -> Workload | CountingWorkload:
    """The workload that a config describes: its corpus is read, its model built."""
    return _WORKLOADS[task_of(config.model.architecture)](config)
