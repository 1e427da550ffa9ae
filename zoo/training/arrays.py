"""Trees of arrays on disk: Orbax writes and reads them, and they are checked before a read."""

import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from etils import epath

from zoo.training.checksums import DamagedCheckpoint, list_files
from zoo.training.places import absolute_place
from zoo.types import PyTree

# Compression makes eight bits per weight up to two times smaller. Chunks of zeros take no room.
_MOST_TIMES_LARGER = 4
_ALWAYS_ALLOWED = 64 * 2**20  # bytes
_PLAIN_CHARACTERS = re.compile(r"(gs://)?[A-Za-z0-9_./ +,:=@%-]*")


def write_arrays(directory: epath.Path, tree: PyTree, *, compress: bool = False) -> None:
    """Writes a tree of arrays to a directory.

    Args:
        directory: the directory, which Orbax creates.
        tree: nested dicts of arrays.
        compress: whether to compress the arrays. Saving then takes twice the time, and float32
            weights hardly get smaller. Small integers do.

    Raises:
        DamagedCheckpoint: if the arrays that were written cannot be read back. Orbax ignores some
            errors of the disk, so that its success is no proof.
    """
    import jax

    arrays = jax.tree.map(np.asarray, jax.device_get(tree))
    with _checkpointer(compress) as checkpointer, plain_path(directory) as place:
        checkpointer.save(place, arrays)
    if told := first_difference(stored_shapes(directory), arrays):
        raise DamagedCheckpoint(f"{directory} is damaged: {told}")


def read_arrays(directory: epath.Path) -> PyTree:
    """Returns the arrays that `write_arrays` wrote, as nested dicts of NumPy arrays.

    Raises:
        DamagedCheckpoint: if the files hold no arrays, or announce far larger arrays than the files
            can hold.
    """
    stored_shapes(directory)
    with _checkpointer() as checkpointer, plain_path(directory) as place:
        return checkpointer.restore(place)


def read_some(directory: epath.Path, path: Sequence[str]) -> np.ndarray:
    """Returns one of the arrays that `write_arrays` wrote; the others are not read.

    Args:
        directory: the directory of the arrays.
        path: the keys that lead to the array in the nested dicts.
    """
    import jax
    import orbax.checkpoint as ocp

    item: PyTree = 0
    for key in reversed(path):
        item = {key: item}
    kinds = jax.tree.map(lambda leaf: ocp.RestoreArgs(restore_type=np.ndarray), item)
    wanted = ocp.args.PyTreeRestore(item=item, restore_args=kinds, partial_restore=True)
    with _checkpointer() as checkpointer, plain_path(directory) as place:
        return jax.tree.leaves(checkpointer.restore(place, args=wanted))[0]


def stored_shapes(directory: epath.Path) -> PyTree:
    """Returns the shapes and dtypes of stored arrays, a tree of `jax.ShapeDtypeStruct`.

    Raises:
        DamagedCheckpoint: as in `read_arrays`.
    """
    import jax

    try:
        with _checkpointer() as checkpointer, plain_path(directory) as place:
            metadata = checkpointer.metadata(place)
        tree = getattr(metadata, "item_metadata", metadata)
        tree = getattr(tree, "tree", tree)
        shapes = jax.tree.map(lambda one: jax.ShapeDtypeStruct(one.shape, one.dtype), tree)
    except Exception as error:  # Orbax and TensorStore raise errors of many kinds
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DamagedCheckpoint(f"{directory} is damaged: {reason}") from error
    if not isinstance(shapes, dict) or not jax.tree.leaves(shapes):
        raise DamagedCheckpoint(f"{directory} is damaged: it holds no arrays by name")
    check_room(directory, jax.tree.leaves(shapes))
    return shapes


def check_room(directory: epath.Path, arrays: Iterable["HasShape"]) -> None:
    """Raises DamagedCheckpoint if arrays are far larger than the files of their directory."""
    num_bytes = sum(_num_bytes(array) for array in arrays)
    on_disk = sum((directory / name).stat().length for name in list_files(directory))
    if num_bytes > _MOST_TIMES_LARGER * on_disk + _ALWAYS_ALLOWED:
        raise DamagedCheckpoint(
            f"{directory} is damaged: its arrays would take {num_bytes / 1e6:,.0f} MB of memory, "
            f"but its files have {on_disk / 1e6:,.1f} MB"
        )


