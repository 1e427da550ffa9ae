"""Which task trains which architecture."""

from collections.abc import Callable

from ml_collections import ConfigDict

from zoo.tasks import language_modeling, ngram_counting
from zoo.tasks.workload import CountingWorkload, Workload

_WORKLOADS: dict[str, Callable[[ConfigDict], Workload | CountingWorkload]] = {
    "feedforward_lm": language_modeling.build_workload,
    "ngram_lm": ngram_counting.build_workload,
    "recurrent_lm": language_modeling.build_workload,
}


def build_workload(config: ConfigDict) -> Workload | CountingWorkload:
    """The workload that a config describes: its corpus is read, its model built."""
    return _WORKLOADS[config.model.architecture](config)
