"""The arrays of a step: written by one process or by several, and read by any number of them.

One process writes whole arrays (Orbax); several write parts, see zoo.training.shares.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from etils import epath

from zoo.errors import WRONG_FORM, UserError
from zoo.training.arrays import (
    check_room,
    list_differences,
    plain_path,
    read_arrays,
    read_some,
    stored_shapes,
)
from zoo.training.checksums import DamagedCheckpoint
from zoo.training.shares import TREE, zarr_spec
from zoo.training.step_files import read_json
from zoo.types import PyTree

_MOST_TOLD = 4  # arrays that an error names
Path = tuple[str, ...]
Index = tuple[slice, ...]


class StoredArray(NamedTuple):
    """An array on disk.

    Attributes:
        shape: its shape.
        dtype: the type of its numbers.
        read: a function that reads a part, given its range along each axis.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[Index], np.ndarray]


def list_stored(directory: epath.Path) -> dict[Path, StoredArray]:
    """Returns every array of a directory by its path in the tree; no array is read.

    Raises:
        DamagedCheckpoint: if the files hold no arrays, or announce far larger arrays than the files
            can hold.
    """
    if not (directory / TREE).exists():
        return {
            path: StoredArray(
                tuple(leaf.shape), np.dtype(leaf.dtype), partial(_read_of_whole, directory, path)
            )
            for path, leaf in _by_path(stored_shapes(directory)).items()
        }
    try:
        paths = [tuple(map(str, path)) for path in read_json(directory / TREE)["paths"]]
        places = [directory / str(number) for number in range(len(paths))]
        arrays = dict(zip(paths, map(_open_zarr, places), strict=True))
    except WRONG_FORM as error:
        raise DamagedCheckpoint(f"{directory} is damaged: {error}") from error
    if not arrays:
        raise DamagedCheckpoint(f"{directory} is damaged: it holds no arrays by name")
    check_room(directory, arrays.values())
    return arrays


def _open_zarr(directory: epath.Path) -> StoredArray:
    """Returns an array of which several processes wrote their parts."""
    import tensorstore as ts

    def read(index: Index) -> np.ndarray:
        with plain_path(directory) as place:
            return ts.open(zarr_spec(place), open=True).result()[index].read().result()

    with plain_path(directory) as place:
        store = ts.open(zarr_spec(place), open=True).result()
    return StoredArray(tuple(store.shape), np.dtype(store.dtype.numpy_dtype), read)


def _read_of_whole(directory: epath.Path, path: Path, index: Index) -> np.ndarray:
    return read_some(directory, path)[index]


def stored_tree(directory: epath.Path) -> PyTree:
    """Returns the shapes and dtypes of stored arrays, nested dicts of `jax.ShapeDtypeStruct`."""
    import jax

    return _nested(
        {
            path: jax.ShapeDtypeStruct(array.shape, array.dtype)
            for path, array in list_stored(directory).items()
        }
    )


def read_whole(directory: epath.Path) -> PyTree:
    """Returns the stored arrays as nested dicts of whole NumPy arrays.

    Raises:
        DamagedCheckpoint: as in `list_stored`.
    """
    if not (directory / TREE).exists():
        return read_arrays(directory)
    arrays = list_stored(directory)
    return _nested({path: array.read(_all_of(array)) for path, array in arrays.items()})


def _all_of(array: StoredArray) -> Index:
    return tuple(slice(0, size) for size in array.shape)


def _by_path(tree: PyTree) -> dict[Path, PyTree]:
    """Returns the leaves of nested dicts by their keys."""
    import jax

    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {tuple(str(key.key) for key in path): leaf for path, leaf in leaves}


def _nested(leaves: Mapping[Path, PyTree]) -> PyTree:
    """Returns nested dicts from their leaves by keys; the inverse of `_by_path`."""
    tree: dict[str, PyTree] = {}
    for path, leaf in leaves.items():
        inner = tree
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = leaf
    return tree


def _name(path: Path) -> str:
    """Returns an array's name in errors; the state's arrays have their whole path as one key."""
    return path[0] if path[0].startswith(("[", ".")) else "".join(f"[{key!r}]" for key in path)


def read_like(template: PyTree, directory: epath.Path) -> PyTree:
    """Returns the stored arrays, checked and placed as a template says.

    With several processes, each reads the parts that its own devices hold.

    Args:
        template: nested dicts of arrays or of `jax.ShapeDtypeStruct`s. Each leaf is placed as the
            `sharding` of its template says; NumPy leaves stay NumPy.
        directory: the directory of the arrays.

    Raises:
        UserError: if a leaf is missing, has no template, or differs in shape or dtype.
        DamagedCheckpoint: as in `list_stored`.
    """
    import jax

    several = jax.process_count() > 1
    found: dict[Path, PyTree] = (
        dict(list_stored(directory)) if several else _by_path(read_whole(directory))
    )
    wanted = _by_path(template)
    told = list_differences(
        {_name(path): array for path, array in found.items()},
        {_name(path): leaf for path, leaf in wanted.items()},
    )
    if told:
        more = f", and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
        raise UserError(
            f"{directory.name} of {directory.parent} do not fit this config: "
            f"{', '.join(told[:_MOST_TOLD])}{more}; "
            "use the config and the version of recurrent-zoo that they were saved with"
        )
    place: Callable[[PyTree, PyTree], PyTree] = _read_onto if several else _put
    placed = [place(found[path], leaf) for path, leaf in wanted.items()]
    return jax.tree.unflatten(jax.tree.structure(template), placed)


def _put(values: np.ndarray, like: PyTree) -> PyTree:
    """Returns an array in the memory of the device or host of its template."""
    import jax

    if isinstance(like, np.ndarray | np.generic):
        return values
    return jax.device_put(values, getattr(like, "sharding", None))


def _read_onto(array: StoredArray, like: PyTree) -> PyTree:
    """Returns an array on the devices of its template, of which this process reads its parts."""
    import jax

    if isinstance(like, np.ndarray | np.generic):
        return array.read(_all_of(array))
    read: dict[str, np.ndarray] = {}  # devices that hold the same part share one copy

    def part(index: Index | None) -> np.ndarray:
        index = _all_of(array) if index is None else index
        if str(index) not in read:
            read[str(index)] = array.read(index)
        return read[str(index)]

    return jax.make_array_from_callback(array.shape, like.sharding, part)
