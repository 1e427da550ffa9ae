"""Decoders: from a source and the target tokens so far to a state that predicts the next token.

    feedforward     h_t = tanh(W [y_{t-N+1}; ...; y_t; z] + b)     y: embedding and position
    recurrent       h_t = cell(h_{t-1}, y_t), h_0 = tanh(W_0 z + b_0)     any cell of layers.cells
    transformer     layers of attention to the target so far and to the source, models.transformer

z is the vector of the source. The feed-forward and the recurrent decoder may have attention to the
states of the source:

    c_t  = attend(h_t, source states)
    h~_t = tanh(W_c [c_t; h_t] + b_c)           (Luong et al. 2015, eq. 5)

Without attention, h~_t = h_t. For a feed-forward decoder, positions are added to the source's
states, because it knows its own place only from positions. With input feeding, a recurrent decoder
reads [y_t; h~_{t-1}] rather than y_t (ibid., section 3.3), so that it knows its earlier attention.
With `reads_vector` it reads [y_t; z] (Cho et al. 2014). A Transformer without attention to the
source's states reads z.

All decoders have the same interface. `begin(encoded, room)` returns the memory, which is constant
through a sentence, and the state, which changes (arrays [B, ...], or scalars for all rows). A call
takes the next T embedded tokens and the state. It returns the states h~, the attention weights and
the next state. Training makes one call with all tokens; decoding makes a call for each token.

Axes: B rows, T target steps, S source steps, D width of an embedding, H width of a state.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from zoo.layers.attention import Attention
from zoo.layers.cells import make_cell
from zoo.layers.cells.base import State
from zoo.layers.dropout import drop
from zoo.layers.initializers import uniform
from zoo.layers.linear import affine
from zoo.layers.positions import positions
from zoo.layers.recurrent import RecurrentStack
from zoo.layers.start import fill_state, free_numbers
from zoo.models.encoders import Encoded
from zoo.types import PyTree

Array = jax.Array


class Decoded(NamedTuple):
    """The output of a decoder for T tokens.

    Attributes:
        hidden: [B, T, H], h~_t.
        weights: [B, T, S], the attention to the source; None if there is no attention.
        state: the state of the decoder after the last token.
    """

    hidden: Array
    weights: Array | None
    state: PyTree


class Memory(NamedTuple):
    """A source in the form that a decoder reads.

    Attributes:
        keys: [B, S, H], prepared by the attention; None if there is no attention.
        values: [B, S, H], the source's states; None if there is no attention.
        lengths: int32[B], the number of real steps of each source.
        vector: [B, H], z.
    """

    keys: PyTree
    values: PyTree
    lengths: Array
    vector: Array


class Look(nn.Module):
    """The attention of a decoder to the source, which computes h~.

    The parameters are `attention` (see `Attention`), `kernel` W_c [2H, H] and `bias` b_c [H].

    Attributes:
        score: a name in `zoo.layers.attention.SCORES`; "" means no attention, so that h~ is h.
        size: H.
    """

    score: str
    size: int

    def setup(self) -> None:
        """Creates the attention and the layer that joins context and state."""
        if self.score:
            self.attention = Attention(self.score, self.size)
            init = nn.initializers.glorot_uniform()
            self.kernel = self.param("kernel", init, (2 * self.size, self.size))
            self.bias = self.param("bias", nn.initializers.zeros, (self.size,))

    def prepare(self, encoded: Encoded) -> Memory:
        """Returns the source in the form that the attention reads."""
        if not self.score:
            return Memory(None, None, encoded.lengths, encoded.vector)
        keys = self.attention.prepare(encoded.states)
        return Memory(keys, encoded.states, encoded.lengths, encoded.vector)

    def __call__(self, hidden: Array, memory: Memory) -> tuple[Array, Array | None]:
        """Returns h~ [B, T, H] and weights [B, T, S] for states [B, T, H]."""
        if not self.score:
            return hidden, None
        found = self.attention(hidden, memory.keys, memory.values, memory.lengths)
        joined = jnp.concatenate([found.context, hidden], axis=-1)
        return jnp.tanh(affine(joined, self.kernel, self.bias)), found.weights


class WindowState(NamedTuple):
    """The last N - 1 embedded tokens [B, N-1, D], and the number of tokens so far, an int32."""

    past: Array
    num_read: Array


class FeedForwardDecoder(nn.Module):
    """A feed-forward decoder, whose states see the last N target tokens and the source.

    The parameters are `look` (see `Look`), `kernel` W [N*D + H, H] and `bias` b [H].

    Attributes:
        size: H.
        embedding_size: D.
        window: N.
        dropout_rate: the fraction of the hidden units that is dropped in training.
        score: the score of the attention, see `Look`.
    """

    size: int
    embedding_size: int
    window: int
    dropout_rate: float
    score: str

    def setup(self) -> None:
        """Creates the hidden layer and the attention."""
        self.look = Look(self.score, self.size)
        width = self.window * self.embedding_size + self.size
        init = nn.initializers.glorot_uniform()
        self.kernel = self.param("kernel", init, (width, self.size))
        self.bias = self.param("bias", nn.initializers.zeros, (self.size,))

    def begin(self, encoded: Encoded, room: int) -> tuple[Memory, WindowState]:
        """Returns the source, for attention with its positions, and an empty window."""
        del room
        shape = (encoded.vector.shape[0], self.window - 1, self.embedding_size)
        past = jnp.zeros(shape, encoded.vector.dtype)
        if self.score:
            placed = encoded.states + positions(0, *encoded.states.shape[1:])[None]
            encoded = encoded._replace(states=placed)
        return self.look.prepare(encoded), WindowState(past, jnp.zeros((), jnp.int32))

    def __call__(
        self, embedded: Array, memory: Memory, state: WindowState, deterministic: bool = True
    ) -> Decoded:
        """Decodes the next T embedded tokens [B, T, D]."""
        _, steps, width = embedded.shape
        x = embedded + positions(state.num_read, steps, width)[None]
        read = jnp.concatenate([state.past, x], axis=1)
        parts = [read[:, at : at + steps] for at in range(self.window)]
        parts.append(jnp.broadcast_to(memory.vector[:, None], (*x.shape[:2], self.size)))
        hidden = jnp.tanh(affine(jnp.concatenate(parts, axis=-1), self.kernel, self.bias))
        hidden = drop(self, hidden, self.dropout_rate, deterministic)
        hidden, weights = self.look(hidden, memory)
        return Decoded(hidden, weights, WindowState(read[:, steps:], state.num_read + steps))


class RecurrentState(NamedTuple):
    """The carry of each layer, and h~ [B, H] of the previous step (None without input feeding)."""

    carry: tuple[State, ...]
    fed: PyTree


class RecurrentDecoder(nn.Module):
    """A recurrent decoder.

    The parameters are `stack` (see `RecurrentStack`), `look` (see `Look`), `start_kernel` W_0 and
    `start_bias` b_0, which compute the initial states of all layers.

    Attributes:
        cell: a name in `zoo.layers.cells`.
        size: H.
        num_layers: the number of recurrent layers.
        dropout_rate: the fraction of a layer's outputs that is dropped before the next layer.
        forget_bias: the initial bias of the forget gates of an LSTM.
        score: the score of the attention, see `Look`.
        input_feeding: whether a step reads h~ of the previous step.
        reads_vector: whether every step reads z.
    """

    cell: str
    size: int
    num_layers: int
    dropout_rate: float
    forget_bias: float
    score: str
    input_feeding: bool
    reads_vector: bool

    def setup(self) -> None:
        """Creates the recurrent layers, their initial states and the attention."""
        self.stack = RecurrentStack(
            cell=self.cell,
            sizes=(self.size,) * self.num_layers,
            dropout_rate=self.dropout_rate,
            forget_bias=self.forget_bias,
        )
        self.look = Look(self.score, self.size)
        free, _ = ravel_pytree(free_numbers(make_cell(self.cell, self.size)))
        width = self.num_layers * free.size
        init = uniform(self.size**-0.5)
        self.start_kernel = self.param("start_kernel", init, (self.size, width))
        self.start_bias = self.param("start_bias", nn.initializers.zeros, (width,))

    def begin(self, encoded: Encoded, room: int) -> tuple[Memory, RecurrentState]:
        """Returns the source, and the state with h_0."""
        del room
        start = jnp.tanh(affine(encoded.vector, self.start_kernel, self.start_bias))
        layers = jnp.split(start, self.num_layers, axis=-1)
        carry = tuple(self._layer_state(numbers) for numbers in layers)
        fed = jnp.zeros_like(encoded.vector) if self.input_feeding else None
        return self.look.prepare(encoded), RecurrentState(carry, fed)

    def _layer_state(self, numbers: Array) -> State:
        """Returns the initial state of a layer from all its free numbers [B, ...] in a row."""
        cell = make_cell(self.cell, self.size)
        _, arrange = ravel_pytree(free_numbers(cell))
        return fill_state(cell, numbers.shape[0], numbers.dtype, jax.vmap(arrange)(numbers))

    def __call__(
        self, embedded: Array, memory: Memory, state: RecurrentState, deterministic: bool = True
    ) -> Decoded:
        """Decodes the next T embedded tokens [B, T, D]."""
        if self.reads_vector:
            shape = (*embedded.shape[:2], self.size)
            vector = jnp.broadcast_to(memory.vector[:, None], shape)
            embedded = jnp.concatenate([embedded, vector], axis=-1)
        if self.input_feeding:
            return self._one_by_one(embedded, memory, state, deterministic)
        outputs, carry = self.stack(embedded, state.carry, deterministic=deterministic)
        hidden, weights = self.look(outputs, memory)
        return Decoded(hidden, weights, RecurrentState(carry, None))

    def _one_by_one(
        self, embedded: Array, memory: Memory, state: RecurrentState, deterministic: bool
    ) -> Decoded:
        """Decodes step by step, because each step reads h~ of the previous step."""

        def step(
            decoder: "RecurrentDecoder", state: RecurrentState, x: Array
        ) -> tuple[RecurrentState, tuple[Array, Array | None]]:
            inputs = jnp.concatenate([x, state.fed], axis=-1)[:, None]
            outputs, carry = decoder.stack(inputs, state.carry, deterministic=deterministic)
            hidden, weights = decoder.look(outputs, memory)
            weights = None if weights is None else weights[:, 0]
            return RecurrentState(carry, hidden[:, 0]), (hidden[:, 0], weights)

        scan = nn.scan(
            step,
            variable_broadcast="params",
            split_rngs={"params": False, "dropout": True},
            in_axes=1,
            out_axes=1,
        )
        state, (hidden, weights) = scan(self, state, embedded)
        return Decoded(hidden, weights, state)