def _num_bytes(leaf: "HasShape") -> int:
    count = 1
    for size in leaf.shape:  # Python integers, which do not overflow
        count *= int(size)
    return count * np.dtype(leaf.dtype).itemsize  # type: ignore[call-overload]


def named_leaves(tree: PyTree) -> dict[str, PyTree]:
    """Returns the leaves of a tree by their path, such as `['optimizer'][0].mu['bias']`."""
    import jax

    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def first_difference(found: PyTree, wanted: PyTree) -> str:
    """Describes the first array whose shape differs between two trees; "" if none differs.

    Example:
        >>> first_difference({"bias": np.ones(2)}, {"bias": np.ones(3)})
        "['bias'] is (2,) there and (3,) here"
    """
    shapes = [
        {name: tuple(leaf.shape) for name, leaf in named_leaves(tree).items()}
        for tree in (found, wanted)
    ]
    for name in sorted(shapes[0].keys() | shapes[1].keys()):
        has, wants = (shape.get(name, "absent") for shape in shapes)
        if has != wants:
            return f"{name} is {has} there and {wants} here"
    return ""


class HasShape(Protocol):
    """An array, or an object with the shape and dtype of an array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""

    @property
    def dtype(self) -> object:
        """The type of its numbers."""


def list_differences(found: Mapping[str, HasShape], wanted: Mapping[str, HasShape]) -> list[str]:
    """Describes every array whose shape or dtype differs from the wanted shape or dtype.

    Args:
        found: the arrays by name.
        wanted: the expected arrays, or their shapes, by name.

    Example:
        >>> list_differences({"bias": np.ones(2)}, {"bias": np.ones(3)})
        ['bias is float64[2] and should be float64[3]']
    """
    names = [*wanted, *(name for name in found if name not in wanted)]
    pairs = [(name, _describe(found.get(name)), _describe(wanted.get(name))) for name in names]
    return [f"{name} is {has} and should be {wants}" for name, has, wants in pairs if has != wants]


def _describe(leaf: HasShape | None) -> str:
    if leaf is None:
        return "absent"
    return f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]"


@contextmanager
def plain_path(directory: epath.Path) -> Iterator[epath.Path]:
    """Yields an absolute path of the same directory that has only plain characters.

    Orbax finds no arrays under a relative path and takes the characters []*? for a pattern.
    TensorStore expects paths in UTF-8.
    """
    directory = absolute_place(directory)
    path = os.fspath(directory)
    if _PLAIN_CHARACTERS.fullmatch(path):
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="recurrent-zoo-") as room:
        link = os.path.join(room, "directory")
        os.symlink(os.path.dirname(path), link)
        yield epath.Path(link) / os.path.basename(path)  # params or state


@contextmanager
def _checkpointer(compress: bool = False) -> Iterator[Any]:
    """Yields an Orbax checkpointer for this process alone.

    By default, Orbax would wait for every other process. Inside the context, Orbax does not log:
    its errors are reported in one line, and its files are checked.
    """
    import jax
    import orbax.checkpoint as ocp
    from absl import logging

    me = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(primary_host=me, active_processes={me})
    handler = ocp.PyTreeCheckpointHandler(use_compression=compress, multiprocessing_options=alone)
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    _silence_late_answers()
    try:
        with ocp.Checkpointer(handler, multiprocessing_options=alone) as checkpointer:
            yield checkpointer
    finally:
        logging.set_verbosity(verbosity)


def _silence_late_answers() -> None:
    """Silences the tracebacks of answers that TensorStore sends to Orbax too late.

    Orbax closes its event loop at the first error, such as a full disk. For each thread of
    TensorStore that answers afterwards, Python would print that the event loop is closed.
    """
    before = sys.unraisablehook
    if getattr(before, "silences_late_answers", False):
        return

    def hook(told: "sys.UnraisableHookArgs") -> None:
        late = told.exc_type is RuntimeError and str(told.exc_value) == "Event loop is closed"
        if not late:
            before(told)

    hook.silences_late_answers = True  # type: ignore[attr-defined]
    sys.unraisablehook = hook
