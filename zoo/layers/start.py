"""Initial states of a cell that are trained or computed from a vector.

Some arrays of a state keep the values of `Cell.initial_state`: integers, and those that
`Cell.fixed_states` names. All others may start at any numbers. A complex array is made from pairs
of real numbers, so that gradients and optimizers only see real numbers.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from zoo.layers.cells.base import Cell, State

Array = jax.Array


def free_numbers(cell: Cell) -> dict[int, Array]:
    """Returns the initial values of all real numbers that may start anywhere.

    The key is the position of an array in the state. The value has the shape of a row of that
    array; for a complex array, it has one more axis with the real and the imaginary part.

    Example:
        >>> from zoo.layers.cells import make_cell
        >>> {at: array.shape for at, array in free_numbers(make_cell("lstm", 3)).items()}
        {0: (3,), 1: (3,)}
        >>> {at: array.shape for at, array in free_numbers(make_cell("lru", 3)).items()}
        {0: (3, 2)}
    """
    arrays = jax.tree.leaves(cell.initial_state(1))
    return {
        at: jnp.stack([array[0].real, array[0].imag], axis=-1)
        if jnp.iscomplexobj(array)
        else array[0]
        for at, array in enumerate(arrays)
        if at not in cell.fixed_states and jnp.issubdtype(array.dtype, jnp.inexact)
    }


def fill_state(
    cell: Cell, batch_size: int, dtype: DTypeLike, numbers: Mapping[int, Array]
) -> State:
    """Returns a state that starts at some numbers.

    Args:
        cell: the cell.
        batch_size: B.
        dtype: the precision of the inputs, as in `Cell.initial_state`.
        numbers: arrays as in `free_numbers`, each with a first axis B.

    Example:
        >>> from zoo.layers.cells import make_cell
        >>> state = fill_state(make_cell("lru", 1), 1, float, {0: jnp.array([[[3.0, 4.0]]])})
        >>> state[0].tolist()
        [[(3+4j)]]
    """
    arrays, structure = jax.tree.flatten(cell.initial_state(batch_size, dtype))
    for at, values in numbers.items():
        if jnp.iscomplexobj(arrays[at]):
            values = jax.lax.complex(values[..., 0], values[..., 1])
        arrays[at] = values.astype(arrays[at].dtype)
    return jax.tree.unflatten(structure, arrays)
