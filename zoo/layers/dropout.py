"""Dropout, with a mask of its own for every step or one for the whole sequence."""

import flax.linen as nn
import jax
import jax.numpy as jnp


def dropout(
    key: jax.Array, x: jax.Array, rate: float, *, shared_axes: tuple[int, ...] = ()
) -> jax.Array:
    """Sets elements to zero with probability `rate` and scales the others by 1 / (1 - rate).

    Srivastava et al. 2014. Sharing the mask over the time axis gives the variational form of Gal
    and Ghahramani 2016: what is dropped stays dropped for the whole sequence.

    Args:
        key: a random key.
        x: any shape.
        rate: the fraction dropped, 0 <= rate < 1.
        shared_axes: axes of x along which one mask is repeated.

    Returns:
        The shape of x; the expected value of every element is unchanged.

    Example:
        >>> x = dropout(jax.random.key(0), jnp.ones((1, 3, 4)), 0.5, shared_axes=(1,))
        >>> bool((x[0, 0] == x[0, 1]).all()), sorted(set(x.ravel().tolist()))
        (True, [0.0, 2.0])
    """
    shape = tuple(1 if axis in shared_axes else size for axis, size in enumerate(x.shape))
    keep = jax.random.bernoulli(key, 1 - rate, shape)
    return jnp.where(keep, x / (1 - rate), 0)


def drop(
    module: nn.Module,
    x: jax.Array,
    rate: float,
    deterministic: bool,
    shared_axes: tuple[int, ...] = (),
) -> jax.Array:
    """Dropout inside a module: with its random key "dropout", and none where deterministic.

    Args:
        module: the module that calls, which has the key.
        x: any shape.
        rate: the fraction dropped.
        deterministic: whether x is left as it is.
        shared_axes: as in `dropout`.

    Example:
        >>> drop(nn.Module(), jnp.ones(2), 0.5, deterministic=True).tolist()
        [1.0, 1.0]
    """
    if deterministic or not rate:
        return x
    return dropout(module.make_rng("dropout"), x, rate, shared_axes=shared_axes)
