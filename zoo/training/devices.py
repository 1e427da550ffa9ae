"""Placement of arrays on devices: data and tensor parallelism over a mesh.

The mesh has the axes `data` and `model`:

    rows of a batch, and of the carry            split over data
    embedding [V, E]                             V split over model
    kernel [D, H], [D, G*H], [H, G*H], [H, V]    the last axis split over model
    bias [H], [G*H], [V]                         its one axis split over model
    everything else                              whole on every device

The moments of the optimizer are placed like their parameters. The compiler makes the devices
exchange what they need (Xu et al. 2021, GSPMD), so the loss and its gradient are the same as on one
device, up to the order of sums. An axis stays whole if its size is not a multiple of the number of
devices along the axis of the mesh. One device is the mesh 1 x 1.

Axes: V vocabulary, E embedding, D input, H units, G gates.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from zoo.checks import check_least
from zoo.errors import UserError
from zoo.types import Params, PyTree

if TYPE_CHECKING:
    from jax.sharding import AbstractMesh

DATA, MODEL = "data", "model"


@dataclass(frozen=True)
class MeshConfig:
    """The number of devices that a run uses.

    Attributes:
        data: the number of parts that the rows of a batch are split into (data parallelism).
            0 uses the largest number of devices that divides the batch.
        model: the number of parts that matrices and vocabularies are split into (tensor
            parallelism).
    """

    data: int = 0
    model: int = 1

    def __post_init__(self) -> None:
        if self.data < 0:
            raise UserError(f"mesh.data is {self.data}; use at least 1, or 0 for all devices")
        check_least(1, "mesh", self, "model")


def make_mesh(config: MeshConfig, num_rows: int) -> Mesh:
    """Returns the mesh data x model over the devices of all hosts.

    Args:
        config: the sizes of its axes.
        num_rows: the number of rows that are processed at once. The axis `data` must divide it.

    Raises:
        UserError: if there are too few devices, or the rows do not divide evenly among them.

    Example:
        >>> dict(make_mesh(MeshConfig(data=1), num_rows=20).shape)
        {'data': 1, 'model': 1}
    """
    devices = jax.devices()
    most = len(devices) // config.model
    data = config.data or max((n for n in range(1, most + 1) if num_rows % n == 0), default=1)
    if data * config.model > len(devices):
        raise UserError(
            f"mesh.data={config.data} and mesh.model={config.model} need {data * config.model} "
            f"devices, but there are {len(devices)}; set smaller mesh.data or mesh.model"
        )
    if num_rows % data:
        raise UserError(
            f"mesh.data={data} does not divide the {num_rows} rows (of a batch or microbatch) or "
            "members that are processed at once; change mesh.data, data.batch_size, "
            "training.num_microbatches or training.num_seeds"
        )
    if jax.process_count() > 1 and data * config.model < len(devices):
        raise UserError(
            f"the mesh {data} x {config.model} leaves out some of the {len(devices)} devices of "
            f"{jax.process_count()} processes; {len(devices) // config.model} must divide the "
            f"{num_rows} rows (of a batch or microbatch) or members that are processed at once"
        )
    chosen = np.asarray(devices[: data * config.model]).reshape(data, config.model)
    return Mesh(chosen, (DATA, MODEL))


def shardings(state: PyTree, mesh: "Mesh | AbstractMesh", num_members: int = 1) -> PyTree:
    """Returns the sharding of each array of a training state.

    Args:
        state: a tree of arrays, or of their shapes. A parameter is found by its name, such as
            `recurrent_kernel`, and the carry by the name `carry`.
        mesh: the devices, with the axes `data` and `model`.
        num_members: the number of models that are trained at once, see `zoo.training.members`. If
            it is above 1, every array has a first axis of this size, and only that axis is split,
            over `data`.

    Returns:
        The same tree of `NamedSharding`s.

    Example:
        >>> mesh = make_mesh(MeshConfig(), num_rows=1)
        >>> tree = {"params": {"kernel": jax.ShapeDtypeStruct((4, 8), "float32")}}
        >>> tuple(shardings(tree, mesh)["params"]["kernel"].spec)
        (None, 'model')
    """

    def place(path: jax.tree_util.KeyPath, leaf: PyTree) -> NamedSharding:
        names = [str(getattr(key, "name", getattr(key, "key", ""))) for key in path]
        axes = ([DATA] + [None] * leaf.ndim)[: leaf.ndim]
        if num_members == 1:
            axes = _axes(names, leaf.ndim)
        spec = [
            axis if axis and size % mesh.shape[axis] == 0 else None
            for axis, size in zip(axes, leaf.shape, strict=True)
        ]
        return NamedSharding(mesh, PartitionSpec(*spec))

    return jax.tree_util.tree_map_with_path(place, state)


def _axes(names: list[str], ndim: int) -> list[str | None]:
    """Returns the mesh axis that splits each axis of an array, from the names on its path."""
    axes: list[str | None] = [None] * ndim
    if "carry" in names and ndim:
        axes[0] = DATA
    elif "embedding" in names[-1] and ndim == 2:
        axes[0] = MODEL
    elif names[-1].endswith("kernel") and ndim == 2:
        axes[1] = MODEL
    elif names[-1].endswith("bias") and ndim == 1:
        axes[0] = MODEL
    return axes


def local_rows(mesh: Mesh, num_rows: int) -> slice:
    """Returns the rows of a batch that the devices of this process work on.

    Example:
        >>> local_rows(make_mesh(MeshConfig(), num_rows=6), 6)
        slice(0, 6, None)
    """
    sharding = NamedSharding(mesh, PartitionSpec(DATA))
    parts = sharding.addressable_devices_indices_map((num_rows,)).values()
    bounds = [part[0].indices(num_rows) for part in parts if part]
    return slice(min(start for start, _, _ in bounds), max(stop for _, stop, _ in bounds))


def place_batches(batches: list[PyTree], mesh: Mesh | None, num_rows: int = 0) -> PyTree:
    """Stacks batches of one shape on the devices, each row on the device that works on it.

    Args:
        batches: K trees of arrays [B, ...], the same on every process.
        mesh: the devices; None leaves the stack in the memory of the host.
        num_rows: B, if the arrays have only the `local_rows` of this process; 0 if they have all.

    Returns:
        The tree of arrays [K, B, ...].
    """
    if mesh is None:
        return jax.tree.map(lambda *arrays: np.stack(arrays), *batches)
    sharding = NamedSharding(mesh, PartitionSpec(None, DATA))

    def place(*arrays: np.ndarray) -> jax.Array:
        rows = slice(None) if num_rows else local_rows(mesh, len(arrays[0]))
        own = np.stack([array[rows] for array in arrays])
        shape = (len(arrays), num_rows or len(arrays[0]), *arrays[0].shape[1:])
        return jax.make_array_from_process_local_data(sharding, own, shape)

    return jax.tree.map(place, *batches)


def describe_mesh(mesh: Mesh, params: Params) -> str:
    """Describes for the log how many parameters a device holds; "" if one device holds all.

    Example:
        >>> describe_mesh(make_mesh(MeshConfig(), num_rows=1), {})
        ''
    """
    if mesh.size == 1:
        return ""
    total = sum(array.nbytes for array in jax.tree.leaves(params))
    own = sum(array.addressable_data(0).nbytes for array in jax.tree.leaves(params))
    return (
        f"{mesh.size} devices, data {mesh.shape[DATA]} x model {mesh.shape[MODEL]}; "
        f"{own / 1e6:,.1f} of {total / 1e6:,.1f} MB of parameters on each"
    )
