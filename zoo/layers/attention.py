"""Attention: a query looks at keys and takes a weighted sum of values.

    e_ts = score(q_t, k_s)
    a_t  = softmax of e_t1, ..., e_tn               over the n real steps of the source
    c_t  = sum_s a_ts v_s

    dot         score(q, k) = q' k                   Luong et al. 2015, eq. 8
    scaled_dot  score(q, k) = q' k / sqrt(H)         Vaswani et al. 2017, eq. 1
    bilinear    score(q, k) = q' W k / sqrt(H)       Luong et al. 2015, eq. 8, "general", scaled
    additive    score(q, k) = v' tanh(W q + U k + b) Bahdanau et al. 2015, appendix A.1.2

Luong et al. do not scale the bilinear score. Without the factor one step of Adam moves it by up to
the rate times |q|_1 |k|_1, so that within some hundred steps the softmax holds fast to one token.

Several heads (Vaswani et al. 2017, section 3.2.2) do the same side by side, each on its own
projection of queries, keys and values to H/N elements, N heads in all:

    head_i = attend(W_Q^i q, W_K^i k, W_V^i v)       with scaled_dot
    output = W_O [head_1; ...; head_N] + b_O

Axes: B rows, T queries (target time), S keys (source time), H width, N heads.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.initializers import uniform
from zoo.layers.linear import affine
from zoo.layers.masks import real_steps

Array = jax.Array

SCORES = ("dot", "scaled_dot", "bilinear", "additive")


class Attended(NamedTuple):
    """What the queries take from the values.

    Attributes:
        context: [B, T, H], c_t.
        weights: [B, T, S], a_ts; of several heads their mean.
    """

    context: Array
    weights: Array


def attend(scores: Array, values: Array, mask: Array) -> Attended:
    """The softmax of the scores over real steps, and the sum of values that it weighs.

    Args:
        scores: [..., T, S], e_ts.
        values: [..., S, H].
        mask: bool, broadcasts to the scores: True where a query may look; each sees one step or
            more.

    Returns:
        Contexts [..., T, H] and weights [..., T, S], which are zero where the mask is False.

    Example:
        >>> mask = jnp.array([[True, True, False]])
        >>> found = attend(jnp.zeros((1, 3)), jnp.array([[1.0], [3.0], [9.0]]), mask)
        >>> found.context.tolist(), found.weights.tolist()
        ([[2.0]], [[0.5, 0.5, 0.0]])
    """
    weights = jax.nn.softmax(scores, axis=-1, where=mask)
    return Attended(jnp.einsum("...ts,...sh->...th", weights, values), weights)


def additive_scores(queries: Array, keys: Array, vector: Array) -> Array:
    """The additive score of every query with every key, v' tanh(q_t + k_s).

    One query at a time, and its tanh once more for the gradient: [B, S, H] stays in the cache,
    where [B, T, S, H] would go through memory (6 times as fast on a CPU, and T times smaller).

    Args:
        queries: [B, T, H], W q_t.
        keys: [B, S, H], U k_s + b.
        vector: [H], v.

    Returns:
        [B, T, S].

    Example:
        >>> additive_scores(jnp.zeros((1, 2, 4)), jnp.zeros((1, 3, 4)), jnp.ones(4)).shape
        (1, 2, 3)
    """

    @jax.checkpoint
    def score(query: Array) -> Array:
        return jnp.tanh(query[:, None] + keys) @ vector

    return jax.lax.map(score, queries.swapaxes(0, 1)).swapaxes(0, 1)


class Attention(nn.Module):
    """Attention with one of the four scores.

    Parameters: of bilinear `bilinear_kernel` W [H, H]; of additive `query_kernel` W, `key_kernel`
    U, both [H, H], `bias` b [H] and `vector` v [H]; of the others none.

    Attributes:
        score: a name in SCORES.
        size: H.

    Example:
        >>> attention = Attention("dot", 2)
        >>> states = jnp.array([[[9.0, 0.0], [0.0, 9.0]]])
        >>> lengths = jnp.array([2])
        >>> found = attention.apply({}, jnp.array([[[9.0, 0.0]]]), states, states, lengths)
        >>> found.context.round(3).tolist()
        [[[9.0, 0.0]]]
    """

    score: str
    size: int

    def setup(self) -> None:
        """The parameters that the score needs."""
        square, init = (self.size, self.size), uniform(self.size**-0.5)
        if self.score == "bilinear":
            self.bilinear_kernel = self.param("bilinear_kernel", init, square)
        if self.score == "additive":
            self.query_kernel = self.param("query_kernel", init, square)
            self.key_kernel = self.param("key_kernel", init, square)
            self.bias = self.param("bias", nn.initializers.zeros, (self.size,))
            self.vector = self.param("vector", init, (self.size,))

    def prepare(self, states: Array) -> Array:
        """What the score needs of the keys [B, S, H], made once for all queries."""
        if self.score == "scaled_dot":
            return states * self.size**-0.5
        if self.score == "bilinear":
            projected = affine(states, self.bilinear_kernel.T, jnp.zeros(self.size, states.dtype))
            return projected * self.size**-0.5
        if self.score == "additive":
            return affine(states, self.key_kernel, self.bias)
        return states

    def __call__(self, queries: Array, keys: Array, values: Array, lengths: Array) -> Attended:
        """Contexts of queries [B, T, H].

        Args:
            queries: [B, T, H].
            keys: [B, S, H], as `prepare` gives them.
            values: [B, S, H].
            lengths: int32[B], real steps of each row of the source, at least 1.
        """
        if self.score == "additive":
            projected = affine(queries, self.query_kernel, jnp.zeros(self.size, queries.dtype))
            scores = additive_scores(projected, keys, self.vector)
        else:
            scores = jnp.einsum("bth,bsh->bts", queries, keys)
        return attend(scores, values, real_steps(keys, lengths)[:, None])


class MultiHeadAttention(nn.Module):
    """Attention of several heads, with the scaled dot product.

    Parameters: `query_kernel`, `key_kernel`, `value_kernel`, `output_kernel`, each [H, H], and a
    bias [H] of each but the key, whose bias would add the same to all scores of a query.

    Attributes:
        num_heads: N, a divisor of size.
        size: H.

    Example:
        >>> attention, x = MultiHeadAttention(2, 4), jnp.ones((1, 3, 4))
        >>> params = attention.init(jax.random.key(0), x, x, x, jnp.ones((1, 3, 3), bool))
        >>> keys, values = attention.apply(params, x, method="project")
        >>> found = attention.apply(params, x, keys, values, jnp.ones((1, 3, 3), bool))
        >>> found.context.shape, found.weights.shape
        ((1, 3, 4), (1, 3, 3))
    """

    num_heads: int
    size: int

    def setup(self) -> None:
        """Four projections."""
        init, zeros = nn.initializers.glorot_uniform(), nn.initializers.zeros
        for name in ("query", "key", "value", "output"):
            kernel = self.param(f"{name}_kernel", init, (self.size, self.size))
            bias = jnp.zeros(self.size, kernel.dtype)
            if name != "key":
                bias = self.param(f"{name}_bias", zeros, (self.size,))
            setattr(self, name, (kernel, bias))

    def project(self, states: Array) -> tuple[Array, Array]:
        """Keys and values of states [B, S, H], each [B, S, H]."""
        return affine(states, *self.key), affine(states, *self.value)

    def __call__(self, queries: Array, keys: Array, values: Array, mask: Array) -> Attended:
        """Outputs [B, T, H] for queries [B, T, H].

        Args:
            queries: [B, T, H], not yet projected.
            keys: [B, S, H], as `project` gives them.
            values: [B, S, H], the same.
            mask: bool[B or 1, T or 1, S], True where a query may look.
        """
        width = self.size // self.num_heads
        projected = self._split(affine(queries, *self.query) * width**-0.5)
        scores = jnp.einsum("bnth,bnsh->bnts", projected, self._split(keys))
        heads = attend(scores, self._split(values), mask[:, None])
        joined = heads.context.swapaxes(1, 2).reshape(queries.shape)
        return Attended(affine(joined, *self.output), heads.weights.mean(axis=1))

    def _split(self, states: Array) -> Array:
        """[B, T, H] as [B, N, T, H/N]."""
        shape = (*states.shape[:2], self.num_heads, self.size // self.num_heads)
        return states.reshape(shape).swapaxes(1, 2)
