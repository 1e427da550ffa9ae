"""Trained models: a module with its parameters, its vocabulary and its use."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

from zoo import by_name
from zoo.errors import UserError
from zoo.types import Json, Params


class Kind(NamedTuple):
    """The kind of a trained model, for errors.

    Attributes:
        noun: the name of the kind, such as "classifier".
        command: the command of `python -m zoo` that uses such a model.
        measure: the Python function that measures such a model, if it is not `zoo.evaluate`.
    """

    noun: str
    command: str
    measure: str = ""


LANGUAGE_MODEL = Kind("language model", "generate")
TokenAxes = Mapping[str, tuple[str, *tuple[int, ...]]]  # see `Checkpoint`


class TrainedModel(Protocol):
    """The interface of trained models: checkpoints, mixtures and adaptive models."""

    kind: ClassVar[Kind]

    @property
    def name(self) -> str:
        """The name of the model in errors."""

    @property
    def model(self) -> Any:
        """A Flax module, such as `RecurrentLM`, or an object that is used like one."""

    @property
    def params(self) -> Params:
        """The parameters of the model."""

    @property
    def vocabulary(self) -> Any:
        """The `zoo.data.vocabulary.Vocabulary` of the tokens that the model reads or writes."""


ModelOrName = TrainedModel | os.PathLike[str] | str  # a model, or an argument of `zoo.load`


# Models are compared by identity, so that no comparison of millions of numbers happens by accident.
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Checkpoint:
    """A trained model with everything that its use needs. Each task has its own class.

    Attributes:
        model: the Flax module. For a language model, `model.apply({"params": params}, tokens)`
            returns an `LMOutput` with the fields `logits` and `carry`. For other tasks see the
            class of the module.
        params: a nested dictionary of arrays, on the default device.
        vocabulary: the vocabulary; for a translator, the vocabulary of its targets.
        name: the name that was asked for, a released name or a path.
        directory: the directory of the step, or the file; "" if the model was not loaded.
        step: the number of train steps taken.
        config: the resolved config of the run, as nested dictionaries. An ARPA file has only the
            section `model`.
        progress: the progress of the run, such as its scores.
        token_axes: the parameters that have a row or a column for each token. The key is the path
            of the parameter, with slashes; the value is the vocabulary (one of `tokens`) and the
            axis, or several axes.
    """

    kind: ClassVar[Kind]
    token_axes: ClassVar[TokenAxes] = {}

    model: Any
    params: Params = dataclasses.field(default_factory=dict)
    vocabulary: Any
    name: str = "the model"
    directory: os.PathLike[str] | str = ""
    step: int = 0
    config: Json = dataclasses.field(default_factory=dict)
    progress: Json = dataclasses.field(default_factory=dict)

    @property
    def vocabulary_record(self) -> Json:
        """The vocabulary as plain JSON, as in the vocabulary.json of a checkpoint."""
        return self.vocabulary.to_json()

    @property
    def tokens(self) -> dict[str, Sequence[str]]:
        """The tokens of each vocabulary by their ids, and the labels if there are any."""
        return {"tokens": self.vocabulary.tokens}

    def with_params(self, params: Params) -> Self:
        """Returns the same model with other parameters."""
        return dataclasses.replace(self, params=params)

    def __repr__(self) -> str:
        """Returns three lines: the kind and size, the inputs and corpus, and the scores."""
        section = self.config.get("model", {})
        architecture = section.get("architecture", type(self.model).__name__)
        count = _count(self.params)
        data = self.config.get("data", {})
        corpus = f"; corpus {data['corpus']}" if data.get("corpus") else ""
        scores = self.progress.get("best_scores") or self.progress.get("validation") or {}
        told = ", ".join(f"{name} {value:.4g}" for name, value in _numbers(scores).items())
        return (
            f"{self.name}: {self.kind.noun}, {architecture}, {count:,} parameters, step "
            f"{self.step:,}\n"
            f"  {self._inputs()}{corpus}\n"
            f"  validation: {told or 'not measured'}"
        )

    def _inputs(self) -> str:
        """Returns a short description of the inputs."""
        return f"{len(self.vocabulary):,} {self.vocabulary.kind} tokens"


_MOST_SHOWN = 4  # the most scores that are shown


def _count(params: Params) -> int:
    """Returns the number of parameters in nested dicts of arrays."""
    if isinstance(params, Mapping):
        return sum(map(_count, params.values()))
    return int(params.size)


def _numbers(scores: Json) -> dict[str, float]:
    """Returns the first scores, without thresholds of labels."""
    numbers = {n: v for n, v in scores.items() if isinstance(v, int | float) and "." not in n}
    return dict(list(numbers.items())[:_MOST_SHOWN])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrainedLanguageModel(Checkpoint):
    """A trained language model; n-gram models belong to this class too."""

    kind = LANGUAGE_MODEL
    token_axes: ClassVar[TokenAxes] = {
        "embedding": ("tokens", 0),
        "output_kernel": ("tokens", 1),
        "output_bias": ("tokens", 0),
        "network/output_kernel": ("tokens", 1),
        "network/output_bias": ("tokens", 0),
        "direct_kernel": ("tokens", 1),
    }


Wanted = TypeVar("Wanted", bound=Checkpoint)


def opened(checkpoint: ModelOrName) -> TrainedModel:
    """Returns a trained model; loads it if a name is given.

    Every public function that takes a model calls this function or `require` first.

    Args:
        checkpoint: a trained model, or an argument of `zoo.load`.

    Raises:
        UserError: there is no such checkpoint.
        TypeError: the argument is neither a model nor a name.
    """
    if isinstance(checkpoint, str | os.PathLike):
        return by_name.load(checkpoint)
    if not isinstance(getattr(checkpoint, "kind", None), Kind):
        raise TypeError(
            f"expected a trained model, not a {type(checkpoint).__name__}; give the result of "
            "zoo.load, or the name of a checkpoint"
        )
    return checkpoint


def require(checkpoint: ModelOrName, wanted: type[Wanted]) -> Wanted:
    """Returns a checkpoint of a class; loads it if a name is given.

    Raises:
        UserError: it is another kind of model. The error names the command that uses it.
        TypeError: see `opened`.
    """
    model = opened(checkpoint)
    if isinstance(model, wanted):
        return model
    if wanted is Checkpoint:
        raise UserError(f"{model.name} consists of other models; give one of these models")
    raise _refusal(model.kind, wanted.kind)


def require_language_model(checkpoint: ModelOrName, *, to_measure: bool = False) -> TrainedModel:
    """Returns a language model, a mixture or an adaptive model; loads it if a name is given.

    Args:
        checkpoint: a trained model, or an argument of `zoo.load`.
        to_measure: whether the error for another kind names the function that measures it.

    Raises:
        UserError: it is another kind of model.
        TypeError: see `opened`.
    """
    model = opened(checkpoint)
    if model.kind != LANGUAGE_MODEL:
        use = model.kind.measure if to_measure else ""
        raise _refusal(model.kind, LANGUAGE_MODEL, use)
    return model


def _refusal(found: Kind, wanted: Kind, use: str = "") -> UserError:
    return UserError(f"this is a {found.noun}, not a {wanted.noun}; use {use or found.command}")
