"""The Transformer (Vaswani et al. 2017) as an encoder and as a decoder.

    encoder     x = embeddings + positions;  each layer: self-attention, then a small network
    decoder     the same, but a step sees no later one, and each layer looks at the source too

The layers' equations stand in `zoo.layers.transformer`; the interface is that of `zoo.models.
encoders` and `zoo.models.decoders`. z, the source as one vector, is the mean of its states.

Axes: B rows, S source steps, T target steps, H width.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.pooling import pool_mean, real_steps
from zoo.layers.positions import positions
from zoo.layers.transformer import KeysValues, TransformerLayer, empty_cache
from zoo.models.decoders import Decoded
from zoo.models.encoders import Encoded
from zoo.types import PyTree

Array = jax.Array


class _Layers(nn.Module):
    """What encoder and decoder have in common.

    Attributes:
        size: H, the width of the embeddings too.
        num_layers: how many.
        num_heads: heads of each attention.
        inner_size: hidden units between two layers of attention.
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
    """Layers of self-attention over embeddings with positions."""

    def setup(self) -> None:
        """The layers and the last normalisation."""
        self.layer = self._layers(looks_at_source=False)
        self.norm = nn.LayerNorm()

    def __call__(self, embedded: Array, lengths: Array, deterministic: bool = True) -> Encoded:
        """The states of embedded tokens [B, S, H]."""
        _, steps, width = embedded.shape
        x = embedded + positions(0, steps, width)[None]
        for layer in self.layer:
            x = layer(x, lengths, deterministic)
        states = jnp.where(real_steps(x, lengths)[..., None], self.norm(x), 0)
        return Encoded(states, lengths, pool_mean(states, lengths).vector)


class LayersMemory(NamedTuple):
    """A source as the layers look it up.

    Attributes:
        layers: for each its keys and values; None where it looks at z alone.
        lengths: int32[B].
        offset: [B, H], what z adds to every step; None where the layers look at the states.
    """

    layers: tuple[PyTree, ...]
    lengths: Array
    offset: Array | None


class CacheState(NamedTuple):
    """The keys and values of the target so far for each layer, and, int32, its length."""

    layers: tuple[KeysValues, ...]
    num_read: Array


class TransformerDecoder(_Layers):
    """Layers of attention to the target so far and to the source.

    Parameters: `layer_0`, ... (see `TransformerLayer`), `norm`, and where only z is looked at
    `vector_kernel` [H, H], whose product with z is added to every step.

    Attributes:
        looks_at_states: False to look at z alone.
    """

    looks_at_states: bool

    def setup(self) -> None:
        """The layers and the last normalisation."""
        self.layer = self._layers(looks_at_source=self.looks_at_states)
        self.norm = nn.LayerNorm()
        if not self.looks_at_states:
            init = nn.initializers.glorot_uniform()
            self.vector_kernel = self.param("vector_kernel", init, (self.size, self.size))

    def begin(self, encoded: Encoded, room: int) -> tuple[LayersMemory, CacheState]:
        """The source, and empty caches for `room` target tokens."""
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
        """The next T tokens [B, T, H]; weights are the mean of the layers'."""
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
