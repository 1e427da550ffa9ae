"""Vanishing and exploding gradients: how much a loss depends on earlier states.

    L_T             = -log p(token T + 1 | tokens up to T)
    dL_T/dh_{t-1}   = (dh_t/dh_{t-1})' dL_T/dh_t

(Bengio, Simard and Frasconi 1994; Pascanu et al. 2013, eq. 5.) h_t is the state that step t hands
to step t + 1. An LSTM hands on its memory c_t as well. Other cells hand on matrices or several
arrays, which count as one long vector. At T itself, the gradient is taken at the output that the
loss reads. For a linear network, h_t = h_{t-1} U + ..., the matrix is U' at every step. The norm is
then multiplied each time by a factor between the smallest and the largest singular value of U.
The rows are cut out of a text, so the state before the first step is zero, as where the evaluation
of a text begins, even if the model has learned an initial state for sentences.

Axes: B rows, T time, L layers, H hidden.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.data.batching import shift_targets
from zoo.errors import UserError
from zoo.layers.cross_entropy import token_losses
from zoo.models.output import Model
from zoo.models.recurrent_lm import RecurrentLM
from zoo.types import Params, PyTree

Array = jax.Array

NUM_ROWS = 32


class GradientFlow(NamedTuple):
    """Norms of dL_T/dh_t, averaged over the rows of a batch.

    Attributes:
        hidden: float[L, T+1]; at [:, d] the norm for t = T - d, the state d steps before the last.
            For a cell with states h_t and c_t it is the norm for h_t, otherwise for the whole state
            of the cell. At [:, 0] it is the norm for the top layer's output, 0 for lower layers.
        memory: the norms for c_t of such a cell; None for other cells.
        reach: the number of steps that the gradient goes back in training: the truncation, or T
            without truncation.
    """

    hidden: np.ndarray
    memory: np.ndarray | None
    reach: int


def require_recurrent(model: Model, name: str) -> RecurrentLM:
    """Returns the model if it has a state that is carried through time.

    Raises:
        UserError: if it has no such state; the message uses the given name.
    """
    if isinstance(model, RecurrentLM):
        return model
    raise UserError(f"{name} has no state that is carried through time; give a recurrent_lm")


def gradient_flow(model: RecurrentLM, params: Params, tokens: np.ndarray) -> GradientFlow:
    """Returns the gradients of the last token's loss with respect to every state before it.

    Args:
        model: a recurrent language model.
        params: its parameters.
        tokens: int32[B, T+1]; the last token of each row is predicted.

    Example:
        >>> from zoo.models.recurrent_lm import RecurrentLMConfig
        >>> model = RecurrentLM(RecurrentLMConfig(cell="elman", hidden_sizes=(8,), truncation=2), 9)
        >>> tokens = np.random.default_rng(0).integers(9, size=(4, 6))
        >>> params = model.init(jax.random.key(0), tokens)["params"]
        >>> flow = gradient_flow(model, params, tokens)
        >>> flow.hidden.shape, flow.reach
        ((1, 6), 2)
    """
    norms = np.asarray(_state_norms(model, params, jnp.asarray(tokens)))
    inputs = np.asarray(_input_norms(model, params, jnp.asarray(tokens)))
    reached = np.flatnonzero(inputs[::-1] > 0)
    memory = norms[:, :, 1].T if norms.shape[2] > 1 else None
    return GradientFlow(norms[:, :, 0].T, memory, int(reached[-1]) + 1 if len(reached) else 0)


@partial(jax.jit, static_argnames="model")
def _state_norms(model: RecurrentLM, params: Params, tokens: Array) -> Array:
    """Returns norms [T+1, L, states], ordered by the distance from the last step."""
    inputs, targets = tokens[:, :-1].T, tokens[:, -1:]

    def step(carry: PyTree, now: Array) -> PyTree:
        return _apply(model, params, now[:, None], carry).carry

    def forward(carry: PyTree, now: Array) -> tuple[PyTree, PyTree]:
        return step(carry, now), carry

    def backward(grad: PyTree, at: tuple[PyTree, Array]) -> tuple[PyTree, Array]:
        carry, now = at

        def next_state(before: PyTree) -> PyTree:
            return _floats(step(_filled(carry, before), now))

        _, pull_back = jax.vjp(next_state, _floats(carry))
        (grad,) = pull_back(grad)
        return grad, _norms(model, grad)

    def last_loss(floats: PyTree) -> Array:
        carry = _filled(last, floats)
        logits = _apply(model, params, inputs[-1][:, None], carry).logits
        return token_losses(logits, targets).sum()

    last, carries = lax.scan(forward, model.zero_carry(len(tokens)), inputs[:-1])
    grad = jax.grad(last_loss)(_floats(last))
    _, norms = lax.scan(backward, grad, (carries, inputs[:-1]), reverse=True)
    first = _norms(model, grad)
    at_the_end = jnp.zeros_like(first).at[-1, 0].set(_output_norm(model, params, tokens))
    return jnp.concatenate([at_the_end[None], first[None], norms[::-1]])


def _floats(carry: PyTree) -> PyTree:
    """Returns a state without its arrays of integers, which have no derivative."""
    return jax.tree.map(lambda one: one if jnp.issubdtype(one.dtype, jnp.inexact) else None, carry)


def _filled(carry: PyTree, floats: PyTree) -> PyTree:
    """Returns a state with other floats."""
    return jax.tree.map(lambda old, new: old if new is None else new, carry, floats)


def _apply(model: Model, params: Params, *args: Any, **options: Any) -> Any:
    return model.apply({"params": params}, *args, **options)


def _output_norm(model: RecurrentLM, params: Params, tokens: Array) -> Array:
    """Returns the norm of the gradient at the last output of the top layer."""

    def run(module: RecurrentLM, embedded: Array) -> Array:
        return module.stack(embedded, model.zero_carry(len(tokens)))[0][:, -1:]

    def loss(outputs: Array) -> Array:
        logits = _apply(model, params, outputs, method=RecurrentLM.read_out)
        return token_losses(logits, tokens[:, -1:]).sum()

    outputs = _apply(model, params, params["embedding"][tokens[:, :-1]], method=run)
    return _length(jax.grad(loss)(outputs)).mean()


def _norms(model: RecurrentLM, carry: PyTree) -> Array:
    """Returns norms [L, states] from arrays [B, ...]: for h_t and c_t, or each layer's state."""

    def norm(arrays: list[Array]) -> Array:
        flat = [jnp.abs(array).reshape((array.shape[0], -1)) for array in arrays]
        return _length(jnp.concatenate(flat, axis=-1)).mean()

    found = []
    for layer in carry:
        states = jax.tree.leaves(layer[0] if model.config.convolution_width else layer)
        is_pair = [array.ndim for array in states] == [2, 2]
        found.append([norm([array]) for array in states] if is_pair else [norm(states)])
    return jnp.array(found)


