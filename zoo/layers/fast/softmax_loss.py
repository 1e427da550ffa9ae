"""A softmax over many words and its cross-entropy, with the gradient from the same pass.

    z_n = U' h_n + b,   p_n = softmax(z_n)
    loss_n = log sum_v exp(z_nv) - (1 - e) z_n,target - (e/V) sum_v z_nv
    L = sum_n w_n loss_n,   dL/dz_nv = w_n (p_nv - (1 - e) [v = target] - e/V)

Since L is linear in the losses, dL/dz is known as soon as z is. So the steps are cut into parts.
The contribution of a part to dL/dh, dL/dU and dL/db is added up before the next part begins. The
logits of the whole batch, which would be the largest array of training, are never in memory.

Axes: B rows, T steps, H width of a state, V vocabulary; N = B*T.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax

from zoo.layers.linear import affine, product
from zoo.types import PyTree

Array = jax.Array

MOST_ELEMENTS = 2**25  # the most logits of a part, 128 MB; smaller parts are not faster


class SoftmaxInputs(struct.PyTreeNode):
    """The inputs of a softmax.

    Attributes:
        hidden: [B, T, H], h.
        kernel: [H, V], U.
        bias: [V], b.
        dtype: the precision of the products, see `zoo.layers.linear.product`.
    """

    hidden: Array
    kernel: Array
    bias: Array
    dtype: str | None = struct.field(pytree_node=False, default=None)

    def logits(self) -> Array:
        """z, [B, T, V]."""
        return affine(self.hidden, self.kernel, self.bias, self.dtype)


class _Static(NamedTuple):
    """The static settings of the compiled program."""

    smoothing: float
    dtype: str | None


def softmax_losses(
    inputs: SoftmaxInputs, targets: Array, weights: Array, smoothing: float = 0.0
) -> tuple[Array, Array]:
    """Returns the weighted sum of the losses, and the loss of each target without a gradient.

    Args:
        inputs: the inputs of the softmax.
        targets: int32[B, T].
        weights: [B, T], w.
        smoothing: e, the label smoothing.

    Returns:
        L, and -log p(target) [B, T] in nats, without smoothing.

    Example:
        >>> inputs = SoftmaxInputs(jnp.ones((1, 2, 3)), jnp.zeros((3, 4)), jnp.zeros(4))
        >>> total, nats = softmax_losses(inputs, jnp.array([[0, 3]]), jnp.array([[1.0, 0.0]]))
        >>> round(total.item(), 4), nats.round(4).tolist()
        (1.3863, [[1.386299967765808, 1.386299967765808]])
    """
    steps, num_parts = inputs.hidden.shape[1], count_parts(inputs)
    static = _Static(smoothing, inputs.dtype)
    operands = (inputs.hidden, jnp.asarray(targets), weights)
    parts = jax.tree.map(partial(_split, num_parts), operands)
    total, nats = _losses(static, parts, inputs.kernel, inputs.bias)
    return total, lax.stop_gradient(_join(nats, steps))


def count_parts(inputs: SoftmaxInputs) -> int:
    """Returns the number of parts that the steps are cut into."""
    batch, steps, _ = inputs.hidden.shape
    return min(-(-batch * steps * len(inputs.bias) // MOST_ELEMENTS), steps)


def _split(num_parts: int, array: Array) -> Array:
    """Reshapes [B, T, ...] to [P, B, T/P, ...]; the end is padded with zeros, also in the weights.

    Rows are not cut, so that devices which share the rows share every part.
    """
    batch, steps = array.shape[:2]
    each = -(-steps // num_parts)
    filled = jnp.pad(array, ((0, 0), (0, num_parts * each - steps), *[(0, 0)] * (array.ndim - 2)))
    return filled.reshape((batch, num_parts, each, *array.shape[2:])).swapaxes(0, 1)


def _join(array: Array, steps: int) -> Array:
    """Reshapes [P, B, T/P] to [B, T]."""
    return array.swapaxes(0, 1).reshape((array.shape[1], -1))[:, :steps]


class _Part(NamedTuple):
    """The results of a part: its contribution to L, its losses, and dL/dz [R, V] of its R rows."""

    total: Array
    nats: Array
    grad: Array


def _work_through(static: _Static, part: PyTree, kernel: Array, bias: Array) -> _Part:
    """Returns the losses and dL/dz of a part: hidden [B, T/P, H], targets and weights [B, T/P]."""
    hidden, targets, weights = part
    rows, smoothing, size = hidden.shape[0] * hidden.shape[1], static.smoothing, bias.shape[0]
    target, weight = targets.reshape(rows), weights.reshape(rows)
    logits = product(hidden.reshape((rows, -1)), kernel, static.dtype) + bias[None]
    largest = logits.max(axis=1)
    exponentials = jnp.exp(logits - largest[:, None])
    sums = exponentials.sum(axis=1)
    normaliser = largest + jnp.log(sums)
    picked = jnp.take_along_axis(logits, target[:, None], axis=1)[:, 0]
    losses = normaliser - (1 - smoothing) * picked
    is_target = jnp.arange(size, dtype=target.dtype)[None] == target[:, None]
    wanted = is_target.astype(logits.dtype) * (1 - smoothing)
    if smoothing:
        losses = losses - smoothing * logits.mean(axis=1)
        wanted = wanted + smoothing / size
    grad = exponentials * (weight / sums)[:, None] - wanted * weight[:, None]
    nats = (normaliser - picked).reshape(targets.shape)
    return _Part((weight * losses).sum(), nats, grad)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _losses(static: _Static, parts: PyTree, kernel: Array, bias: Array) -> tuple[Array, Array]:
    """Returns L, and the losses [P, B, T/P]."""

    def step(total: Array, part: PyTree) -> tuple[Array, Array]:
        found = _work_through(static, part, kernel, bias)
        return total + found.total, found.nats

    return lax.scan(step, jnp.zeros((), bias.dtype), parts)


def _losses_keeping(
    static: _Static, parts: PyTree, kernel: Array, bias: Array
) -> tuple[tuple[Array, Array], tuple]:
    """Returns L and the losses, and dL/dh, dL/dU and dL/db for the backward pass."""
    transposed = lax.optimization_barrier(kernel.T)

    def step(sums: tuple[Array, Array, Array], part: PyTree) -> tuple[tuple, tuple[Array, Array]]:
        total, grad_kernel, grad_bias = sums
        found = _work_through(static, part, kernel, bias)
        hidden = part[0].reshape((-1, kernel.shape[0]))
        grad_hidden = product(found.grad, transposed, static.dtype).reshape(part[0].shape)
        grad_kernel = grad_kernel + product(hidden.T, found.grad, static.dtype)
        sums = total + found.total, grad_kernel, grad_bias + found.grad.sum(axis=0)
        return sums, (found.nats, grad_hidden)

    zeros = jnp.zeros((), bias.dtype), jnp.zeros_like(kernel), jnp.zeros_like(bias)
    (total, grad_kernel, grad_bias), (nats, grad_hidden) = lax.scan(step, zeros, parts)
    return (total, nats), (grad_hidden, grad_kernel, grad_bias)


def _losses_backward(static: _Static, kept: tuple, grads: tuple[Array, Array]) -> tuple:
    """Multiplies dL/dh, dL/dU and dL/db by the gradient of L; the losses have no gradient."""
    del static
    grad_hidden, grad_kernel, grad_bias = (grads[0] * array for array in kept)
    return (grad_hidden, None, None), grad_kernel, grad_bias


_losses.defvjp(_losses_keeping, _losses_backward)
