"""The interface of a task: one object that has everything that is special to the task.

A task has its settings. It turns a corpus and a config into a model with its batches and its loss
(a `Workload`). It also reads a trained model from the records of a checkpoint, and measures it.
`zoo.tasks.registry` finds the task of an architecture.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from zoo.errors import UserError
from zoo.evaluation.modes import Mode
from zoo.models.trained import Checkpoint, Kind, TrainedModel
from zoo.types import Json, PyTree

if TYPE_CHECKING:
    import jax
    from ml_collections import ConfigDict

    from zoo.evaluation.comparing import TextStatistics
    from zoo.tasks.workload import CountingWorkload, Workload

    Array = jax.Array

Metrics = dict[str, "jax.Array"]
Loss = tuple["jax.Array", tuple[PyTree, Metrics]]  # see `Objective.loss`


class Objective(Protocol):
    """The objective of training: a loss, and a factor of the learning rate for each batch.

    An objective is hashable, because it is part of the compiled program.
    """

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: "Array") -> Loss:
        """Returns the loss, the carry for the next batch, and metrics that are sums.

        The loss is a scalar, the mean over metrics["num_targets"] targets.

        Args:
            params: the parameters of the model.
            carry: the state of the model after the previous batch. It is returned unchanged if the
                examples are independent.
            batch: a batch of the task.
            key: the random key for training, for example for dropout.
        """
        ...

    def rate_factor(self, batch: PyTree) -> "Array | float":
        """Returns the factor of the learning rate for a batch, which is 1 by default."""
        del batch
        return 1.0


class Request(NamedTuple):
    """The texts and options to measure a trained model; each task uses the options that it has.

    Attributes:
        split: the split of the model's own corpus: train, validation or test.
        directory: the directory of this corpus, given by the user; None if the user gives none.
        files: the user's own files instead of a split: a text or a table, or sources and targets.
        mode: the mode of a language model, see `zoo.evaluate`.
        adapted: the adaptive form of the language model; None if it does not adapt.
        beam_size: the beam size of a translator's search. 1 means greedy decoding.
    """

    split: str = "validation"
    directory: str | None = None
    files: tuple[Path, ...] = ()
    mode: Mode = "stream"
    adapted: TrainedModel | None = None
    beam_size: int = 5


class Measured(Protocol):
    """The scores of a trained model."""

    def to_json(self) -> Json:
        """Returns the scores by name, as plain JSON."""


def sections(data: type, training: type, evaluation: type) -> Mapping[str, type]:
    """Returns the records of a task's sections, for `Task.records`."""
    return {"data": data, "training": training, "evaluation": evaluation}


class Task(ABC):
    """A task, such as classification.

    Attributes:
        kind: the kind of the trained models.
        records: the dataclass, with fields and defaults, of each section of a config except model,
            optimizer and mesh.
        takes_steps: whether models are trained step by step, with an optimizer on a mesh of
            devices. Otherwise the parameters are counted in one pass.
        flags: the flags of `zoo evaluate` that the task uses, among the flags of single tasks.
        has_infinite_params: whether a parameter may be minus infinity, the logarithm of 0.
        open_fields: fields of a config, such as "model.hidden_sizes", that may be None. Their
            values then follow from the size of the corpus, see `zoo.tasks.by_size`.
    """

    kind: ClassVar[Kind]
    records: ClassVar[Mapping[str, type]]
    takes_steps: ClassVar[bool] = True
    flags: ClassVar[frozenset[str]]
    has_infinite_params: ClassVar[bool] = False
    open_fields: ClassVar[frozenset[str]] = frozenset()

    def settle(self, config: "ConfigDict") -> Json:
        """Returns values for open fields that are None, by the size of the corpus.

        Raises:
            UserError: the corpus cannot be read.
        """
        del config
        return {}

    @abstractmethod
    def open(self, config: Json, vocabulary: Json, progress: Json) -> Checkpoint:
        """Returns a checkpoint without its parameters.

        Args:
            config: the config of the run.
            vocabulary: the record from `Checkpoint.vocabulary_record`.
            progress: the progress of the run.

        Raises:
            UserError, or any of `zoo.errors.WRONG_FORM`: the records do not make a model.
        """

    @abstractmethod
    def init(self, model: Any, key: "Array") -> PyTree:
        """Returns a model's parameters before training."""

    def parameter_shapes(self, model: Any) -> PyTree:
        """Returns the shapes of a model's parameters; None if they depend on the corpus."""
        import jax

        return jax.eval_shape(lambda key: self.init(model, key), jax.random.key(0))

    def in_present_form(self, params: PyTree) -> PyTree:
        """Converts stored parameters of an older version to the names and scales of this version.

        Args:
            params: a nested dictionary of NumPy arrays, or of their shapes, which are renamed too.
        """
        return params

    def fault_of(self, model: Any, params: PyTree) -> str:
        """Returns a description of what is wrong with parameters of the right shapes, or ""."""
        del model, params
        return ""

    @abstractmethod
    def workload(self, config: "ConfigDict") -> "Workload | CountingWorkload":
        """Returns the model and the corpus of a config, ready for training.

        Raises:
            UserError: the corpus cannot be read, or a setting is invalid.
        """

    def statistics(self, checkpoint: Any, request: Request) -> "TextStatistics":
        """Returns statistics of a trained model for each text, to compare two models.

        Raises:
            UserError: see `measure`; or the task does not compare models text by text.
        """
        del checkpoint, request
        raise UserError(f"two {self.kind.noun}s cannot be compared text by text; use evaluate")

    @abstractmethod
    def measure(self, checkpoint: Any, request: Request) -> Measured:
        """Returns the scores of a trained model.

        Raises:
            UserError: the texts cannot be read, or do not have the form that the model needs.
        """
