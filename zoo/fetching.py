"""Results of compiled programs, as NumPy arrays in the memory of this process."""

import jax
import numpy as np

from zoo.types import PyTree


def fetch(tree: PyTree) -> PyTree:
    """Returns the arrays of a tree as whole NumPy arrays.

    Arrays that lie in parts on several hosts are gathered, so all processes must call this
    together, as they call the program whose result it is.

    Example:
        >>> fetch({"bias": jax.numpy.ones(2)})
        {'bias': array([1., 1.], dtype=float32)}
    """
    if jax.process_count() == 1:
        return jax.device_get(tree)
    from jax.experimental import multihost_utils

    def whole(array: jax.Array) -> np.ndarray:
        if not isinstance(array, jax.Array) or array.is_fully_replicated:
            return np.asarray(array)
        return np.asarray(multihost_utils.process_allgather(array, tiled=True))

    return jax.tree.map(whole, tree)
