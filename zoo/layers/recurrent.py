"""Recurrent layers and stacks, which run any cell over a batch of sequences.

    x'          = cell.project(params, x)                         all t at once
    state_t, h_t = cell.step(params, state_{t-1}, x'_t)           one loop over time

Some cells have a faster way than the loop, with the same results (see `zoo.layers.fast.ways`). The
backward pass may be truncated (see `zoo.layers.truncation`).

Axes: B rows, T time, D input, H hidden.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from zoo.layers.cells import make_cell
from zoo.layers.cells.base import Cell, Params, State
from zoo.layers.dropout import drop, dropout
from zoo.layers.fast.lookup import Lookup, take
from zoo.layers.fast.ways import fast_way
from zoo.layers.masks import reverse_sequences, select, widen_resets
from zoo.layers.sequence import Sequences
from zoo.layers.start import fill_state, free_numbers
from zoo.layers.truncation import run_truncated

Array = jax.Array


class Recurrence(NamedTuple):
    """The result of running a layer over sequences.

    Attributes:
        outputs: [B, T, H], h_t; zero at padding.
        carry: the state after the last real step of each row, in the direction of the run.
    """

    outputs: Array
    carry: State


def recurrence(
    cell: Cell,
    params: Params,
    inputs: Array | Lookup,
    carry: State | None = None,
    *,
    initial: State | None = None,
    lengths: Array | None = None,
    resets: Array | None = None,
    reverse: bool = False,
    truncation: int = 0,
    scan: str = "auto",
) -> Recurrence:
    """Runs a cell over a batch of sequences.

    Args:
        cell: a cell from `zoo.layers.cells`.
        params: the parameters of the cell.
        inputs: [B, T, D], or embeddings as a `Lookup`.
        carry: arrays [B, ...], the state before the first step; None means `initial`.
        initial: arrays [B, ...], the state after a reset; None means the cell's initial state.
        lengths: int32[B], the number of real steps of each row, at least 1; None means all T steps.
            The other steps are padding, which changes no real output, no carry and no gradient.
        resets: bool[B, R] with R <= T; True at [b, t] resets row b to `initial` before step t.
        reverse: whether the run goes from the last real step of each row to its first step.
        truncation: k, the number of steps of the backward pass. 0, or k >= T, means no truncation.
        scan: the way to run. "sequential" is the plain loop. "parallel" computes many steps at
            once, which linear cells and most matrix cells can do. "newton" and "quasi_newton" do
            so for any cell, see `zoo.layers.fast.newton`. "auto" is the fastest way on a CPU.
            Forward-mode differentiation (jax.jvp, jax.jacfwd) needs "sequential", because the
            Elman, GRU and LSTM cells otherwise use a hand-written backward pass.

    Returns:
        The outputs, in the order of the inputs even if `reverse` is set, and the final carry.

    Raises:
        UserError: the cell cannot run in this way.

    Example:
        >>> from zoo.layers.cells import make_cell
        >>> cell = make_cell("elman_relu", size=4)
        >>> params = {"input_kernel": jnp.zeros((3, 4)), "recurrent_kernel": jnp.eye(4)}
        >>> params["bias"] = jnp.full(4, 0.5)
        >>> recurrence(cell, params, jnp.zeros((2, 5, 3))).outputs[0, :, 0].tolist()
        [0.5, 1.0, 1.5, 2.0, 2.5]
    """
    batch, steps, _ = inputs.shape
    if initial is None:
        initial = cell.initial_state(batch, inputs.dtype)
    if reverse:
        inputs = reverse_sequences(inputs, lengths)
        resets = None if resets is None else reverse_sequences(widen_resets(resets, steps), lengths)
    if isinstance(inputs, Lookup) and not cell.reads_lookup:
        inputs = take(inputs)
    start = initial if carry is None else carry
    # A reset before the first step is applied outside the loop, where it costs nothing.
    if resets is not None and resets.shape[1] == 1:
        start, resets = select(resets[:, 0], initial, start), None
    if resets is not None:
        resets = widen_resets(resets, steps)
    sequence = Sequences(cell.project(params, inputs), start, initial, lengths, resets)
    truncation = truncation if 0 < truncation < steps else 0
    found = fast_way(cell, params, sequence, truncation, scan)
    if found is None:
        found = (
            run_truncated(cell, params, sequence, truncation)
            if truncation
            else _loop(cell, params, sequence)
        )
    outputs, final = found
    return Recurrence(reverse_sequences(outputs, lengths) if reverse else outputs, final)


def _loop(cell: Cell, params: Params, sequence: Sequences) -> tuple[Array, State]:
    """Runs the plain loop, which JAX differentiates."""
    initial = sequence.initial

    def step(state: State, now: tuple) -> tuple[State, Array]:
        projected, reset, real = now
        entering = state if reset is None else select(reset, initial, state)
        following, output = cell.step(params, entering, projected)
        if real is None:
            return following, output
        return select(real, following, state), select(real, output, jnp.zeros_like(output))

    final, outputs = lax.scan(step, sequence.start, sequence.time_major())
    return outputs.swapaxes(0, 1), final


class RecurrentLayer(nn.Module):
    """A layer of one cell in one direction.

    The parameters are the parameters of the cell. If the initial state is learned, there are also
    `initial_0`, `initial_1`, ..., one for each array of the state that may start anywhere (see
    zoo/layers/start.py). They start at the cell's initial state.

    Attributes:
        cell: the name of a cell in `zoo.layers.cells`.
        size: H.
        init_scale, forget_bias, matmul_dtype: see `zoo.layers.cells.base.Cell`.
        learn_initial_state: whether the initial state is trained; otherwise it is the cell's.
        weight_dropout_rate: the fraction of the recurrent weights that is dropped in training, with
            one mask per call (Merity et al. 2018).
        truncation: the number of steps of the backward pass; 0 means no truncation.
        reverse: whether the layer runs from the last real step to the first.
        scan: the way to run, see `recurrence`.

    Example:
        >>> layer = RecurrentLayer(cell="gru", size=4)
        >>> x = jnp.ones((2, 5, 3))
        >>> params = layer.init(jax.random.key(0), x)
        >>> layer.apply(params, x).outputs.shape
        (2, 5, 4)
    """

    cell: str
    size: int
    init_scale: float = 0.0
    forget_bias: float = 1.0
    learn_initial_state: bool = False
    weight_dropout_rate: float = 0.0
    truncation: int = 0
    reverse: bool = False
    matmul_dtype: str | None = None
    scan: str = "auto"

    @nn.compact
    def __call__(
        self,
        inputs: Array | Lookup,
        carry: State | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        deterministic: bool = True,
    ) -> Recurrence:
        """Runs the layer; see `recurrence` for the arguments and the result."""
        cell = make_cell(
            self.cell,
            self.size,
            init_scale=self.init_scale,
            forget_bias=self.forget_bias,
            matmul_dtype=self.matmul_dtype,
        )
        parameters = cell.parameters(inputs.shape[-1])
        params = {
            name: self.param(name, parameter.init, parameter.shape)
            for name, parameter in parameters.items()
        }
        return recurrence(
            cell,
            params if deterministic else self._drop(cell, params),
            inputs,
            carry,
            initial=self._initial_state(cell, inputs.shape[0], inputs.dtype),
            lengths=lengths,
            resets=resets,
            reverse=self.reverse,
            truncation=self.truncation,
            scan=self.scan,
        )

    def _drop(self, cell: Cell, params: Params) -> Params:
        """Returns the parameters with dropped recurrent weights."""
        if not self.weight_dropout_rate:
            return params
        dropped = {
            name: dropout(self.make_rng("dropout"), params[name], self.weight_dropout_rate)
            for name in cell.recurrent_weights
        }
        return {**params, **dropped}

    def _initial_state(self, cell: Cell, batch: int, dtype: jnp.dtype) -> State:
        if not self.learn_initial_state:
            return cell.initial_state(batch, dtype)
        learned = {
            at: self.param(f"initial_{at}", lambda _, own=array: own)
            for at, array in free_numbers(cell).items()
        }
        rows = {at: jnp.broadcast_to(one, (batch, *one.shape)) for at, one in learned.items()}
        return fill_state(cell, batch, dtype, rows)


def initial_states(cell: str, sizes: tuple[int, ...], batch_size: int) -> tuple[State, ...]:
    """Returns the state of each layer before the first step, if it is not learned.

    Args:
        cell: the name of the cell.
        sizes: H of each layer.
        batch_size: B.

    Example:
        >>> states = initial_states("lstm", (3,), 2)
        >>> [array.shape for array in states[0]]
        [(2, 3), (2, 3)]
    """
    return tuple(make_cell(cell, size).initial_state(batch_size) for size in sizes)


class Options(NamedTuple):
    """The options with which all layers of a stack run a batch; see `recurrence`."""

    lengths: Array | None = None
    resets: Array | None = None
    deterministic: bool = True


class RecurrentStack(nn.Module):
    """A stack of recurrent layers, with dropout between them.

    A bidirectional layer runs a forward and a reverse layer over the same input, and concatenates
    their outputs for the layer above (Schuster and Paliwal 1997). Its carry is the pair of the
    states of the forward and the reverse layer.

    Attributes:
        cell, init_scale, ..., matmul_dtype: see `RecurrentLayer`.
        sizes: H of each layer, from the bottom.
        bidirectional: whether each layer runs in both directions.
        dropout_rate: the fraction of a layer's outputs that is dropped before the next layer.
        dropout_shares_steps: whether the same outputs are dropped at every step of a sequence.

    Example:
        >>> stack = RecurrentStack(cell="lstm", sizes=(4, 6), bidirectional=True)
        >>> x = jnp.ones((2, 5, 3))
        >>> outputs, carry = stack.apply(stack.init(jax.random.key(0), x), x)
        >>> outputs.shape, len(carry), len(carry[0])
        ((2, 5, 12), 2, 2)
    """

    cell: str
    sizes: tuple[int, ...]
    bidirectional: bool = False
    dropout_rate: float = 0.0
    dropout_shares_steps: bool = False
    init_scale: float = 0.0
    forget_bias: float = 1.0
    learn_initial_state: bool = False
    weight_dropout_rate: float = 0.0
    truncation: int = 0
    matmul_dtype: str | None = None

    def setup(self) -> None:
        """Creates one layer for each size, or two if the stack is bidirectional."""
        self.layer = [self._layer(size, reverse=False) for size in self.sizes]
        if self.bidirectional:
            self.reverse_layer = [self._layer(size, reverse=True) for size in self.sizes]

    def _layer(self, size: int, *, reverse: bool) -> RecurrentLayer:
        return RecurrentLayer(
            cell=self.cell,
            size=size,
            init_scale=self.init_scale,
            forget_bias=self.forget_bias,
            learn_initial_state=self.learn_initial_state,
            weight_dropout_rate=self.weight_dropout_rate,
            truncation=self.truncation,
            reverse=reverse,
            matmul_dtype=self.matmul_dtype,
        )

    def __call__(
        self,
        inputs: Array | Lookup,
        carry: tuple[State, ...] | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        deterministic: bool = True,
    ) -> tuple[Array, tuple[State, ...]]:
        """Returns the outputs of the top layer [B, T, H] (or [B, T, 2H]) and all final carries."""
        options = Options(lengths, resets, deterministic)
        finals: list[State] = []
        hidden: Any = inputs
        for index in range(len(self.sizes)):
            start = None if carry is None else carry[index]
            hidden, final = self._run(index, hidden, start, options)
            finals.append(final)
        return self._finish(hidden), tuple(finals)

    def _run(
        self, index: int, inputs: Array | Lookup, start: State | None, options: Options
    ) -> Recurrence:
        """Returns the output of layer number `index`, after dropout for the next layer."""
        forward_start, backward_start = start if self.bidirectional and start else (start, None)
        outputs, carry = self.layer[index](inputs, forward_start, **options._asdict())
        if self.bidirectional:
            backward = self.reverse_layer[index](inputs, backward_start, **options._asdict())
            outputs = jnp.concatenate([outputs, backward.outputs], axis=-1)
            carry = (carry, backward.carry)
        if index < len(self.sizes) - 1:
            outputs = self._drop(outputs, options.deterministic)
        return Recurrence(outputs, carry)

    def _finish(self, hidden: Array) -> Array:
        return hidden

    def _drop(self, hidden: Array, deterministic: bool) -> Array:
        shared = (1,) if self.dropout_shares_steps else ()
        return drop(self, hidden, self.dropout_rate, deterministic, shared)
