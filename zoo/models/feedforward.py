"""The two-layer feed-forward network: the error flows back to U directly and to W through U.

    h = g(W x + b)                      g = tanh or relu
    y = softmax(U h + d)
    loss = -(1/N) sum_n log y_n[class of n]  +  (l2/2) (|W|^2 + |U|^2)

(Rumelhart, Hinton and Williams 1986.) Backwards, with t the one-hot class and * element by element,
both layers start from the same error at the output, and W's goes on through U and g:

    e  = y - t                                          the error at the output
    dU = e h'          dd = e                           the short path
    f  = (U' e) * g'                                    g' = 1 - h * h, or [h > 0] for relu
    dW = f x'          db = f                           the long path

all divided by N and, for W and U, with the pull of the penalty, l2 W and l2 U, added.
`backpropagate` is these lines; a test compares it with autodiff.

Axes: N inputs, D input features, H hidden units, C classes. Arrays have a row for each input, so
the matrices are kept transposed: W as [D, H] and U as [H, C].
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.checks import check_choice
from zoo.layers.cross_entropy import token_losses
from zoo.layers.dropout import drop
from zoo.layers.initializers import uniform
from zoo.layers.linear import affine
from zoo.types import Params

Array = jax.Array

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"tanh": jnp.tanh, "relu": jax.nn.relu}


def check_activation(name: str) -> None:
    """Raises UserError, one line, unless there is such a g."""
    check_choice("model.activation", name, ACTIVATIONS)


class FeedForward(nn.Module):
    """Two layers from features to logits.

    Parameters: `hidden_kernel` W [D, H], `hidden_bias` b [H], `output_kernel` U [H, C],
    `output_bias` d [C]. Weights start uniform in +-init_scale, or with init_scale 0 in
    +-1/sqrt(width of what they read); biases at zero.

    Attributes:
        hidden_size: H.
        num_outputs: C.
        activation: g, tanh or relu.
        dropout_rate: fraction of h dropped in training.
        init_scale: see above.

    Example:
        >>> network = FeedForward(hidden_size=8, num_outputs=3)
        >>> x = jnp.ones((5, 2))
        >>> network.apply(network.init(jax.random.key(0), x), x).shape
        (5, 3)
    """

    hidden_size: int
    num_outputs: int
    activation: str = "tanh"
    dropout_rate: float = 0.0
    init_scale: float = 0.0

    @nn.compact
    def __call__(self, inputs: Array, *, deterministic: bool = True) -> Array:
        """Logits [..., C] of inputs [..., D]; dropout needs a random key named "dropout"."""
        hidden = ACTIVATIONS[self.activation](self._layer("hidden", inputs, self.hidden_size))
        hidden = drop(self, hidden, self.dropout_rate, deterministic)
        return self._layer("output", hidden, self.num_outputs)

    def _layer(self, name: str, inputs: Array, width: int) -> Array:
        features = inputs.shape[-1]
        init = uniform(self.init_scale or features**-0.5)
        kernel = self.param(f"{name}_kernel", init, (features, width))
        return affine(inputs, kernel, self.param(f"{name}_bias", nn.initializers.zeros, (width,)))


def regularised_loss(logits: Array, classes: Array, params: Params, l2: float) -> Array:
    """The loss at the top of this file.

    Args:
        logits: [N, C].
        classes: int32[N].
        params: of a FeedForward.
        l2: weight of the penalty.

    Returns:
        A scalar, nats.
    """
    losses = token_losses(logits[None], classes[None])[0]
    squares = [jnp.square(params[f"{name}_kernel"]).sum() for name in ("hidden", "output")]
    return losses.mean() + l2 / 2 * sum(squares)


def backpropagate(
    params: dict[str, Array], inputs: Array, classes: Array, *, activation: str, l2: float
) -> dict[str, Array]:
    """The gradient of `regularised_loss`, by hand.

    Args:
        params: of a FeedForward.
        inputs: [N, D].
        classes: int32[N].
        activation: tanh or relu.
        l2: weight of the penalty.

    Returns:
        An array for each parameter, of its shape.
    """
    hidden = ACTIVATIONS[activation](inputs @ params["hidden_kernel"] + params["hidden_bias"][None])
    outputs = jax.nn.softmax(hidden @ params["output_kernel"] + params["output_bias"][None])
    target = jax.nn.one_hot(classes, outputs.shape[-1], dtype=outputs.dtype)
    error = (outputs - target) / len(inputs)
    slope = 1 - hidden * hidden if activation == "tanh" else (hidden > 0).astype(hidden.dtype)
    hidden_error = error @ params["output_kernel"].T * slope
    return {
        "output_kernel": hidden.T @ error + l2 * params["output_kernel"],
        "output_bias": error.sum(axis=0),
        "hidden_kernel": inputs.T @ hidden_error + l2 * params["hidden_kernel"],
        "hidden_bias": hidden_error.sum(axis=0),
    }
