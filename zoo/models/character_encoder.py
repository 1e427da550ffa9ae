"""Encoders of words by their characters: from the embeddings c_1, ..., c_n to one vector u.

    recurrent       u = [last forward state; last backward state] of a network over c_1, ..., c_n
                    (Lample et al. 2016, section 4.1)
    convolution     u = max_i W [c_{i-w}; ...; c_{i+w}] + b, with zeros before c_1 and after c_n
                    (Ma and Hovy 2016, section 2.1)

Axes: N words, C characters of a word, V vocabulary of characters, D width of an embedding, S width
of u.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.linear import affine
from zoo.layers.masks import real_steps
from zoo.layers.pooling import pool_last
from zoo.layers.recurrent import RecurrentStack
from zoo.models.text_network import embedding_parameter
from zoo.special_tokens import END_ID

Array = jax.Array

KINDS = ("recurrent", "convolution")


class CharacterEncoder(nn.Module):
    """A character encoder, which computes one vector for each word.

    The parameters are `embedding` [V, D] and either `stack` (recurrent, see RecurrentStack) or
    `kernel` W [(2w+1)*D, S] and `bias` b [S] (convolution).

    Attributes:
        kind: recurrent or convolution.
        cell: the cell of the recurrent network.
        num_characters: V.
        embedding_size: D.
        size: the number of units of each direction, half of S; or the number of filters, S.
        window: w, the number of characters on either side that a filter sees.
        init_scale: embeddings start uniform in (-init_scale, init_scale); 0 means 1/sqrt(D).
        forget_bias: the initial bias of the forget gates of an LSTM.

    Example:
        >>> encoder = CharacterEncoder("convolution", "lstm", 9, embedding_size=4, size=5, window=1)
        >>> words = jnp.array([[3, 4, END_ID], [5, END_ID, END_ID]])
        >>> encoder.apply(encoder.init(jax.random.key(0), words), words).shape
        (2, 5)
    """

    kind: str
    cell: str
    num_characters: int
    embedding_size: int
    size: int
    window: int
    init_scale: float = 0.1
    forget_bias: float = 1.0

    @nn.compact
    def __call__(self, characters: Array) -> Array:
        """Returns u, [N, S], of words int32[N, C]; `END_ID` follows the characters of a word."""
        embedding = embedding_parameter(
            self, self.num_characters, self.embedding_size, self.init_scale
        )
        lengths = jnp.maximum((characters != END_ID).sum(axis=1).astype(jnp.int32), 1)
        if self.kind == "recurrent":
            stack = RecurrentStack(
                cell=self.cell,
                sizes=(self.size,),
                bidirectional=True,
                forget_bias=self.forget_bias,
                name="stack",
            )
            states, _ = stack(embedding[characters], lengths=lengths)
            return pool_last(states, lengths, bidirectional=True).vector
        return self._convolution(embedding[characters], lengths)

    def _convolution(self, embedded: Array, lengths: Array) -> Array:
        steps, window = embedded.shape[1], self.window
        real = real_steps(embedded, lengths)[..., None]
        padded = jnp.pad(jnp.where(real, embedded, 0), ((0, 0), (window, window), (0, 0)))
        shifts = range(2 * window + 1)
        windows = jnp.concatenate([padded[:, at : at + steps] for at in shifts], axis=-1)
        init = nn.initializers.glorot_uniform()
        kernel = self.param("kernel", init, (windows.shape[-1], self.size))
        bias = self.param("bias", nn.initializers.zeros, (self.size,))
        lowest = jnp.finfo(embedded.dtype).min
        return jnp.where(real, affine(windows, kernel, bias), lowest).max(axis=1)
