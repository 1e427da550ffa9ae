"""The interfaces of all models of the zoo, and the output of language models."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np

from zoo.layers.fast.softmax_loss import SoftmaxInputs
from zoo.types import PyTree


class LMOutput(NamedTuple):
    """The distribution after each token, and the state after the last token.

    Attributes:
        logits: [B, T, V], the unnormalised log-probabilities of each next token.
        carry: the memory of the tokens so far, a tree of arrays [B, ...]. A second call that gets
            it with the following tokens continues the first call exactly.
        softmax: the inputs of the softmax, for a loss that does not need the logits; None if the
            model does not provide them.
        penalty: a scalar that is added to the mean loss per token in training; None means no
            penalty.
    """

    logits: jax.Array
    carry: PyTree
    softmax: SoftmaxInputs | None = None
    penalty: jax.Array | None = None


class Model(Protocol):
    """A Flax module, or an object that is used like one."""

    def apply(self, variables: PyTree, *args: Any, **options: Any) -> Any:
        """Returns the output of the model for its inputs; `variables` is {"params": parameters}."""


class LanguageModel(Model, Protocol):
    """A language model, whose `apply` returns an `LMOutput`."""

    @property
    def vocabulary_size(self) -> int:
        """V."""

    def zero_carry(self, batch_size: int) -> PyTree:
        """Returns the carry before the first token."""


@runtime_checkable
class ScoresItself(Protocol):
    """A language model with its own way to score a text, such as n-grams or an adaptive model."""

    def token_log_probabilities(
        self, params: PyTree, inputs: np.ndarray, targets: np.ndarray, *, mode: str
    ) -> np.ndarray:
        """Returns the natural logarithm of the probability of each target."""
