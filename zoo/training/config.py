"""A run's config: sections, each with the fields and defaults of one record."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from ml_collections import ConfigDict

from zoo.data.corpora import DataConfig
from zoo.data.labeled_corpora import LabeledDataConfig
from zoo.data.parallel_corpora import ParallelDataConfig
from zoo.errors import UserError
from zoo.evaluation.modes import MODES
from zoo.models.registry import default_config, task_of
from zoo.training.averaging import STARTS
from zoo.training.devices import MeshConfig
from zoo.training.optimizers import OptimizerConfig

CLASS_WEIGHTS = ("equal", "balanced")
_LARGEST, _LARGEST_SEED = 2**31 - 1, 2**32 - 1  # int32, of which steps and sizes are on a device
_LONGEST_SHOWN = 200  # characters
_KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}
_AT_LEAST_ONE = (
    "num_steps",
    "num_seeds",
    "num_microbatches",
    "steps_per_call",
    "log_every_steps",
    "checkpoint_every_steps",
    "averaging_patience",
)


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of the loop.

    Attributes:
        num_steps: train steps in all.
        seed: of the parameters, the batches and the dropout masks.
        num_seeds: train with so many seeds, from `seed` on, all at once, see
            `zoo.training.members`.
        learning_rate_factors: train with optimizer.learning_rate times each of these, all at once.
        num_microbatches: a batch is worked through in so many equal parts, one after the other;
            the memory is that of a part, and the gradient that of the batch.
        steps_per_call: train steps between two looks at signals and clocks; changes no result.
        log_every_steps: a line of progress and of metrics each so many steps.
        checkpoint_every_steps: a checkpoint each so many steps, and at the end.
        init_from: start from the parameters of this trained model: a released name, a run, or a
            file that `export` wrote; "" to start at random.
        averaging: evaluate, save and use an average of the parameters instead of the last ones
            (see `zoo.training.averaging`): never; from the first_step on; or from a stall of
            validation on (NT-ASGD).
        averaging_decay: decay of the exponential moving average; 1 for the mean of all steps.
        averaging_patience: a stall is a score worse than the best of all but this many evaluations
            before it.
        reset_at_sentences: put the recurrent state back at every `<s>`; otherwise it is carried
            over sentences.
        freeze_word_vectors: leave the embeddings that data.word_vectors gave as they are; words
            without a vector are trained all the same.
        class_weights: of a classifier: equal, or balanced, where the loss of a text is divided by
            how frequent its label is in training (of several labels, that of having the label by
            how frequent it is).
        label_smoothing: of a translator: how much of each target's probability is spread over all
            tokens.
        scheduled_sampling_rate: of a translator: fraction of the target words it reads that are its
            own.
        tensorboard: write the metrics for TensorBoard too; needs `recurrent-zoo[tensorboard]`.
    """

    num_steps: int = 1000
    seed: int = 0
    num_seeds: int = 1
    learning_rate_factors: tuple[float, ...] = (1.0,)
    num_microbatches: int = 1
    steps_per_call: int = 10
    log_every_steps: int = 100
    checkpoint_every_steps: int = 1000
    init_from: str = ""
    averaging: str = "never"
    averaging_decay: float = 1.0
    averaging_patience: int = 5
    reset_at_sentences: bool = False
    freeze_word_vectors: bool = False
    class_weights: str = "equal"
    label_smoothing: float = 0.0
    scheduled_sampling_rate: float = 0.0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise UserError(f"training.{name} is {getattr(self, name)}; use at least 1")
        if not 0 <= self.seed <= 2**32 - self.num_seeds:
            raise UserError(f"training.seed is {self.seed}; use 0 to {2**32 - self.num_seeds}")
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
        if self.averaging not in STARTS:
            raise UserError(
                f"training.averaging is {self.averaging!r}; choose one of {', '.join(STARTS)}"
            )
        if not 0 <= self.averaging_decay <= 1:
            raise UserError(
                f"training.averaging_decay is {self.averaging_decay}; use 0 to 1, such as 0.999"
            )
        for name in ("label_smoothing", "scheduled_sampling_rate"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(
                    f"training.{name} is {getattr(self, name)}; use a fraction from 0 to below 1"
                )
        if self.class_weights not in CLASS_WEIGHTS:
            raise UserError(
                f"training.class_weights is {self.class_weights!r}; "
                f"use {' or '.join(CLASS_WEIGHTS)}"
            )


@dataclass(frozen=True)
class EvaluationConfig:
    """The settings of what is measured on the validation split while training.

    Attributes:
        every_steps: evaluate each so many steps, and at the end.
        mode: stream, with the state carried over sentences, or sentence, with the state reset.
        num_streams: in mode stream, score this many equal parts of the split side by side; each
            starts at the initial state, so 1 is exact and more is faster.
        patience: stop after this many evaluations without a new best; 0 to never stop early.
        sample_tokens: length of the sample that is shown at the end, in tokens; 0 for none.
        beam_size: of a translator: hypotheses of the search; 1 is greedy.
        report: leave report.html in the workdir at the end, with pictures of the model.
    """

    every_steps: int = 1000
    mode: str = "stream"
    num_streams: int = 1
    patience: int = 0
    sample_tokens: int = 200
    beam_size: int = 1
    report: bool = True

    def __post_init__(self) -> None:
        for name in ("every_steps", "num_streams", "beam_size"):
            if getattr(self, name) < 1:
                raise UserError(f"evaluation.{name} is {getattr(self, name)}; use at least 1")
        for name in ("patience", "sample_tokens"):
            if getattr(self, name) < 0:
                raise UserError(f"evaluation.{name} is {getattr(self, name)}; use 0 or more")
        if self.mode not in MODES:
            raise UserError(f"evaluation.mode is {self.mode!r}; use {' or '.join(MODES)}")


_RECORDS: dict[str, type] = {
    "data": DataConfig,
    "optimizer": OptimizerConfig,
    "training": TrainingConfig,
    "evaluation": EvaluationConfig,
    "mesh": MeshConfig,
}

_RECORDS_OF: dict[str, dict[str, type]] = {
    "classification": {**_RECORDS, "data": LabeledDataConfig},
    "translation": {**_RECORDS, "data": ParallelDataConfig},
}

# What a task has no use for.
_LEFT_OUT: dict[str, dict[str, tuple[str, ...]]] = {
    "language_modeling": {
        "training": ("class_weights", "label_smoothing", "scheduled_sampling_rate"),
        "evaluation": ("beam_size",),
    },
    "classification": {
        "training": ("reset_at_sentences", "label_smoothing", "scheduled_sampling_rate"),
        "evaluation": ("mode", "num_streams", "sample_tokens", "beam_size"),
    },
    "translation": {
        "training": ("reset_at_sentences", "freeze_word_vectors", "class_weights"),
        "evaluation": ("mode", "num_streams", "sample_tokens"),
    },
}

# What is counted in one go, as n-grams are, needs no batches, no steps and no rates.
_FIELDS_OF_COUNTED: dict[str, tuple[str, ...]] = {
    "data": (
        "corpus",
        "directory",
        "cache_directory",
        "fractions",
        "vocabulary",
        "vocabulary_size",
        "min_count",
    ),
    "training": ("seed",),
    "evaluation": ("sample_tokens", "report"),
}


def base_config(architecture: str) -> ConfigDict:
    """A config in which every field has its default, to be changed field by field.

    An architecture has the fields that it needs and no others.

    Args:
        architecture: a name in `zoo.list_models()`.

    Example:
        >>> config = base_config("recurrent_lm")
        >>> config.model.cell = "gru"
        >>> config.model.cels = "gru"  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        AttributeError: 'Key "cels" does not exist ...Did you mean "cell" instead of "cels"?'
    """
    task = task_of(architecture)
    records = _records(task)
    sections = {name: dataclasses.asdict(record()) for name, record in records.items()}
    for name, fields in _LEFT_OUT.get(task, {}).items():
        for field in fields:
            del sections[name][field]
    if task == "ngram_counting":
        sections = {
            name: {field: sections[name][field] for field in fields}
            for name, fields in _FIELDS_OF_COUNTED.items()
        }
    return ConfigDict({**sections, "model": default_config(architecture)}).lock()


def _records(task: str) -> dict[str, type]:
    """The records of a task's sections, but for the model's."""
    return _RECORDS_OF.get(task, _RECORDS)


def section(config: ConfigDict, name: str) -> Any:
    """One section of a config as its record, with its values checked.

    Example:
        >>> section(base_config("recurrent_lm"), "training").num_steps
        1000
    """
    return _records(task_of(config.model.architecture))[name](**config[name])


def check(config: ConfigDict) -> None:
    """Raises a UserError that names the first invalid value."""
    _check_kind("model.architecture", config.model.architecture, "recurrent_lm")
    for name, defaults in base_config(config.model.architecture).items():
        for field, default in defaults.items():
            _check_kind(f"{name}.{field}", config[name][field], default)
        if name in _RECORDS:
            section(config, name)
        for field in defaults:
            _check_numbers(f"{name}.{field}", config[name][field])
    parts = config.training.get("num_microbatches", 1)  # what is counted has no batches
    if parts > 1 and config.data.batch_size % parts:
        raise UserError(
            f"training.num_microbatches={parts} does not divide "
            f"data.batch_size={config.data.batch_size}; change one of them"
        )


def _check_numbers(name: str, value: Any) -> None:
    """Raises UserError for a number that no field can have: negative, absurd or no number."""
    largest = _LARGEST_SEED if name == "training.seed" else _LARGEST
    for number in value if isinstance(value, tuple | list) else (value,):
        if type(number) is int and not 0 <= number <= largest:
            raise UserError(f"{name} is {_shown(value)}; use 0 to {largest}")
        if type(number) is float and not math.isfinite(number):
            raise UserError(f"{name} is {_shown(value)}; use a finite number")


def _check_kind(name: str, value: Any, default: Any) -> None:
    """Raises UserError for a value of another kind than the default.

    ConfigDict itself takes None for every field, and does not know what a tuple holds.
    """
    if isinstance(default, tuple):
        if not isinstance(value, tuple | list):
            raise UserError(f"{name} is {_shown(value)}; use a tuple, as in {default}")
        kind = type(default[0])
        if any(type(element) not in _allowed(kind) for element in value):
            raise UserError(
                f"{name} is {_shown(tuple(value))}; use {kind.__name__} values, as in {default}"
            )
    elif type(value) not in _allowed(type(default)):
        kind = type(default)
        raise UserError(f"{name} is {_shown(value)}; use {_KINDS[kind]}, such as {default!r}")


def _allowed(kind: type) -> tuple[type, ...]:
    """Whole numbers do where decimal ones stand."""
    return (int, float) if kind is float else (kind,)


def _shown(value: Any) -> str:
    """Returns a value in a message: one line, cut where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
