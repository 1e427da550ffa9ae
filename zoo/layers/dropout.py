"""Dropout, with a new mask for every step or one mask for the whole sequence."""

import flax.linen as nn
import jax
import jax.numpy as jnp


def dropout(
    key: jax.Array, x: jax.Array, rate: float, *, shared_axes: tuple[int, ...] = ()
) -> jax.Array:
    """Sets elements to zero with probability `rate` and scales the others by 1 / (1 - rate).

    Srivastava et al. 2014. A mask that is shared over the time axis gives variational dropout (Gal
    and Ghahramani 2016): the same elements are dropped in the whole sequence.

    Args:
        key: a random key.
        x: an array of any shape.
        rate: the fraction of elements that is dropped, 0 <= rate < 1.
        shared_axes: axes of x along which the mask is the same.

    Returns:
        An array of the shape of x. The expected value of each element is unchanged.

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
    """Applies dropout inside a module, with the module's random key "dropout".

    Args:
        module: the calling module, which has the key.
        x: an array of any shape.
        rate: the fraction of elements that is dropped.
        deterministic: whether x is returned unchanged.
        shared_axes: see `dropout`.

    Example:
        >>> drop(nn.Module(), jnp.ones(2), 0.5, deterministic=True).tolist()
        [1.0, 1.0]
    """
    if deterministic or not rate:
        return x
    return dropout(module.make_rng("dropout"), x, rate, shared_axes=shared_axes)
