"""Recurrent layers as Flax modules: the parameters, and the recurrence run over them."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.cells import Carry, get_cell
from zoo.layers.dropout import dropout
from zoo.layers.linear import affine
from zoo.layers.linear_recurrence import LINEAR_CELLS, get_linear_cell, linear_recurrence
from zoo.layers.lookup import Lookup
from zoo.layers.recurrence import (
    Recurrence,
    Weights,
    recurrence,
    reverse_sequences,
    widen_resets,
)

Array = jax.Array
Initializer = nn.initializers.Initializer


class RecurrentLayer(nn.Module):
    """One layer of one cell in one direction.

    Parameters: `input_kernel` W [D, G*H], `recurrent_kernel` U [H, G*H], `bias` b [G*H]; a GRU has
    `candidate_bias` [H] inside its reset gate, and a learned initial state `initial_0`,
    `initial_1`, each [H]. Weights start uniform in +-init_scale, or, with init_scale 0, Glorot
    uniform for W and orthogonal for each H x H block of U; biases start at zero, but the LSTM's
    forget gate at `forget_bias`.

    Attributes:
        cell: a name in `zoo.layers.cells.CELLS`.
        size: H.
        init_scale: see above.
        forget_bias: start of the LSTM's forget gate bias; without effect on other cells.
        learn_initial_state: train the state a sequence starts from; otherwise it is zero.
        weight_dropout_rate: fraction of U dropped in training, one mask a call (Merity et al.
            2018).
        window: truncation of the backward pass in steps, 0 for none.
        reverse: walk from the last real token to the first.
        matmul_dtype: precision of the products, None for the parameters' own.

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
    window: int = 0
    reverse: bool = False
    matmul_dtype: str | None = None

    @nn.compact
    def __call__(
        self,
        inputs: Array | Lookup,
        carry: Carry | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        deterministic: bool = True,
    ) -> Recurrence:
        """Runs the layer; arguments and result as in `zoo.layers.recurrence.recurrence`."""
        weights = self._weights(inputs.shape[-1])
        if self.weight_dropout_rate and not deterministic:
            key = self.make_rng("dropout")
            dropped = dropout(key, weights.recurrent_kernel, self.weight_dropout_rate)
            weights = weights._replace(recurrent_kernel=dropped)
        return recurrence(
            get_cell(self.cell),
            inputs,
            weights,
            carry,
            initial=self._initial_state(inputs.shape[0], inputs.dtype),
            lengths=lengths,
            resets=resets,
            reverse=self.reverse,
            window=self.window,
            dtype=self.matmul_dtype,
        )

    def _weights(self, features: int) -> Weights:
        size, width = self.size, get_cell(self.cell).num_gates * self.size
        if self.init_scale:
            input_init = recurrent_init = uniform(self.init_scale)
        else:
            input_init, recurrent_init = nn.initializers.glorot_uniform(), _orthogonal_blocks
        candidate_bias = None
        if self.cell == "gru":
            bias = self.param("candidate_bias", nn.initializers.zeros, (size,))
            candidate_bias = jnp.pad(bias, (2 * size, 0))
        return Weights(
            self.param("input_kernel", input_init, (features, width)),
            self.param("recurrent_kernel", recurrent_init, (size, width)),
            self.param("bias", self._init_bias, (width,)),
            candidate_bias,
        )

    def _init_bias(self, key: Array, shape: tuple[int, ...]) -> Array:
        bias = jnp.zeros(shape)
        if self.cell == "lstm":
            bias = bias.at[self.size : 2 * self.size].set(self.forget_bias)
        return bias

    def _initial_state(self, batch: int, dtype: jnp.dtype) -> Carry:
        num_states = get_cell(self.cell).num_states
        if not self.learn_initial_state:
            return tuple(jnp.zeros((batch, self.size), dtype) for _ in range(num_states))
        states = [
            self.param(f"initial_{index}", nn.initializers.zeros, (self.size,))
            for index in range(num_states)
        ]
        return tuple(jnp.broadcast_to(state, (batch, self.size)) for state in states)


