"""Decoders: from a source and the target tokens so far to a state that says which comes next.

    feedforward     h_t = tanh(W [y_{t-N+1}; ...; y_t; z] + b)     y: embedding and position
    recurrent       h_t = cell(h_{t-1}, y_t), h_0 = tanh(W_0 z + b_0)     any cell of layers.cells
    transformer     layers of attention to the target so far and to the source, models.transformer

z is the source's vector. The first two look at the source's states, where they have attention:

    c_t  = attend(h_t, source states)
    h~_t = tanh(W_c [c_t; h_t] + b_c)           (Luong et al. 2015, eq. 5)

and without give h~_t = h_t. A feed-forward decoder looks at states to which their positions are
added, since its own are all it knows of where it stands. With input feeding a recurrent decoder
reads [y_t; h~_{t-1}] rather than y_t (ibid., section 3.3), so that it knows what it has looked at.
With `reads_vector` it reads [y_t; z] (Cho et al. 2014). A Transformer without attention to the
source's states looks at z.

All have one interface: `begin(encoded, room)` gives what stays the same through a sentence
(memory) and what changes (state: arrays [B, ...], or scalars that all rows share); a call takes the
next T embedded tokens and the state and gives states h~, attention weights and the state after
them. Training calls once with all tokens, decoding with one at a time.

Axes: B rows, T target steps, S source steps, D width of an embedding, H width of a state.
"""

import itertools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.attention import Attention
from zoo.layers.cells.base import State
from zoo.layers.initializers import uniform
from zoo.layers.linear import affine
from zoo.layers.positions import positions
from zoo.layers.recurrent import RecurrentStack, initial_states
from zoo.models.encoders import Encoded
from zoo.types import PyTree

Array = jax.Array


class Decoded(NamedTuple):
    """What a decoder gives for T tokens.

    Attributes:
        hidden: [B, T, H], h~_t.
        weights: [B, T, S], attention over the source; None without it.
        state: where the decoder stands after the last token.
    """

    hidden: Array
    weights: Array | None
    state: PyTree


class Memory(NamedTuple):
    """A source as a decoder looks it up.

    Attributes:
        keys: [B, S, H], prepared by the attention; None without it.
        values: [B, S, H], the source's states; None without attention.
        lengths: int32[B].
        vector: [B, H], z.
    """

    keys: PyTree
    values: PyTree
    lengths: Array
    vector: Array


class Look(nn.Module):
    """Attention to the source, and h~.

    Parameters: `attention` (see `Attention`), `kernel` W_c [2H, H], `bias` b_c [H].

    Attributes:
        score: a name in `zoo.layers.attention.SCORES`; "" for none, where h~ is h.
        size: H.
    """

    score: str
    size: int

    def setup(self) -> None:
        """The attention, and what joins its context to the state."""
        if self.score:
            self.attention = Attention(self.score, self.size)
            init = nn.initializers.glorot_uniform()
            self.kernel = self.param("kernel", init, (2 * self.size, self.size))
            self.bias = self.param("bias", nn.initializers.zeros, (self.size,))

    def prepare(self, encoded: Encoded) -> Memory:
        """The source, ready to be looked at."""
        if not self.score:
            return Memory(None, None, encoded.lengths, encoded.vector)
        keys = self.attention.prepare(encoded.states)
        return Memory(keys, encoded.states, encoded.lengths, encoded.vector)

    def __call__(self, hidden: Array, memory: Memory) -> tuple[Array, Array | None]:
        """h~ [B, T, H] and weights [B, T, S] of states [B, T, H]."""
        if not self.score:
            return hidden, None
        found = self.attention(hidden, memory.keys, memory.values, memory.lengths)
        joined = jnp.concatenate([found.context, hidden], axis=-1)
        return jnp.tanh(affine(joined, self.kernel, self.bias)), found.weights


class WindowState(NamedTuple):
    """The last N - 1 embedded tokens [B, N-1, D] and, int32, how many were read in all."""

    past: Array
    num_read: Array