def _length(x: Array) -> Array:
    """Returns the norms along the last axis; squares of small numbers do not become zero."""
    largest = jnp.abs(x).max(axis=-1, keepdims=True)
    scaled = x / jnp.where(largest > 0, largest, 1)
    return largest[..., 0] * jnp.linalg.norm(scaled, axis=-1)


@partial(jax.jit, static_argnames="model")
def _input_norms(model: RecurrentLM, params: Params, tokens: Array) -> Array:
    """Returns the norms of the gradient at every input, [T], with the model's truncation."""

    def loss(embedded: Array) -> Array:
        def run(module: RecurrentLM, embedded: Array) -> Array:
            outputs, _ = module.stack(embedded, model.zero_carry(len(tokens)))
            return module.read_out(outputs[:, -1:])

        logits = _apply(model, params, embedded, method=run)
        return token_losses(logits, tokens[:, -1:]).sum()

    embedded = params["embedding"][tokens[:, :-1]]
    return _length(jax.grad(loss)(embedded)).mean(axis=0)


def cut_rows(tokens: np.ndarray, num_steps: int) -> np.ndarray:
    """Returns pieces of a text, spread over all of it, for `gradient_flow`.

    Args:
        tokens: int32[N], the text, from `encode_lines`.
        num_steps: T.

    Returns:
        int32[B, T+1], the inputs of T steps and the target of the last one; B is a power of two and
            at most NUM_ROWS, so that few programs are compiled.

    Raises:
        UserError: if the text is shorter than one piece.
    """
    inputs = shift_targets(tokens)
    if len(inputs) <= num_steps:
        raise UserError(
            f"the text has {len(inputs)} tokens, too few to go {num_steps} steps back; give a "
            "longer text, or fewer steps"
        )
    num_rows = 1 << (min(NUM_ROWS, len(inputs) // (num_steps + 1)).bit_length() - 1)
    starts = np.linspace(0, len(inputs) - num_steps - 1, num_rows).astype(int)
    rows = inputs[starts[:, None] + np.arange(num_steps + 1)]
    rows[:, -1] = tokens[starts + num_steps - 1]  # `<s>` is an input, and never a target
    return rows


def linear_flow(recurrent_kernel: np.ndarray, gradient: np.ndarray, num_steps: int) -> np.ndarray:
    """Returns the norm of a gradient that goes back through a linear network, in closed form.

    With U = A diag(s) B' (its singular values s), going back d steps multiplies the gradient by
    (U')^d. If A = B, the norm along singular vector i is multiplied by exactly s_i^d.

    Args:
        recurrent_kernel: U, [H, H].
        gradient: dL_T/dh_T, [H].
        num_steps: T.

    Returns:
        float[T+1], norms for distances 0 to T.

    Example:
        >>> linear_flow(np.diag([0.5, 2.0]), np.array([1.0, 0.0]), 3).tolist()
        [1.0, 0.5, 0.25, 0.125]
    """
    left, values, right = np.linalg.svd(recurrent_kernel)
    norms, moved = [np.linalg.norm(gradient)], np.asarray(gradient)
    for _ in range(num_steps):
        moved = left @ (values * (right @ moved))
        norms.append(np.linalg.norm(moved))
    return np.array(norms)
