"""What every model of the zoo can be asked, and what every language model gives."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np

from zoo.layers.fast.softmax_loss import SoftmaxInputs
from zoo.types import PyTree


class LMOutput(NamedTuple):
    """The distribution after each token, and where the model stands after the last one.

    Attributes:
        logits: [B, T, V], unnormalised log-probabilities of each next token.
        carry: what the model has to remember of the tokens read, a tree of arrays [B, ...]; given
            back with the tokens that follow, it makes two calls equal to one.
        softmax: what the logits are made of, for a loss that does without them; None where the
            model does not say.
        penalty: a scalar that the loss in training adds to the mean loss of a token; None where
            the model asks for none.
    """

    logits: jax.Array
    carry: PyTree
    softmax: SoftmaxInputs | None = None
    penalty: jax.Array | None = None


class Model(Protocol):
    """A Flax module, or what is used as one."""

    def apply(self, variables: PyTree, *args: Any, **options: Any) -> Any:
        """Returns what the model gives for its inputs, with {"params": parameters}."""


class LanguageModel(Model, Protocol):
    """A language model: `apply` gives an `LMOutput`."""

    @property
    def vocabulary_size(self) -> int:
        """V."""

    def zero_carry(self, batch_size: int) -> PyTree:
        """Returns what the model remembers before it has read anything."""


@runtime_checkable
class ScoresItself(Protocol):
    """A language model that has a way of its own to score a text: n-grams, a model that adapts."""

    def token_log_probabilities(
        self, params: PyTree, inputs: np.ndarray, targets: np.ndarray, *, mode: str
    ) -> np.ndarray:
        """Returns the natural logarithm of each target's probability."""
