"""Sinusoidal positions, which tell a network without recurrence the place of each token."""

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def positions(first: Array | int, num_steps: int, size: int) -> Array:
    """Returns sines and cosines of step numbers, with wavelengths from 2 pi to 10,000 * 2 pi.

    p_{t,2i} = sin(t / 10000^(2i/D))     p_{t,2i+1} = cos(t / 10000^(2i/D))
    (Vaswani et al. 2017, section 3.5)

    Args:
        first: the number of the first step.
        num_steps: T.
        size: D, an even number.

    Returns:
        float32[T, D].

    Example:
        >>> [round(number, 3) for number in positions(1, 1, 4)[0].tolist()]
        [0.841, 0.54, 0.01, 1.0]
    """
    rates = jnp.asarray(1e4 ** (-np.arange(0, size, 2) / size), jnp.float32)
    steps = (first + jnp.arange(num_steps)).astype(jnp.float32)
    angles = steps[:, None] * rates[None, :]
    return jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1).reshape(num_steps, size)
