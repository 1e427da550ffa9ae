"""How weights start."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

Array = jax.Array
Initializer = nn.initializers.Initializer


def uniform(scale: float) -> Initializer:
    """Uniform in (-scale, scale), the start of the classic recurrent language models.

    Example:
        >>> values = uniform(0.1)(jax.random.key(0), (1000,))
        >>> bool((abs(values) < 0.1).all()), bool(values.min() < -0.09)
        (True, True)
    """

    def init(key: Array, shape: tuple[int, ...], dtype: DTypeLike = float) -> Array:
        return jax.random.uniform(key, shape, dtype, -scale, scale)

    return init


def orthogonal_blocks(key: Array, shape: tuple[int, ...]) -> Array:
    """Each H x H block of [H, G*H] orthogonal, so that no gate starts by shrinking the state.

    Example:
        >>> block = orthogonal_blocks(jax.random.key(0), (3, 6))[:, :3]
        >>> bool(jnp.allclose(block @ block.T, jnp.eye(3), atol=1e-5))
        True
    """
    size, width = shape
    keys = jax.random.split(key, width // size)
    blocks = [nn.initializers.orthogonal()(block_key, (size, size)) for block_key in keys]
    return jnp.concatenate(blocks, axis=1)
