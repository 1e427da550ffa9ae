"""The settings of training and evaluation that all neural tasks share."""

from dataclasses import dataclass

from zoo.checks import check_choice, check_least
from zoo.errors import UserError

AVERAGING_STARTS = ("never", "first_step", "stall")


def _check_length(section: str, steps: tuple[str, int], epochs: tuple[str, float]) -> None:
    """Raises a UserError if a length is negative, or is given in both steps and epochs.

    Args:
        section: the section of the config.
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
        num_steps: the length of the run in train steps; 0 if num_epochs is given.
        num_epochs: the length of the run in passes over the training split; 0 if num_steps is
            given. If both are 0, the run has 1,000 steps.
        seed: the seed of the parameters, the batches and the dropout masks.
        num_seeds: the number of seeds, from `seed` on, that are trained at once; see
            `zoo.training.members`.
        learning_rate_factors: factors of optimizer.learning_rate that are trained at once.
        num_microbatches: the number of equal parts of a batch that are computed one after the other
            (gradient accumulation). The memory shrinks. Without dropout the gradient stays the
            same; with it, each part has masks of its own.
        steps_per_call: the number of train steps between two checks of signals and clocks. It
            changes no result.
        log_every_steps: the number of steps between two lines of progress and metrics.
        checkpoint_every_steps: the number of steps between two checkpoints. The last step always
            has a checkpoint.
        checkpoint_every_epochs: the number of epochs between two checkpoints, such as 0.5. If both
            are 0, there is a checkpoint every 1,000 steps.
        init_from: the trained model whose parameters the run starts from: a released name, a run,
            or a file that `export` wrote; "" means a random start. See `zoo.training.init_from` for
            a model with other tokens, and for a classifier that starts from a language model.
        averaging: when to begin averaging the parameters: never, at the first_step, or at a stall
            of the validation score (NT-ASGD). The average is evaluated, saved and used instead of
            the last parameters, see `zoo.training.averaging`.
        averaging_decay: the decay of the exponential moving average; 1 means the mean of all steps.
        averaging_patience: the number of last evaluations that are ignored in the test for a stall.
            A stall is a score that is worse than the best score before them.
        tensorboard: whether metrics are also written for TensorBoard; needs
            `recurrent-zoo[tensorboard]`.
        wandb: whether metrics are also sent to Weights & Biases; needs `recurrent-zoo[wandb]`.
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
                f"training.learning_rate_factors is {factors}; use several factors, or set "
                "optimizer.learning_rate"
            )
        if self.num_seeds * len(factors) > 1 and self.num_microbatches > 1:
            raise UserError(
                "training.num_microbatches does not work with several members (training.num_seeds, "
                "training.learning_rate_factors); set one of them to 1"
            )


@dataclass(frozen=True)
class EvaluationConfig:
    """The settings of the evaluation on the validation split during training.

    Attributes:
        every_steps: the number of steps between two evaluations. The last step is always
            evaluated.
        every_epochs: the number of epochs between two evaluations, such as 0.5. If both are 0,
            there is an evaluation every 1,000 steps.
        patience: the number of evaluations without a new best score after which the run stops; 0
            means that it never stops early.
        report: whether report.html, with pictures of the model, is written into the workdir at the
            end.
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
