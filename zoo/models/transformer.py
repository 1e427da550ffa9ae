"""The Transformer (Vaswani et al. 2017) as an encoder and as a decoder.

    encoder     x = embeddings + positions;  each layer: self-attention, then a small network
    decoder     the same, but a step sees no later step, and each layer attends to the source too

`zoo.layers.transformer` has the equations of the layers. The interfaces are the same as in
`zoo.models.encoders` and `zoo.models.decoders`. The vector z of the source is the mean of its
states.

Axes: B rows, S source steps, T target steps, H width.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.masks import real_steps
from zoo.layers.pooling import pool_mean
from zoo.layers.positions import positions
from zoo.layers.transformer import KeysValues, TransformerLayer, empty_cache
from zoo.models.decoders import Decoded
from zoo.models.encoders import Encoded
from zoo.types import PyTree

Array = jax.Array


class _Layers(nn.Module):
    """The common base of the encoder and the decoder.

    Attributes:
        size: H, which is also the width of the embeddings.
        num_layers: the number of layers.
        num_heads: the number of heads of each attention.
        inner_size: the number of hidden units between two attentions.
        dropout_rate: see `TransformerLayer`.
    """

    size: int
    num_layers: int
    num_heads: int
    inner_size: int
    dropout_rate: float

    def _layers(self, *, looks_at_source: bool) -> list[TransformerLayer]:
        sizes = (self.size, self.num_heads, self.inner_size, self.dropout_rate)
        return [
            TransformerLayer(*sizes, looks_at_source=looks_at_source)
            for _ in range(self.num_layers)
        ]


class TransformerEncoder(_Layers):
    """A Transformer encoder: layers of self-attention over embeddings with positions."""

    def setup(self) -> None:
        """Creates the layers and the final norm."""
        self.layer = self._layers(looks_at_source=False)
        self.norm = nn.LayerNorm()

    def __call__(self, embedded: Array, lengths: Array, deterministic: bool = True) -> Encoded:
        """Returns the states of embedded tokens [B, S, H]."""
        _, steps, width = embedded.shape
        x = embedded + positions(0, steps, width)[None]
        for layer in self.layer:
            x = layer(x, lengths, deterministic)
        states = jnp.where(real_steps(x, lengths)[..., None], self.norm(x), 0)
        return Encoded(states, lengths, pool_mean(states, lengths).vector)


class LayersMemory(NamedTuple):
    """A source in the form that the layers of a decoder read.

    Attributes:
        layers: for each layer its keys and values; None if the layer has no attention to the
            source.
        lengths: int32[B], the number of real steps of each source.
        offset: [B, H], the product of z that is added to every step; None if the layers attend to
            the states of the source.
    """

    layers: tuple[PyTree, ...]
    lengths: Array
    offset: Array | None


class CacheState(NamedTuple):
    """The keys and values of the target so far for each layer, and its length, an int32."""

    layers: tuple[KeysValues, ...]
    num_read: Array


class TransformerDecoder(_Layers):
    """A Transformer decoder: layers of attention to the target so far and to the source.

    The parameters are `layer_0`, ... (see `TransformerLayer`) and `norm`. If the decoder reads only
    z, there is also `vector_kernel` [H, H], whose product with z is added to every step.

    Attributes:
        looks_at_states: whether the layers attend to the states of the source; otherwise the
            decoder reads only z.
    """

    looks_at_states: bool

    def setup(self) -> None:
        """Creates the layers and the final norm."""
        self.layer = self._layers(looks_at_source=self.looks_at_states)
        self.norm = nn.LayerNorm()
        if not self.looks_at_states:
            init = nn.initializers.glorot_uniform()
            self.vector_kernel = self.param("vector_kernel", init, (self.size, self.size))

    def begin(self, encoded: Encoded, room: int) -> tuple[LayersMemory, CacheState]:
        """Returns the source, and empty caches for `room` target tokens."""
        batch, dtype = encoded.vector.shape[0], encoded.vector.dtype
        caches = tuple(empty_cache(batch, room, self.size, dtype) for _ in self.layer)
        state = CacheState(caches, jnp.zeros((), jnp.int32))
        if not self.looks_at_states:
            offset = encoded.vector @ self.vector_kernel
            return LayersMemory((None,) * self.num_layers, encoded.lengths, offset), state
        source = tuple(layer.project_source(encoded.states) for layer in self.layer)
        return LayersMemory(source, encoded.lengths, None), state

    def __call__(
        self, embedded: Array, memory: LayersMemory, state: CacheState, deterministic: bool = True
    ) -> Decoded:
        """Decodes the next T embedded tokens [B, T, H]; weights are the mean over layers."""
        _, steps, width = embedded.shape
        x = embedded + positions(state.num_read, steps, width)[None]
        if memory.offset is not None:
            x = x + memory.offset[:, None]
        caches: list[KeysValues] = []
        looks: list[Array] = []
        for layer, source, cache in zip(self.layer, memory.layers, state.layers, strict=True):
            x, looked, cache = layer.decode(
                x, source, memory.lengths, cache, state.num_read, deterministic
            )
            caches.append(cache)
            if looked is not None:
                looks.append(looked)
        after = CacheState(tuple(caches), state.num_read + steps)
        weights = jnp.stack(looks).mean(axis=0) if looks else None
        return Decoded(self.norm(x), weights, after)