class LinearRecurrentLayer(nn.Module):
    """One layer without a loop over time, in one direction: see `zoo.layers.linear_recurrence`.

    Parameters: `input_kernel` W [D, G*H], `bias` b [G*H]; of an rg_lru `decay` s [H], which starts
    so that a_t with r_t = 1 is uniform in 0.9 to 0.999; `initial_0` [H] where the initial state is
    learned. Kernels and biases start as those of `RecurrentLayer`.

    Attributes:
        cell: a name in `LINEAR_CELLS`.
        size, init_scale, learn_initial_state, reverse, matmul_dtype: as in `RecurrentLayer`.

    Example:
        >>> layer = LinearRecurrentLayer(cell="min_gru", size=4)
        >>> x = jnp.ones((2, 5, 3))
        >>> layer.apply(layer.init(jax.random.key(0), x), x).outputs.shape
        (2, 5, 4)
    """

    cell: str
    size: int
    init_scale: float = 0.0
    learn_initial_state: bool = False
    reverse: bool = False
    matmul_dtype: str | None = None

    @nn.compact
    def __call__(
        self,
        inputs: Array | Lookup,
        carry: Carry | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        deterministic: bool = True,
    ) -> Recurrence:
        """Runs the layer; arguments and result as in `zoo.layers.recurrence.recurrence`."""
        del deterministic
        if self.reverse:
            inputs = reverse_sequences(inputs, lengths)
            if resets is not None:
                resets = reverse_sequences(widen_resets(resets, inputs.shape[1]), lengths)
        a, b = self._coefficients(inputs)
        initial = jnp.zeros((inputs.shape[0], self.size), inputs.dtype)
        if self.learn_initial_state:
            initial = initial + self.param("initial_0", nn.initializers.zeros, (self.size,))[None]
        start = initial if carry is None else carry[0]
        outputs, final = linear_recurrence(
            a, b, start, initial=initial, lengths=lengths, resets=resets
        )
        return Recurrence(
            reverse_sequences(outputs, lengths) if self.reverse else outputs, (final,)
        )

    def _coefficients(self, inputs: Array | Lookup) -> tuple[Array, Array]:
        """a_t and b_t of every step."""
        cell, size = get_linear_cell(self.cell), self.size
        init = uniform(self.init_scale) if self.init_scale else nn.initializers.glorot_uniform()
        kernel = self.param("input_kernel", init, (inputs.shape[-1], cell.num_gates * size))
        bias = self.param("bias", nn.initializers.zeros, (cell.num_gates * size,))
        decay = self.param("decay", _init_decay, (size,)) if cell.has_decay else None
        projected = affine(inputs, kernel, bias, self.matmul_dtype)
        return cell.coefficients(jnp.split(projected, cell.num_gates, axis=-1), decay)


def _init_decay(key: Array, shape: tuple[int, ...]) -> Array:
    """s with exp(-8 softplus(s)) uniform in 0.9 to 0.999."""
    return jnp.log(
        jnp.expm1(-jnp.log(jax.random.uniform(key, shape, minval=0.9, maxval=0.999)) / 8)
    )


def num_states_of(cell: str) -> int:
    """How many arrays a layer's carry has."""
    return 1 if cell in LINEAR_CELLS else get_cell(cell).num_states


def uniform(scale: float) -> Initializer:
    """Uniform in (-scale, scale), the start of the classic recurrent language models.

    Example:
        >>> values = uniform(0.1)(jax.random.key(0), (1000,))
        >>> bool((abs(values) < 0.1).all()), bool(values.min() < -0.09)
        (True, True)
    """

    def init(key: Array, shape: tuple[int, ...], dtype: Any = float) -> Array:
        return jax.random.uniform(key, shape, dtype, -scale, scale)

    return init


