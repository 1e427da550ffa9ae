"""What using a trained model needs of it."""

from typing import Any, Protocol

from zoo.errors import UserError


class TrainedModel(Protocol):
    """A model with its parameters and its vocabulary, as `zoo.load` gives them."""

    @property
    def model(self) -> Any:
        """A Flax module, such as `RecurrentLM`."""

    @property
    def params(self) -> Any:
        """Its parameters."""

    @property
    def vocabulary(self) -> Any:
        """The `zoo.data.vocabulary.Vocabulary` of its tokens."""


class TrainedClassifier(TrainedModel, Protocol):
    """A trained classifier, as `zoo.load` gives it."""

    @property
    def labels(self) -> Any:
        """The `zoo.data.labels.Labels` it chooses from; None of another model."""

    @property
    def thresholds(self) -> Any:
        """float[C], where a text may have several labels the probability each has to reach."""

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text it reads; 0 for all."""

    @property
    def cut(self) -> str:
        """What a longer text loses, its "end" or its "middle"."""


class TrainedTranslator(TrainedModel, Protocol):
    """A trained encoder-decoder, as `zoo.load` gives it; `vocabulary` is that of its targets."""

    @property
    def source_vocabulary(self) -> Any:
        """The vocabulary of its sources; None of another model."""

    @property
    def lowercase(self) -> bool:
        """Whether it was trained on lower-cased texts."""


def require_translator(checkpoint: TrainedModel) -> None:
    """Raises UserError, one line, for a checkpoint of another task."""
    if getattr(checkpoint, "source_vocabulary", None) is None:
        is_classifier = getattr(checkpoint, "labels", None) is not None
        what, use = ("classifier", "classify") if is_classifier else ("language model", "generate")
        raise UserError(f"this is a {what}, no translator; use {use}")


def require_language_model(checkpoint: TrainedModel) -> None:
    """Raises UserError, one line, for a checkpoint of another task."""
    if getattr(checkpoint, "source_vocabulary", None) is not None:
        raise UserError("this is a translator, no language model; use translate")
    if getattr(checkpoint, "labels", None) is not None:
        raise UserError("this is a classifier, no language model; use classify")


def require_classifier(checkpoint: TrainedModel) -> None:
    """Raises UserError, one line, for a checkpoint of another task."""
    if getattr(checkpoint, "source_vocabulary", None) is not None:
        raise UserError("this is a translator, no classifier; use translate")
    if getattr(checkpoint, "labels", None) is None:
        raise UserError("this is a language model, no classifier; use generate or evaluate")
