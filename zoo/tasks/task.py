"""What is special about a task is one object; everything else asks it.

A task knows which settings it has, how a corpus and a config become a model with its batches and
its loss (a `Workload`), how a trained model is read from a checkpoint's records, and how it is
measured. `zoo.tasks.registry` finds the task of an architecture.
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
    """What the train step differentiates: a loss, and the learning rate that a batch deserves.

    It is hashable, since it is part of the compiled program.
    """

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: "Array") -> Loss:
        """Returns the scalar to minimise, the carry for the next batch, and metrics that are sums.

        The scalar is a mean over metrics["num_targets"] targets.

        Args:
            params: the model's parameters.
            carry: what the model remembers of the batch before; of examples without a past it is
                handed on untouched.
            batch: of the task's own kind.
            key: random key of what is drawn in training, such as dropout.
        """
        ...

    def rate_factor(self, batch: PyTree) -> "Array | float":
        """Returns what the learning rate is multiplied by for a batch: 1 unless a task differs."""
        del batch
        return 1.0


class Request(NamedTuple):
    """What a trained model is measured on, and how; each task uses what it has.

    Attributes:
        split: of the corpus that it was trained on: train, validation or test.
        directory: where the user says that corpus lies; None where the user says nothing.
        files: the user's own files instead of a split: a text or a table, or sources and targets.
        mode: of a language model, as in `zoo.evaluate`.
        adapted: the same language model, as it adapts to what it has scored; None if it does not.
        beam_size: of a search for translations; 1 is greedy.
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
        """The scores by name, as plain JSON."""


def sections(data: type, training: type, evaluation: type) -> Mapping[str, type]:
    """Returns the records of a task's sections, for `Task.records`."""
    return {"data": data, "training": training, "evaluation": evaluation}


class Task(ABC):
    """One task.

    Attributes:
        kind: what a model trained for it is.
        records: the dataclass of each section of its configs but model, optimizer and mesh: their
            fields and defaults.
        takes_steps: it is trained step by step, with an optimizer on a mesh of devices; otherwise
            its parameters are counted in one go.
        flags: of `zoo evaluate`, those that not every task has.
        has_infinite_params: a parameter may be minus infinity, the logarithm of 0.
        open_fields: fields of a config, such as "model.hidden_sizes", that may be None: their
            values then follow from the size of the corpus, see `zoo.tasks.by_size`.
    """

    kind: ClassVar[Kind]
    records: ClassVar[Mapping[str, type]]
    takes_steps: ClassVar[bool] = True
    flags: ClassVar[frozenset[str]]
    has_infinite_params: ClassVar[bool] = False
    open_fields: ClassVar[frozenset[str]] = frozenset()

    def settle(self, config: "ConfigDict") -> Json:
        """Returns values for those of the open fields that are None, by the size of the corpus.

        Raises:
            UserError: the corpus can't be read.
        """
        del config
        return {}

    @abstractmethod
    def open(self, config: Json, vocabulary: Json, progress: Json) -> Checkpoint:
        """Returns a checkpoint without its parameters.

        Args:
            config: of its run.
            vocabulary: as `Checkpoint.vocabulary_record` gave it.
            progress: what its run had reached.

        Raises:
            UserError, or any of `zoo.errors.WRONG_FORM`: the records do not make a model.
        """

    @abstractmethod
    def init(self, model: Any, key: "Array") -> PyTree:
        """Returns a model's parameters before training."""

    def parameter_shapes(self, model: Any) -> PyTree:
        """Returns the shapes of a model's parameters; None where they follow from the corpus."""
        import jax

        return jax.eval_shape(lambda key: self.init(model, key), jax.random.key(0))

    def in_present_form(self, params: PyTree) -> PyTree:
        """Returns stored parameters as this version has them: renamed, and scaled, where an older
        version had them otherwise.

        Args:
            params: nested dict of NumPy arrays, or of their shapes, which are renamed alike.
        """
        return params

    def fault_of(self, model: Any, params: PyTree) -> str:
        """Returns what is wrong with parameters that have the right shapes; "" for nothing."""
        del model, params
        return ""

    @abstractmethod
    def workload(self, config: "ConfigDict") -> "Workload | CountingWorkload":
        """Returns the model that a config describes, on its corpus, ready to be trained.

        Raises:
            UserError: the corpus can't be read, or a setting can't be.
        """

    def statistics(self, checkpoint: Any, request: Request) -> "TextStatistics":
        """Returns what a trained model does with each text, so that two models can be compared.

        Raises:
            UserError: as `measure`; or models of the task are not compared by text.
        """
        del checkpoint, request
        raise UserError(f"two {self.kind.noun}s are not compared text by text; use evaluate")

    @abstractmethod
    def measure(self, checkpoint: Any, request: Request) -> Measured:
        """Returns the scores of a trained model.

        Raises:
            UserError: the texts can't be read, or are not of the kind that the model needs.
        """
