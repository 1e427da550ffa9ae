"""Initial values of weights."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

Array = jax.Array
Initializer = nn.initializers.Initializer


def uniform(scale: float) -> Initializer:
    """Returns an initializer that is uniform in (-scale, scale), as in classic language models.

    Example:
        >>> values = uniform(0.1)(jax.random.key(0), (1000,))
        >>> bool((abs(values) < 0.1).all()), bool(values.min() < -0.09)
        (True, True)
    """

    def init(key: Array, shape: tuple[int, ...], dtype: DTypeLike = float) -> Array:
        return jax.random.uniform(key, shape, dtype, -scale, scale)

    return init


def orthogonal_blocks(key: Array, shape: tuple[int, ...]) -> Array:
    """Returns [H, G*H] with orthogonal H x H blocks.

    The product of a state with one block has the length of the state.

    Example:
        >>> block = orthogonal_blocks(jax.random.key(0), (3, 6))[:, :3]
        >>> bool(jnp.allclose(block @ block.T, jnp.eye(3), atol=1e-5))
        True
    """
    size, width = shape
    keys = jax.random.split(key, width // size)
    blocks = [nn.initializers.orthogonal()(block_key, (size, size)) for block_key in keys]
    return jnp.concatenate(blocks, axis=1)
