"""A trained model: a module with its parameters and its vocabulary, and what it is used for."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

from zoo import by_name
from zoo.errors import UserError
from zoo.types import Json, Params


class Kind(NamedTuple):
    """What a trained model is for, in the words of errors.

    Attributes:
        noun: what it is.
        command: the command of `python -m zoo` that uses it.
    """

    noun: str
    command: str


LANGUAGE_MODEL = Kind("language model", "generate")


class TrainedModel(Protocol):
    """What using a trained model needs of it: of a checkpoint, a mixture, a model that adapts."""

    kind: ClassVar[Kind]

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def model(self) -> Any:
        """A Flax module, such as `RecurrentLM`, or what is used as one."""

    @property
    def params(self) -> Params:
        """Its parameters."""

    @property
    def vocabulary(self) -> Any:
        """The `zoo.data.vocabulary.Vocabulary` of the tokens that it reads or writes."""


ModelOrName = TrainedModel | os.PathLike[str] | str  # a model, or what `zoo.load` takes


# Two models are equal if they are one object: comparing millions of numbers is no accident's work.
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Checkpoint:
    """A trained model with everything that is needed to use it. Each task has a class of its own.

    Attributes:
        token_axes: of each parameter that has a row or a column a token, by its path with slashes,
            the vocabulary (one of `tokens`) and the axis.
        model: `model.apply({"params": params}, tokens)` gives logits and carry.
        params: nested dict of arrays, on the default device; empty before training.
        vocabulary: from text to token ids and back; of a translator that of its targets.
        name: as it was asked for: a released name or a path.
        directory: the step's directory, or the file; "" of a model that was not loaded.
        step: number of train steps taken.
        config: the run's resolved config, as nested dicts; of an ARPA file only the model's.
        progress: what the run had reached: data position, scores.
    """

    kind: ClassVar[Kind]
    token_axes: ClassVar[Mapping[str, tuple[str, int]]] = {}

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
        """The vocabulary as plain JSON, as a checkpoint's vocabulary.json holds it."""
        return self.vocabulary.to_json()

    @property
    def tokens(self) -> dict[str, Sequence[str]]:
        """The tokens of each vocabulary by their ids, labels among them."""
        return {"tokens": self.vocabulary.tokens}

    def with_params(self, params: Params) -> Self:
        """Returns the same model with other parameters."""
        return dataclasses.replace(self, params=params)

    def __repr__(self) -> str:
        """Three lines: what it is, what it reads and was trained on, and how well it did."""
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
        """What it reads, in a few words."""
        return f"{len(self.vocabulary):,} {self.vocabulary.kind} tokens"


_MOST_SHOWN = 4  # scores


def _count(params: Params) -> int:
    """The number of parameters in nested dicts of arrays."""
    if isinstance(params, Mapping):
        return sum(map(_count, params.values()))
    return int(params.size)


def _numbers(scores: Json) -> dict[str, float]:
    """The first scores, without thresholds of labels."""
    numbers = {n: v for n, v in scores.items() if isinstance(v, int | float) and "." not in n}
    return dict(list(numbers.items())[:_MOST_SHOWN])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrainedLanguageModel(Checkpoint):
    """A trained language model, n-grams among them."""

    kind = LANGUAGE_MODEL
    token_axes: ClassVar[Mapping[str, tuple[str, int]]] = {
        "embedding": ("tokens", 0),
        "output_kernel": ("tokens", 1),
        "output_bias": ("tokens", 0),
        "network/output_kernel": ("tokens", 1),
        "network/output_bias": ("tokens", 0),
        "direct_kernel": ("tokens", 1),
    }


Wanted = TypeVar("Wanted", bound=Checkpoint)


def opened(checkpoint: ModelOrName) -> TrainedModel:
    """Returns a trained model, which is loaded if it is given by its name.

    Every public function that takes a model calls this first, or `require`.

    Args:
        checkpoint: a trained model, or what `zoo.load` takes.

    Raises:
        UserError: there is no such checkpoint.
        TypeError: it is neither a model nor a name.
    """
    if isinstance(checkpoint, str | os.PathLike):
        return by_name.load(checkpoint)
    if not isinstance(getattr(checkpoint, "kind", None), Kind):
        raise TypeError(
            f"a trained model is wanted, not a {type(checkpoint).__name__}; give what zoo.load "
            "gives, or a name that it takes"
        )
    return checkpoint


def require(checkpoint: ModelOrName, wanted: type[Wanted]) -> Wanted:
    """Returns a checkpoint that is one of that class, loaded if it is given by its name.

    Raises:
        UserError: it is another kind of model; the message says which command uses it.
        TypeError: as `opened`.
    """
    model = opened(checkpoint)
    if isinstance(model, wanted):
        return model
    if wanted is Checkpoint:
        raise UserError(f"{model.name} is made of other models; give one of these")
    raise _refusal(model.kind, wanted.kind)


def require_language_model(checkpoint: ModelOrName) -> TrainedModel:
    """Returns a language model, a mixture or a model that adapts, loaded if it is given by name.

    Raises:
        UserError: it is another kind of model.
        TypeError: as `opened`.
    """
    model = opened(checkpoint)
    if model.kind != LANGUAGE_MODEL:
        raise _refusal(model.kind, LANGUAGE_MODEL)
    return model


def _refusal(found: Kind, wanted: Kind) -> UserError:
    return UserError(f"this is a {found.noun}, no {wanted.noun}; use {found.command}")
