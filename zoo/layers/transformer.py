"""The layers of a Transformer (Vaswani et al. 2017), normalised before each part (pre-norm).

    encoder     x <- x + SelfAttention(norm(x))
                x <- x + F(norm(x))
    decoder     x <- x + SelfAttention(norm(x))         over the steps up to this one
                x <- x + Attention(norm(x), source)     if it has attention to the source
                x <- x + F(norm(x))
    F(x) = W_2 relu(W_1 x + b_1) + b_2

The norm before rather than after each part is from Xiong et al. 2020. Dropout is applied to the
output of each part before it is added.

Axes: B rows, T target steps, S source steps, L steps of a cache, H width.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike

from zoo.layers.attention import MultiHeadAttention
from zoo.layers.dropout import drop
from zoo.layers.linear import affine
from zoo.layers.masks import real_steps

Array = jax.Array


class KeysValues(NamedTuple):
    """The keys and the values of attention, each [B, S, H]."""

    keys: Array
    values: Array


class PositionWise(nn.Module):
    """F, the same two-layer network at every step.

    The parameters are `hidden_kernel` W_1 [H, inner], `hidden_bias` b_1, `output_kernel` W_2
    [inner, H] and `output_bias` b_2.

    Attributes:
        size: H.
        inner_size: the number of hidden units.
        dropout_rate: the fraction of the hidden units that is dropped in training.
    """

    size: int
    inner_size: int
    dropout_rate: float

    @nn.compact
    def __call__(self, x: Array, deterministic: bool) -> Array:
        """Returns F(x) for x [B, T, H]."""
        init, zeros = nn.initializers.glorot_uniform(), nn.initializers.zeros
        first = self.param("hidden_kernel", init, (self.size, self.inner_size))
        hidden = affine(x, first, self.param("hidden_bias", zeros, (self.inner_size,)))
        hidden = drop(self, jax.nn.relu(hidden), self.dropout_rate, deterministic)
        second = self.param("output_kernel", init, (self.inner_size, self.size))
        return affine(hidden, second, self.param("output_bias", zeros, (self.size,)))


class TransformerLayer(nn.Module):
    """A layer of an encoder or of a decoder.

    Attributes:
        size: H.
        num_heads: the number of heads of each attention.
        inner_size: the number of hidden units of F.
        dropout_rate: the fraction of each part's output, and of the hidden units of F, that is
            dropped in training.
        looks_at_source: whether the layer has attention to the source, as in a decoder.

    Example:
        >>> layer, x = TransformerLayer(4, 2, 8, 0.0), jnp.ones((1, 3, 4))
        >>> layer.init_with_output(jax.random.key(0), x, jnp.array([3]))[0].shape
        (1, 3, 4)
    """

    size: int
    num_heads: int
    inner_size: int
    dropout_rate: float
    looks_at_source: bool = False

    def setup(self) -> None:
        """Creates the parts and the norms before them."""
        self.self_attention = MultiHeadAttention(self.num_heads, self.size)
        self.self_norm = nn.LayerNorm()
        if self.looks_at_source:
            self.source_attention = MultiHeadAttention(self.num_heads, self.size)
            self.source_norm = nn.LayerNorm()
        self.position_wise = PositionWise(self.size, self.inner_size, self.dropout_rate)
        self.position_wise_norm = nn.LayerNorm()

    def __call__(self, x: Array, lengths: Array, deterministic: bool = True) -> Array:
        """Runs the layer of an encoder; every step attends to all real steps of x [B, S, H]."""
        normed = self.self_norm(x)
        mask = real_steps(x, lengths)[:, None]
        found = self.self_attention(normed, *self.self_attention.project(normed), mask)
        x = x + self._drop(found.context, deterministic)
        return self._transform(x, deterministic)

    def decode(
        self,
        x: Array,
        source: KeysValues | None,
        source_lengths: Array,
        cache: KeysValues,
        first: Array,
        deterministic: bool = True,
    ) -> tuple[Array, Array | None, KeysValues]:
        """Runs the layer of a decoder; a step attends to itself, earlier steps and the source.

        Args:
            x: [B, T, H], the steps first, ..., first + T - 1 of the target.
            source: the output of `project_source`; None if the layer has no attention to it.
            source_lengths: int32[B], the number of real steps of each source.
            cache: keys and values [B, L, H] of the earlier steps, with room for the new steps.
            first: int32, the number of the first step of x.
            deterministic: False in training, so that units are dropped.

        Returns:
            The output, the weights [B, T, S] over the source (None without a source), and the cache
            with the new steps.
        """
        normed = self.self_norm(x)
        new = self.self_attention.project(normed)
        cache = KeysValues(*map(_write, cache, new, (first, first)))
        steps = first + jnp.arange(x.shape[1])
        no_later = jnp.arange(cache.keys.shape[1])[None, :] <= steps[:, None]
        found = self.self_attention(normed, *cache, no_later[None])
        x = x + self._drop(found.context, deterministic)
        weights = None
        if source is not None:
            mask = real_steps(source.keys, source_lengths)[:, None]
            looked = self.source_attention(self.source_norm(x), *source, mask)
            x, weights = x + self._drop(looked.context, deterministic), looked.weights
        return self._transform(x, deterministic), weights, cache

    def project_source(self, states: Array) -> KeysValues:
        """Returns the keys and values of the source's states [B, S, H], which serve all steps."""
        return KeysValues(*self.source_attention.project(states))

    def _transform(self, x: Array, deterministic: bool) -> Array:
        changed = self.position_wise(self.position_wise_norm(x), deterministic)
        return x + self._drop(changed, deterministic)

    def _drop(self, x: Array, deterministic: bool) -> Array:
        return drop(self, x, self.dropout_rate, deterministic)


def _write(buffer: Array, new: Array, first: Array) -> Array:
    """Writes new [B, T, H] into a buffer [B, L, H], from step `first` on."""
    zero = jnp.zeros_like(first)
    return lax.dynamic_update_slice(buffer, new.astype(buffer.dtype), (zero, first, zero))


def empty_cache(batch: int, room: int, size: int, dtype: DTypeLike) -> KeysValues:
    """Returns the cache before the first step, which is all zeros.

    Example:
        >>> empty_cache(2, 5, 4, jnp.float32).keys.shape
        (2, 5, 4)
    """
    return KeysValues(*(jnp.zeros((batch, room, size), dtype) for _ in range(2)))
