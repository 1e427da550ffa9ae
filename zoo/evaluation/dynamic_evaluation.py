"""Dynamic evaluation: the parameters follow the text that has been scored.

The text is read in windows of W tokens. After window i is scored with the parameters theta_{i-1},
the parameters take one step down the gradient of the window's mean loss L_i. They also move part of
the way back to the trained parameters theta_g (Krause et al. 2018, eq. 5 to 7; all operations are
element by element):

    theta_i = theta_{i-1} - eta grad L_i / (R + epsilon) + lambda N (theta_g - theta_{i-1})

    R = sqrt(mean_k g_k^2)         over gradients g_k of the trained model on its training text
    N = min(R / mean(R), 1 / lambda)

With R + epsilon = 1 and N = 1 this is stochastic gradient descent. With lambda = 0 in addition, it
is the dynamic model of Mikolov et al. 2010. No token is scored with parameters that have seen it.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zoo.data.batching import Batch
from zoo.data.streams import StreamBatches
from zoo.errors import UserError
from zoo.given import check_kinds
from zoo.layers.cross_entropy import token_losses
from zoo.models.output import LanguageModel
from zoo.progress import track
from zoo.types import PyTree

Array = jax.Array

RULES = ("rms", "sgd")
_ROWS = 20  # pieces of training text over which a gradient of the statistics is averaged
_MOST_BATCHES = 200
MAX_WINDOW = 1_000_000


@dataclass(frozen=True)
class DynamicEvaluation:
    """The settings of dynamic evaluation.

    Attributes:
        rule: "rms" divides the gradient by the size of gradients on the training text; "sgd" does
            not.
        rate: eta, the step size of each update.
        decay: lambda, how strongly each update pulls the parameters back to their trained values:
            0 for not at all, at most 1.
        window: W, the number of tokens between two updates.
        epsilon: a small number that rule rms adds to R, the size of the gradients, so that no
            division is by zero.

    Raises:
        UserError: if a setting is outside its bounds. Errors name a setting as the command line
            does, such as dynamic_rate.
    """

    rule: str = "rms"
    rate: float = 1e-3
    decay: float = 5e-3
    window: int = 5
    epsilon: float = 2e-3

    def __post_init__(self) -> None:
        check_kinds(self)
        if self.rule not in RULES:
            raise UserError(f"the rule of dynamic evaluation is {self.rule!r}; use rms or sgd")
        if not 0 < self.rate < math.inf:
            raise UserError(f"dynamic_rate is {self.rate}; use more than 0, such as 0.002")
        if not 0 <= self.decay <= 1:
            raise UserError(f"dynamic_decay is {self.decay}; use 0 to 1, such as 0.02")
        if not 0 < self.epsilon < math.inf:
            raise UserError(f"epsilon is {self.epsilon}; use more than 0, such as 0.002")
        if not 1 <= self.window <= MAX_WINDOW:
            raise UserError(f"dynamic_window is {self.window}; use 1 to {MAX_WINDOW} tokens")


class Rates(NamedTuple):
    """The numbers of an update, which can change without another compilation.

    Attributes:
        rate: eta.
        decay: lambda.
        epsilon: the number that is added to R.
    """

    rate: Array | float
    decay: Array | float
    epsilon: Array | float


def follow(rates: Rates, params: PyTree, grads: PyTree, trained: PyTree, sizes: PyTree) -> PyTree:
    """Returns theta_i: one step of dynamic evaluation.

    Args:
        rates: eta, lambda and epsilon.
        params: theta_{i-1}.
        grads: the gradient of L_i.
        trained: theta_g.
        sizes: R, see `gradient_sizes`; None for rule sgd.

    Example:
        >>> rates = Rates(rate=0.1, decay=0.5, epsilon=0.0)
        >>> round(float(follow(rates, jnp.float32(1), jnp.float32(2), jnp.float32(3), None)), 6)
        1.8
    """
    if sizes is None:
        return jax.tree.map(
            lambda now, grad, start: now - rates.rate * grad + rates.decay * (start - now),
            params,
            grads,
            trained,
        )
    leaves = jax.tree.leaves(sizes)
    mean = sum(leaf.sum() for leaf in leaves) / sum(leaf.size for leaf in leaves)

    def step(now: Array, grad: Array, start: Array, size: Array) -> Array:
        back = jnp.minimum(rates.decay * size / mean, 1.0)  # lambda N
        return now - rates.rate * grad / (size + rates.epsilon) + back * (start - now)

    return jax.tree.map(step, params, grads, trained, sizes)


def gradient_sizes(model: LanguageModel, params: PyTree, tokens: np.ndarray, window: int) -> PyTree:
    """Returns R, the root mean square of each parameter's gradient over a text.

    The text is read as 20 streams, each with its own state. Each gradient is the gradient of the
    mean loss over one window of every stream. At most 200 windows of each stream are read.

    Args:
        model: a language model module.
        params: its parameters.
        tokens: int32[N], the training text, the tokens of each sentence followed by `</s>`.
        window: W.

    Raises:
        UserError: if the text is shorter than 20 windows.
    """
    if len(tokens) < _ROWS * window:
        raise UserError(
            f"the training text has {len(tokens)} tokens, too few for the statistics of dynamic "
            f"evaluation, which need {_ROWS} windows of {window} tokens; use --dynamic=sgd"
        )
    batches = StreamBatches(tokens, batch_size=_ROWS, sequence_length=window, seed=0)
    num_batches = min(batches.batches_per_epoch, _MOST_BATCHES)
    sums, carry = jax.tree.map(jnp.zeros_like, params), model.zero_carry(_ROWS)
    for index in track(range(num_batches), "gradients"):
        sums, carry = _add_squares(model, params, sums, carry, batches.batch(0, index))
    return jax.tree.map(lambda total: jnp.sqrt(total / num_batches), sums)


@partial(jax.jit, static_argnames="model", donate_argnames=("sums", "carry"))
def _add_squares(
    model: LanguageModel, params: PyTree, sums: PyTree, carry: PyTree, batch: Batch
) -> tuple[PyTree, PyTree]:
    """Adds the squares of one gradient to the sums, and returns them with the next carry."""

    def loss(params: PyTree) -> tuple[Array, PyTree]:
        resets = jnp.asarray(batch.fresh)[:, None]
        output = model.apply({"params": params}, batch.inputs, carry, resets=resets)
        return token_losses(output.logits, jnp.asarray(batch.targets)).mean(), output.carry

    grads, carry = jax.grad(loss, has_aux=True)(params)
    return jax.tree.map(lambda total, grad: total + grad * grad, sums, grads), carry
