"""What every language model of the zoo gives, whatever is inside it."""

from typing import Any, NamedTuple

import jax

from zoo.layers.fast.softmax_loss import SoftmaxInputs


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
    carry: Any
    softmax: SoftmaxInputs | None = None
    penalty: jax.Array | None = None
