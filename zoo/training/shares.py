"""Arrays that lie on several hosts: each process writes its parts, and no host needs a whole copy.

A directory of arrays, such as params/, then holds

    tree.json    the paths of the arrays in their tree, in order
    0/, 1/, ...  the arrays in that order (Zarr, by TensorStore), in chunks: a part of one device

A part that several devices hold is written once, by the process of the first of these devices. Any
number of processes may read any part, see zoo.training.stored.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from etils import epath

from zoo.training.arrays import plain_path
from zoo.training.step_files import write_json
from zoo.types import PyTree

if TYPE_CHECKING:
    import jax

TREE = "tree.json"


class Share(NamedTuple):
    """The parts of an array that one process writes.

    Attributes:
        shape: the shape of the whole array.
        part_shape: the shape of each part.
        dtype: the type of its numbers.
        parts: the range of each part along each axis, and its values.
    """

    shape: tuple[int, ...]
    part_shape: tuple[int, ...]
    dtype: np.dtype
    parts: list[tuple[tuple[slice, ...], np.ndarray]]


def own_parts(array: "jax.Array | np.ndarray") -> list[np.ndarray]:
    """Returns the parts of an array that this process holds; they are not copied if possible.

    Example:
        >>> import jax
        >>> own_parts(jax.numpy.arange(3))
        [array([0, 1, 2], dtype=int32)]
    """
    import jax

    if not isinstance(array, jax.Array) or array.is_fully_addressable:
        return [np.asarray(array)]
    return [np.asarray(shard.data) for shard in array.addressable_shards]


def copy_share(array: "jax.Array | np.ndarray", process: int) -> Share:
    """Returns a copy of the parts that a process writes of an array.

    Args:
        array: an array on several hosts; or one that every process holds on its own, which is
            written by process 0.
        process: the number of this process.

    Example:
        >>> copy_share(np.zeros((2, 3), np.float32), process=0).part_shape
        (2, 3)
    """
    import jax

    shape = part_shape = tuple(array.shape)
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        part_shape = array.sharding.shard_shape(shape)
        shards = [shard for shard in array.addressable_shards if shard.replica_id == 0]
        parts = [(shard.index, np.array(shard.data)) for shard in shards]
    else:
        everything = tuple(slice(0, size) for size in shape)
        parts = [(everything, np.array(array))] if process == 0 else []
    return Share(shape, part_shape, np.dtype(array.dtype), parts)


def write_shares(directory: epath.Path, tree: PyTree, process: int) -> None:
    """Writes the parts that one process has of the arrays of a tree.

    Args:
        directory: the directory of the arrays, which exists.
        tree: nested dicts with a `Share` of each array.
        process: the number of the process; process 0 writes the list of the arrays.
    """
    import jax
    import tensorstore as ts

    leaves, _ = jax.tree_util.tree_flatten_with_path(
        tree, is_leaf=lambda node: isinstance(node, Share)
    )
    writes = []
    with plain_path(directory) as place:
        for number, (_, share) in enumerate(leaves):
            if share.parts:
                store = ts.open(
                    {**zarr_spec(place / str(number)), "metadata": {"compressor": None}},
                    create=True,
                    open=True,
                    dtype=ts.dtype(share.dtype),
                    shape=share.shape,
                    chunk_layout=ts.ChunkLayout(chunk_shape=share.part_shape),
                ).result()
                writes += [store[index].write(values) for index, values in share.parts]
        for write in writes:
            write.result()
    if process == 0:
        write_json(directory / TREE, {"paths": [[key.key for key in path] for path, _ in leaves]})


def zarr_spec(directory: epath.Path) -> dict[str, object]:
    """Returns the name of one array's directory for TensorStore."""
    return {"driver": "zarr", "kvstore": {"driver": "file", "path": f"{directory}/"}}
