"""Embeddings that are multiplied by a kernel before they are looked up.

    x_n = E[token_n],    W' x_n + b = (W' E' + b)[:, token_n]

The first layer above an embedding multiplies the row of every token by W. If the vocabulary has
fewer tokens than the batch, as with characters, it is less work to multiply each row of E once and
to look up the results. The gradient then has one row per token of the vocabulary, too.

Axes: B rows, T steps, N = B*T, V vocabulary, D width of an embedding.
"""

import jax
import jax.numpy as jnp
from flax import struct

Array = jax.Array


class Lookup(struct.PyTreeNode):
    """The array table[rows], [B, T, D], before the lookup.

    Attributes:
        table: [V, D].
        rows: int32[B, T].
    """

    table: Array
    rows: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of table[rows]."""
        return (*self.rows.shape, self.table.shape[1])

    @property
    def dtype(self) -> jnp.dtype:
        """The dtype of the table."""
        return self.table.dtype


def embed(table: Array, rows: Array) -> Array | Lookup:
    """Returns the embeddings of tokens, as a `Lookup` if that halves the work of the layer above.

    Args:
        table: [V, D].
        rows: int32[B, T].

    Example:
        >>> tokens = jnp.zeros((8, 16), jnp.int32)
        >>> type(embed(jnp.ones((10, 64)), tokens)).__name__
        'Lookup'
        >>> embed(jnp.ones((1000, 64)), tokens).shape
        (8, 16, 64)
    """
    (vocabulary, width), tokens = table.shape, rows.size
    if not isinstance(tokens, int):  # symbolic, in a program for batches of any size
        return table[rows]
    # Multiplications for each column of W: three products over V or N, and one in `take_rows`.
    with_lookup, without = 3 * vocabulary * width + tokens * vocabulary, 3 * tokens * width
    return Lookup(table, rows) if 2 * with_lookup < without else table[rows]


def take(lookup: Lookup) -> Array:
    """table[rows], [B, T, D]."""
    return lookup.table[lookup.rows]


@jax.custom_vjp
def take_rows(table: Array, rows: Array) -> Array:
    """table[rows]; its gradient is one product, which is faster than adding up row by row.

    Args:
        table: [V, W].
        rows: int32[N].

    Example:
        >>> rows = jnp.array([1, 1])
        >>> jax.grad(lambda table: take_rows(table, rows).sum())(jnp.ones((2, 1))).tolist()
        [[0.0], [2.0]]
    """
    return table[rows]


def _take_keeping(table: Array, rows: Array) -> tuple[Array, tuple[Array, Array]]:
    return table[rows], (rows, jnp.zeros((len(table), 0), table.dtype))


def _take_backward(kept: tuple[Array, Array], grad: Array) -> tuple[Array, None]:
    rows, like = kept
    is_row = jnp.arange(len(like), dtype=rows.dtype)[:, None] == rows[None, :]
    return is_row.astype(grad.dtype) @ grad, None


take_rows.defvjp(_take_keeping, _take_backward)
