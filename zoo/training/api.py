"""Training as one function: a config in, a trained model out."""

import os
from collections.abc import Callable

from ml_collections import ConfigDict

from zoo.errors import UserError
from zoo.models.trained import Checkpoint
from zoo.tasks.settings import TrainingConfig
from zoo.training import config_files, loop
from zoo.training.members import list_members


class StoppedRun(UserError):
    """A run of several seeds was stopped before it had a model of each."""


def train(
    config: ConfigDict | os.PathLike[str] | str,
    workdir: os.PathLike[str] | str,
    *,
    allow_config_change: bool = False,
    log: Callable[[str], None] | None = None,
) -> Checkpoint:
    """Trains what a config describes, or goes on with it where the workdir's run was stopped.

    It is what `train.py` does: the run's directory gets its config, metrics, checkpoints and
    report, SIGTERM or Ctrl-C ends the run with a checkpoint, and the same call goes on from it.

    Args:
        config: as `zoo.config` gives it, with any fields changed; or what `zoo.config` takes.
        workdir: the run's directory.
        allow_config_change: go on although the run was started with another config.
        log: takes each line of progress; None to print it.

    Returns:
        The trained model, as `zoo.load(workdir)` gives it. If the config trains several seeds or
        learning rates, the one that is best on validation; each lies below the workdir.

    Raises:
        UserError: a field of the config can't be, the corpus can't be read, the workdir can't be
            written or holds a run with another config, or the loss is no longer finite.
    """
    if not isinstance(config, ConfigDict):
        config = config_files.config(config)
    place, options = os.fspath(workdir), {} if log is None else {"log": log}
    loop.train(config, place, allow_config_change=allow_config_change, **options)
    return _load(config, place)


def _load(config: ConfigDict, workdir: str) -> Checkpoint:
    """The model that a run came to; of several members the best one."""
    from zoo import hub  # imports what training itself does not need

    shared = ("seed", "num_seeds", "learning_rate_factors")
    asked = {name: config.training[name] for name in shared if name in config.training}
    members = list_members(TrainingConfig(**asked))
    if len(members) < 2:
        return hub.load(workdir)
    places = [os.path.join(workdir, member.name) for member in members]
    if not all(map(os.path.isdir, places)):
        raise StoppedRun(f"{workdir} was stopped before its end; the same call goes on with it")
    return min(map(hub.load, places), key=lambda model: model.progress["best_score"])
