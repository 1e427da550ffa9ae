"""The two-layer feed-forward network, whose error reaches U directly and W through U.

    h = g(W x + b)                      g = tanh or relu
    y = softmax(U h + d)
    loss = -(1/N) sum_n log y_n[class of n]  +  (l2/2) (|W|^2 + |U|^2)

(Rumelhart, Hinton and Williams 1986.) Let t be the one-hot class and * the elementwise product. In
the backward pass both layers start from the same error at the output; for W it goes on through U
and g:

    e  = y - t                                          the error at the output
    dU = e h'          dd = e                           the short path
    f  = (U' e) * g'                                    g' = 1 - h * h, or [h > 0] for relu
    dW = f x'          db = f                           the long path

All gradients are divided by N. The gradients of the penalty, l2 W and l2 U, are added to dW and dU.
`backpropagate` has these lines; a test compares it with autodiff.

Axes: N inputs, D input features, H hidden units, C classes. Arrays have a row for each input, so
the matrices are stored transposed: W as [D, H] and U as [H, C].
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
    """Raises a UserError unless g has this name."""
    check_choice("model.activation", name, ACTIVATIONS)


class FeedForward(nn.Module):
    """A two-layer network from features to logits.

    The parameters are `hidden_kernel` W [D, H], `hidden_bias` b [H], `output_kernel` U [H, C] and
    `output_bias` d [C]. Weights start uniform in (-init_scale, init_scale). If init_scale is 0,
    they start uniform in +-1/sqrt(number of inputs). Biases start at zero.

    Attributes:
        hidden_size: H.
        num_outputs: C.
        activation: g, tanh or relu.
        dropout_rate: the fraction of h that is dropped in training.
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
        """Returns logits [..., C] of inputs [..., D]; dropout needs the random key "dropout"."""
        hidden = ACTIVATIONS[self.activation](self._layer("hidden", inputs, self.hidden_size))
        hidden = drop(self, hidden, self.dropout_rate, deterministic)
        return self._layer("output", hidden, self.num_outputs)

    def _layer(self, name: str, inputs: Array, width: int) -> Array:
        features = inputs.shape[-1]
        init = uniform(self.init_scale or features**-0.5)
        kernel = self.param(f"{name}_kernel", init, (features, width))
        return affine(inputs, kernel, self.param(f"{name}_bias", nn.initializers.zeros, (width,)))


def regularised_loss(logits: Array, classes: Array, params: Params, l2: float) -> Array:
    """Returns the loss at the top of this file.

    Args:
        logits: [N, C].
        classes: int32[N].
        params: the parameters of a FeedForward.
        l2: the weight of the penalty.

    Returns:
        The loss in nats, a scalar.
    """
    losses = token_losses(logits[None], classes[None])[0]
    squares = [jnp.square(params[f"{name}_kernel"]).sum() for name in ("hidden", "output")]
    return losses.mean() + l2 / 2 * sum(squares)


def backpropagate(
    params: dict[str, Array], inputs: Array, classes: Array, *, activation: str, l2: float
) -> dict[str, Array]:
    """Returns the gradient of `regularised_loss`, written by hand.

    Args:
        params: the parameters of a FeedForward.
        inputs: [N, D].
        classes: int32[N].
        activation: tanh or relu.
        l2: the weight of the penalty.

    Returns:
        For each parameter an array of the same shape.
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