class FeedForwardDecoder(nn.Module):
    """Every state sees the last N target tokens, with their positions, and the source.

    Parameters: `look` (see `Look`), `kernel` W [N*D + H, H], `bias` b [H].

    Attributes:
        size: H.
        embedding_size: D.
        window: N.
        score: as in `Look`.
    """

    size: int
    embedding_size: int
    window: int
    score: str

    def setup(self) -> None:
        """The hidden layer and the attention."""
        self.look = Look(self.score, self.size)
        width = self.window * self.embedding_size + self.size
        init = nn.initializers.glorot_uniform()
        self.kernel = self.param("kernel", init, (width, self.size))
        self.bias = self.param("bias", nn.initializers.zeros, (self.size,))

    def begin(self, encoded: Encoded, room: int) -> tuple[Memory, WindowState]:
        """The source with its positions, and a window of nothing."""
        del room
        shape = (encoded.vector.shape[0], self.window - 1, self.embedding_size)
        past = jnp.zeros(shape, encoded.vector.dtype)
        placed = encoded.states + positions(0, *encoded.states.shape[1:])[None]
        memory = self.look.prepare(encoded._replace(states=placed))
        return memory, WindowState(past, jnp.zeros((), jnp.int32))

    def __call__(
        self, embedded: Array, memory: Memory, state: WindowState, deterministic: bool = True
    ) -> Decoded:
        """The next T tokens [B, T, D]."""
        del deterministic
        _, steps, width = embedded.shape
        x = embedded + positions(state.num_read, steps, width)[None]
        read = jnp.concatenate([state.past, x], axis=1)
        parts = [read[:, at : at + steps] for at in range(self.window)]
        parts.append(jnp.broadcast_to(memory.vector[:, None], (*x.shape[:2], self.size)))
        hidden = jnp.tanh(affine(jnp.concatenate(parts, axis=-1), self.kernel, self.bias))
        hidden, weights = self.look(hidden, memory)
        return Decoded(hidden, weights, WindowState(read[:, steps:], state.num_read + steps))


class RecurrentState(NamedTuple):
    """The carry of each layer, and h~ [B, H] of the step before (None without input feeding)."""

    carry: tuple[State, ...]
    fed: PyTree


class RecurrentDecoder(nn.Module):
    """A recurrent network writes the target.

    Parameters: `stack` (see `RecurrentStack`), `look` (see `Look`), `start_kernel` W_0 and
    `start_bias` b_0, which make all layers' first carries.

    Attributes:
        cell: a name in `zoo.layers.cells`.
        size: H.
        num_layers: recurrent layers.
        dropout_rate: fraction of what goes from layer to layer dropped.
        forget_bias: start of the forget gates' bias of an LSTM.
        score: as in `Look`.
        input_feeding: read h~ of the step before.
        reads_vector: read z at every step.
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
        """The recurrent layers, their start and the attention."""
        self.stack = RecurrentStack(
            cell=self.cell,
            sizes=(self.size,) * self.num_layers,
            dropout_rate=self.dropout_rate,
            forget_bias=self.forget_bias,
        )
        self.look = Look(self.score, self.size)
        width = sum(array.size for array in jax.tree.leaves(self._initial_states(1)))
        init = uniform(self.size**-0.5)
        self.start_kernel = self.param("start_kernel", init, (self.size, width))
        self.start_bias = self.param("start_bias", nn.initializers.zeros, (width,))

    def begin(self, encoded: Encoded, room: int) -> tuple[Memory, RecurrentState]:
        """The source, and h_0."""
        del room
        start = jnp.tanh(affine(encoded.vector, self.start_kernel, self.start_bias))
        arrays, structure = jax.tree.flatten(self._initial_states(1))
        ends = list(itertools.accumulate(array.size for array in arrays))
        parts = jnp.split(start, ends[:-1], axis=-1)
        shaped = [
            part.reshape((-1, *array.shape[1:])) for part, array in zip(parts, arrays, strict=True)
        ]
        fed = jnp.zeros_like(encoded.vector) if self.input_feeding else None
        carry = jax.tree.unflatten(structure, shaped)
        return self.look.prepare(encoded), RecurrentState(carry, fed)

    def _initial_states(self, batch_size: int) -> tuple[State, ...]:
        return initial_states(self.cell, (self.size,) * self.num_layers, batch_size)

    def __call__(
        self, embedded: Array, memory: Memory, state: RecurrentState, deterministic: bool = True
    ) -> Decoded:
        """The next T tokens [B, T, D]."""
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
        """Step by step, since each reads what the one before looked at."""

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
