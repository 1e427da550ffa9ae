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
    """A run of several members was stopped before each member had a model."""


def train(
    config: ConfigDict | os.PathLike[str] | str,
    workdir: os.PathLike[str] | str,
    *,
    allow_config_change: bool = False,
    log: Callable[[str], None] | None = None,
) -> Checkpoint:
    """Trains the model that a config describes, or continues the run that the workdir holds.

    `train.py` calls the same code: the run's directory gets its config, metrics, checkpoints and
    report. SIGTERM or Ctrl-C ends the run with a checkpoint, and the same call continues from it.

    Args:
        config: a config from `zoo.config`, with any fields changed; or an argument of `zoo.config`,
            such as a name.
        workdir: the run's directory.
        allow_config_change: continue the run even if it was started with another config.
        log: a function that receives each line of progress; None prints the lines.

    Returns:
        The trained model, as `zoo.load(workdir)` gives it. If the run was stopped by SIGTERM or
        Ctrl-C, the best checkpoint until then. If the config trains several seeds or learning
        rates, the member with the best validation score. The workdir has a directory for each
        member.

    Raises:
        UserError: if a field of the config is invalid, the corpus cannot be read, the workdir
            cannot be written or holds a run with another config, or the loss is not finite.
        StoppedRun: if a run of several members was stopped before each had a checkpoint. It is a
            UserError.
    """
    if not isinstance(config, ConfigDict):
        config = config_files.config(config)
    place, options = os.fspath(workdir), {} if log is None else {"log": log}
    loop.train(config, place, allow_config_change=allow_config_change, **options)
    return _load(config, place)


def _load(config: ConfigDict, workdir: str) -> Checkpoint:
    """Returns the trained model of a run; the best member if the run has several."""
    from zoo import hub  # imports what training itself does not need

    shared = ("seed", "num_seeds", "learning_rate_factors")
    asked = {name: config.training[name] for name in shared if name in config.training}
    members = list_members(TrainingConfig(**asked))
    if len(members) < 2:
        return hub.load(workdir)
    places = [os.path.join(workdir, member.name) for member in members]
    if not all(map(os.path.isdir, places)):
        raise StoppedRun(f"{workdir} was stopped before its end; the same call continues the run")
    return min(map(hub.load, places), key=lambda model: model.progress["best_score"])
