"""The length of a run: epochs are converted to steps once the corpus is known.

Everything after the conversion (schedule, evaluations, checkpoints, resuming) counts in steps, and
a run's config.json holds the steps. So a run can continue only with a corpus that gives the same
number of steps.
"""

from ml_collections import ConfigDict

from zoo.checks import LARGEST
from zoo.errors import UserError

_STEPS = 1000  # if a config gives no length
_FIELDS = (
    ("training", "num_steps", "num_epochs"),
    ("training", "checkpoint_every_steps", "checkpoint_every_epochs"),
    ("evaluation", "every_steps", "every_epochs"),
)


def in_steps(config: ConfigDict, batches_per_epoch: int) -> ConfigDict:
    """Returns the config with every length in steps, at least 1.

    Args:
        config: a run's config, which gives each length in steps, in epochs, or not at all.
        batches_per_epoch: the number of train steps per epoch.

    Raises:
        UserError: if the epochs have too many steps.

    Example:
        >>> config = ConfigDict(
        ...     {
        ...         "training": {
        ...             "num_steps": 0,
        ...             "num_epochs": 2.5,
        ...             "checkpoint_every_steps": 7,
        ...             "checkpoint_every_epochs": 0.0,
        ...         },
        ...         "evaluation": {"every_steps": 0, "every_epochs": 0.1},
        ...     }
        ... )
        >>> found = in_steps(config, batches_per_epoch=30)
        >>> found.training.num_steps, found.training.num_epochs, found.evaluation.every_steps
        (75, 0.0, 3)
    """
    config = config.copy_and_resolve_references()
    for section, steps, epochs in _FIELDS:
        fields = config[section]
        if fields[epochs]:
            fields[steps] = max(1, round(fields[epochs] * batches_per_epoch))
            if fields[steps] > LARGEST:
                raise UserError(
                    f"{section}.{epochs} is {fields[epochs]}, which is {fields[steps]} steps; use "
                    f"fewer epochs, for at most {LARGEST} steps"
                )
            fields[epochs] = 0.0
        elif not fields[steps]:
            fields[steps] = _STEPS
    return config


def describe_length(num_steps: int, batches_per_epoch: int) -> str:
    """Returns a line with the length of a run.

    Example:
        >>> describe_length(1560, 156)
        '156 steps per epoch, 10 epochs: 1,560 steps in all'
    """
    return (
        f"{batches_per_epoch:,} steps per epoch, {num_steps / batches_per_epoch:.3g} epochs: "
        f"{num_steps:,} steps in all"
    )


def advise_longer(given: ConfigDict, num_steps: int, batches_per_epoch: int) -> str:
    """Returns the advice to train twice as long, with the flag to type.

    Args:
        given: the config before `in_steps`.
        num_steps: the length of the run.
        batches_per_epoch: the number of train steps per epoch.
    """
    field = f"num_epochs={2 * num_steps / batches_per_epoch:.3g}"
    if given.training.num_steps:
        field = f"num_steps={2 * num_steps}"
    return (
        "the last evaluation was still the best: train longer, in another --workdir, with "
        f"--config.training.{field}"
    )
