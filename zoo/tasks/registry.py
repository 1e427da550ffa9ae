"""Which task trains which architecture."""

from ml_collections import ConfigDict

from zoo.tasks import language_modeling
from zoo.tasks.workload import Workload

_WORKLOADS = {"recurrent_lm": language_modeling.build_workload}


def build_workload(config: ConfigDict) -> Workload:
    """The workload that a config describes: its corpus is read, its model built."""
    return _WORKLOADS[config.model.architecture](config)
