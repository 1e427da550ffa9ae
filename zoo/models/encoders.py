"""Encoders: from a source sentence to a state for each token, and one vector for the sentence.

    feedforward     h_s = tanh(W [x_{s-w}; ...; x_{s+w}] + b)      x: embedding and position
                    z   = mean of h_1, ..., h_n
    recurrent       h_s = [forward state; backward state] at s     any cell of layers.cells
                    z   = [last forward state; last backward state]
    transformer     h   = layers of self-attention, see models.transformer
                    z   = mean of h_1, ..., h_n

A decoder without attention reads only z: the bottleneck.

Axes: B rows, S source steps, D width of an embedding, H width of a state.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.dropout import drop
from zoo.layers.linear import affine
from zoo.layers.masks import real_steps
from zoo.layers.pooling import pool_last, pool_mean
from zoo.layers.positions import positions
from zoo.layers.recurrent import RecurrentStack

Array = jax.Array


class Encoded(NamedTuple):
    """An encoded source.

    Attributes:
        states: [B, S, H], the state of each token; zero at padding.
        lengths: int32[B], the number of real states of each row.
        vector: [B, H], z.
    """

    states: Array
    lengths: Array
    vector: Array


class FeedForwardEncoder(nn.Module):
    """A feed-forward encoder, whose states see a window of tokens.

    The parameters are `kernel` W [(2w+1)*D, H] and `bias` b [H].

    Attributes:
        size: H.
        window: w, the number of tokens on either side.
        dropout_rate: the fraction of the elements of states that is dropped in training.
    """

    size: int
    window: int
    dropout_rate: float

    @nn.compact
    def __call__(self, embedded: Array, lengths: Array, deterministic: bool = True) -> Encoded:
        """Returns the states of embedded tokens [B, S, D]."""
        _, steps, width = embedded.shape
        real = real_steps(embedded, lengths)[..., None]
        x = jnp.where(real, embedded + positions(0, steps, width)[None], 0)
        padded = jnp.pad(x, ((0, 0), (self.window, self.window), (0, 0)))
        spans = range(2 * self.window + 1)
        windows = jnp.concatenate([padded[:, at : at + steps] for at in spans], axis=-1)
        init = nn.initializers.glorot_uniform()
        kernel = self.param("kernel", init, (windows.shape[-1], self.size))
        bias = self.param("bias", nn.initializers.zeros, (self.size,))
        states = jnp.where(real, jnp.tanh(affine(windows, kernel, bias)), 0)
        states = drop(self, states, self.dropout_rate, deterministic)
        return Encoded(states, lengths, pool_mean(states, lengths).vector)


class RecurrentEncoder(nn.Module):
    """A recurrent encoder in one or both directions.

    Attributes:
        cell: a name in `zoo.layers.cells`.
        size: H; if the encoder is bidirectional, each direction has H/2 units.
        num_layers: the number of recurrent layers.
        bidirectional: whether it reads in both directions.
        dropout_rate: the fraction of a layer's outputs that is dropped before the next layer.
        forget_bias: the initial bias of the forget gates of an LSTM.
    """

    cell: str
    size: int
    num_layers: int
    bidirectional: bool
    dropout_rate: float
    forget_bias: float

    def setup(self) -> None:
        """Creates the recurrent layers."""
        each = self.size // 2 if self.bidirectional else self.size
        self.stack = RecurrentStack(
            cell=self.cell,
            sizes=(each,) * self.num_layers,
            bidirectional=self.bidirectional,
            dropout_rate=self.dropout_rate,
            forget_bias=self.forget_bias,
        )

    def __call__(self, embedded: Array, lengths: Array, deterministic: bool = True) -> Encoded:
        """Returns the states of embedded tokens [B, S, D]."""
        states, _ = self.stack(embedded, lengths=lengths, deterministic=deterministic)
        last = pool_last(states, lengths, bidirectional=self.bidirectional)
        return Encoded(states, lengths, last.vector)
