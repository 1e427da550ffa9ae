"""A trained model: a module with its parameters and its vocabulary, and what it is used for."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A trained model with everything that is needed to use it. Each task has a class of its own.

    Attributes:
        token_axes: of each parameter that has a row or a column a token, by its path with slashes,
            the vocabulary (one of `tokens`) and the axis.
        model: `model.apply({"params": params}, tokens)` gives logits and carry.
        params: nested dict of arrays, on the default device.
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
    params: Params
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


@dataclasses.dataclass(frozen=True, kw_only=True)
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


def require(checkpoint: TrainedModel, wanted: type[Wanted]) -> Wanted:
    """Returns a checkpoint that is one of that class.

    Raises:
        UserError: it is another kind of model; the message says which command uses it.
    """
    if isinstance(checkpoint, wanted):
        return checkpoint
    raise _refusal(checkpoint.kind, wanted.kind)


def require_language_model(checkpoint: TrainedModel) -> None:
    """Raises UserError unless it is a language model, a mixture or a model that adapts."""
    if checkpoint.kind != LANGUAGE_MODEL:
        raise _refusal(checkpoint.kind, LANGUAGE_MODEL)


def _refusal(found: Kind, wanted: Kind) -> UserError:
    return UserError(f"this is a {found.noun}, no {wanted.noun}; use {found.command}")