def _orthogonal_blocks(key: Array, shape: tuple[int, ...]) -> Array:
    """Each H x H block of [H, G*H] orthogonal, so that no gate starts by shrinking the state."""
    size, width = shape
    keys = jax.random.split(key, width // size)
    blocks = [nn.initializers.orthogonal()(block_key, (size, size)) for block_key in keys]
    return jnp.concatenate(blocks, axis=1)


class RecurrentStack(nn.Module):
    """Layers on top of each other, with dropout between them.

    Bidirectional layers run a forward and a reverse layer over the same input and hand both
    outputs, side by side, to the layer above (Schuster and Paliwal 1997); their carry holds the
    forward states, then the reverse ones.

    Attributes:
        cell, init_scale, ..., matmul_dtype: as in `RecurrentLayer`; or a cell of `LINEAR_CELLS`,
            for which forget_bias, weight_dropout_rate and window have no meaning.
        sizes: H of each layer, from the bottom.
        bidirectional: run each layer in both directions.
        dropout_rate: fraction of each layer's outputs dropped on the way to the next.
        dropout_shares_steps: drop the same outputs at every step of a sequence.

    Example:
        >>> stack = RecurrentStack(cell="lstm", sizes=(4, 6), bidirectional=True)
        >>> x = jnp.ones((2, 5, 3))
        >>> outputs, carry = stack.apply(stack.init(jax.random.key(0), x), x)
        >>> outputs.shape, len(carry), len(carry[0])
        ((2, 5, 12), 2, 4)
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
    window: int = 0
    matmul_dtype: str | None = None

    def setup(self) -> None:
        """One layer a size, or two where the stack is bidirectional."""
        self.layer = [self._layer(size, reverse=False) for size in self.sizes]
        if self.bidirectional:
            self.reverse_layer = [self._layer(size, reverse=True) for size in self.sizes]

    def _layer(self, size: int, *, reverse: bool) -> RecurrentLayer | LinearRecurrentLayer:
        if self.cell in LINEAR_CELLS:
            return LinearRecurrentLayer(
                cell=self.cell,
                size=size,
                init_scale=self.init_scale,
                learn_initial_state=self.learn_initial_state,
                reverse=reverse,
                matmul_dtype=self.matmul_dtype,
            )
        return RecurrentLayer(
            cell=self.cell,
            size=size,
            init_scale=self.init_scale,
            forget_bias=self.forget_bias,
            learn_initial_state=self.learn_initial_state,
            weight_dropout_rate=self.weight_dropout_rate,
            window=self.window,
            reverse=reverse,
            matmul_dtype=self.matmul_dtype,
        )

    def __call__(
        self,
        inputs: Array | Lookup,
        carry: tuple[Carry, ...] | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        deterministic: bool = True,
    ) -> tuple[Array, tuple[Carry, ...]]:
        """Outputs of the top layer [B, T, H] (or [B, T, 2H]) and each layer's final carry."""
        finals: list[Carry] = []
        hidden: Any = inputs
        for index in range(len(self.sizes)):
            if index:
                hidden = self._dropout(hidden, deterministic)
            start = None if carry is None else carry[index]
            hidden, final = self._run_layer(
                index, hidden, start, lengths=lengths, resets=resets, deterministic=deterministic
            )
            finals.append(final)
        return hidden, tuple(finals)

    def _run_layer(
        self, index: int, inputs: Array | Lookup, carry: Carry | None, **options: Any
    ) -> tuple[Array, Carry]:
        num_states = num_states_of(self.cell)
        forward_carry = None if carry is None else carry[:num_states]
        outputs, final = self.layer[index](inputs, forward_carry, **options)
        if not self.bidirectional:
            return outputs, final
        reverse_carry = None if carry is None else carry[num_states:]
        reverse_outputs, reverse_final = self.reverse_layer[index](inputs, reverse_carry, **options)
        return jnp.concatenate([outputs, reverse_outputs], axis=-1), final + reverse_final

    def _dropout(self, hidden: Array, deterministic: bool) -> Array:
        if deterministic or not self.dropout_rate:
            return hidden
        shared = (1,) if self.dropout_shares_steps else ()
        return dropout(self.make_rng("dropout"), hidden, self.dropout_rate, shared_axes=shared)
