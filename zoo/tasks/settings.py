"""The settings of training and evaluation that tasks share; a task's own record adds its own."""

from dataclasses import dataclass

from zoo.checks import check_choice, check_least
from zoo.errors import UserError

AVERAGING_STARTS = ("never", "first_step", "stall")


def _check_length(section: str, steps: tuple[str, int], epochs: tuple[str, float]) -> None:
    """Raises UserError unless a length is in steps, or in epochs, or left open (both 0).

    Args:
        section: of the config.
        steps: the field in steps, and its value.
        epochs: the field in epochs, and its value.
    """
    for name, value in (steps, epochs):
        if value < 0:
            raise UserError(f"{section}.{name} is {value}; use more than 0")
    if steps[1] and epochs[1]:
        raise UserError(
            f"{section}.{steps[0]} is {steps[1]} and {section}.{epochs[0]} is {epochs[1]}; "
            f"give one of them, and set the other to 0: {section}.{steps[0]}=0"
        )


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of the loop.

    Attributes:
        num_steps: train steps in all; 0 where num_epochs says how many.
        num_epochs: passes over the training split; 0 where num_steps says how long. Of neither, the
            length is 1,000 steps.
        seed: of the parameters, the batches and the dropout masks.
        num_seeds: train with so many seeds, from `seed` on, all at once, see
            `zoo.training.members`.
        learning_rate_factors: train with optimizer.learning_rate times each of these, all at once.
        num_microbatches: a batch is worked through in so many equal parts, one after the other;
            the memory is that of a part, and the gradient that of the batch.
        steps_per_call: train steps between two looks at signals and clocks; changes no result.
        log_every_steps: a line of progress and of metrics each so many steps.
        checkpoint_every_steps: a checkpoint each so many steps, and at the end.
        checkpoint_every_epochs: the same in epochs, such as 0.5. Of neither, every 1,000 steps.
        init_from: start from the parameters of this trained model: a released name, a run, or a
            file that `export` wrote; "" to start at random. See `zoo.training.init_from` for
            a model of other tokens, and for a classifier that starts from a language model.
        averaging: evaluate, save and use an average of the parameters instead of the last ones
            (see `zoo.training.averaging`): never; from the first_step on; or from a stall of
            validation on (NT-ASGD).
        averaging_decay: decay of the exponential moving average; 1 for the mean of all steps.
        averaging_patience: a stall is a score worse than the best of all but this many evaluations
            before it.
        tensorboard: write the metrics for TensorBoard too; needs `recurrent-zoo[tensorboard]`.
        wandb: send the metrics to Weights & Biases too; needs `recurrent-zoo[wandb]`.
    """

    num_steps: int = 0
    num_epochs: float = 0.0
    seed: int = 0
    num_seeds: int = 1
    learning_rate_factors: tuple[float, ...] = (1.0,)
    num_microbatches: int = 1
    steps_per_call: int = 10
    log_every_steps: int = 100
    checkpoint_every_steps: int = 0
    checkpoint_every_epochs: float = 0.0
    init_from: str = ""
    averaging: str = "never"
    averaging_decay: float = 1.0
    averaging_patience: int = 5
    tensorboard: bool = False
    wandb: bool = False

    def __post_init__(self) -> None:
        counts = ("num_seeds", "num_microbatches", "steps_per_call", "log_every_steps")
        check_least(1, "training", self, *counts, "averaging_patience")
        _check_length("training", ("num_steps", self.num_steps), ("num_epochs", self.num_epochs))
        _check_length(
            "training",
            ("checkpoint_every_steps", self.checkpoint_every_steps),
            ("checkpoint_every_epochs", self.checkpoint_every_epochs),
        )
        if not 0 <= self.seed <= 2**32 - self.num_seeds:
            raise UserError(f"training.seed is {self.seed}; use 0 to {2**32 - self.num_seeds}")
        self._check_members()
        check_choice("training.averaging", self.averaging, AVERAGING_STARTS)
        if not 0 <= self.averaging_decay <= 1:
            raise UserError(
                f"training.averaging_decay is {self.averaging_decay}; use 0 to 1, such as 0.999"
            )

    def _check_members(self) -> None:
        factors = self.learning_rate_factors
        if not factors or not min(factors) > 0 or len(set(factors)) < len(factors):
            raise UserError(
                f"training.learning_rate_factors is {factors}; use different numbers above 0, "
                "as in (0.5, 1.0, 2.0)"
            )
        if len(factors) == 1 and factors[0] != 1:
            raise UserError(
                f"training.learning_rate_factors is {factors}; use several, or set "
                "optimizer.learning_rate"
            )
        if self.num_seeds * len(factors) > 1 and self.num_microbatches > 1:
            raise UserError(
                "training.num_microbatches and several members (training.num_seeds, "
                "training.learning_rate_factors) can't be had together; set one of them to 1"
            )


@dataclass(frozen=True)
class EvaluationConfig:
    """The settings of what is measured on the validation split while training.

    Attributes:
        every_steps: evaluate each so many steps, and at the end.
        every_epochs: the same in epochs, such as 0.5. Of neither, every 1,000 steps.
        patience: stop after this many evaluations without a new best; 0 to never stop early.
        report: leave report.html in the workdir at the end, with pictures of the model.
    """

    every_steps: int = 0
    every_epochs: float = 0.0
    patience: int = 0
    report: bool = True

    def __post_init__(self) -> None:
        _check_length(
            "evaluation", ("every_steps", self.every_steps), ("every_epochs", self.every_epochs)
        )
        check_least(0, "evaluation", self, "patience")
