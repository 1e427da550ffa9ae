"""Whether what a checkpoint holds is a model: its records, and its arrays against the model.

Sums that agree say that the files are those that somebody wrote, not that they make sense. Here
nothing is trusted: every fault is one line, and arrays are compared before they are read.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from etils import epath

from zoo.errors import WRONG_FORM, UserError
from zoo.training import checkpoints
from zoo.training.arrays import first_difference, named_leaves, read_arrays, stored_shapes
from zoo.training.compact import widened_shapes
from zoo.types import Json, Params, PyTree


class Stored(NamedTuple):
    """What is stored of a model: its records, and its arrays before they are read.

    Attributes:
        directory: where it lies, or the file.
        step: number of train steps taken.
        config: the run's resolved config.
        vocabulary: as `vocabulary.json` holds it.
        progress: what the run had reached.
        shapes: of the parameters, a tree of what has a shape and a dtype.
        read: gives the parameters.
    """

    directory: epath.Path
    step: int
    config: Json
    vocabulary: Json
    progress: Json
    shapes: PyTree
    read: Callable[[], Params]


def open_step(directory: epath.Path, name: str) -> Stored:
    """Returns what one step's directory holds; its arrays are not read yet.

    Args:
        directory: the directory, whose sums agree.
        name: of the checkpoint, for errors.

    Raises:
        UserError: a record has the wrong form.
        DamagedCheckpoint: there are no arrays, or far larger ones than the files can hold.
    """
    files = (checkpoints.CONFIG, checkpoints.VOCABULARY, checkpoints.PROGRESS)
    config, vocabulary, progress = (read_record(directory / file, name) for file in files)
    step, params = progress.pop("step", None), directory / checkpoints.PARAMS
    if type(step) is not int or step < 0:
        raise damaged(name, f"its step is {step!r}")
    shapes = stored_shapes(params)
    return Stored(
        directory, step, config, vocabulary, progress, shapes, lambda: read_arrays(params)
    )


def read_record(path: epath.Path, name: str) -> Json:
    """Returns one of a checkpoint's JSON files.

    Args:
        path: the file.
        name: of the checkpoint, for errors.

    Raises:
        UserError: it is no JSON object.
    """
    try:
        record = checkpoints.read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(name, f"{path.name} can't be read: {error}") from error
    if not isinstance(record, dict):
        raise damaged(name, f"{path.name} holds {str(record)[:40]!r} instead of an object")
    return record


def check_config(config: object, name: str) -> None:
    """Raises UserError unless a config has sections, of which `model` names an architecture."""
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise damaged(name, "its config has no section model")
    for section, fields in config.items():
        if not isinstance(fields, dict):
            raise damaged(name, f"section {section} of its config is {str(fields)[:40]!r}")
    if not isinstance(config["model"].get("architecture"), str):
        raise damaged(name, "its config names no model.architecture")


def check_depth(settings: Json, stored: PyTree, name: str) -> None:
    """Raises UserError for a model of more layers than it has arrays: making it could take days.

    Args:
        settings: the section model of the config.
        stored: a tree of arrays, or of their shapes, as they are stored.
        name: of the checkpoint, for errors.
    """
    sizes, number = settings.get("hidden_sizes"), settings.get("num_layers")
    depth = len(sizes) if isinstance(sizes, list | tuple) else 0
    depth = max(depth, number) if type(number) is int else depth
    if depth > (count := len(named_leaves(stored))):
        raise damaged(name, f"its config has {depth} layers, but it has {count} arrays")


def check_shapes(wanted: PyTree, stored: PyTree, name: str) -> None:
    """Raises UserError unless arrays have the names, shapes and kinds that a model's have.

    Args:
        wanted: the shapes of the model's parameters; None where they follow from the corpus.
        stored: a tree of arrays, or of their shapes, as they are stored.
        name: of the checkpoint, for errors.
    """
    try:
        found = widened_shapes(stored)
        told = "" if wanted is None else first_difference(found, wanted)
    except WRONG_FORM as error:
        raise damaged(name, f"its parameters do not fit its config ({error})") from error
    if told:
        raise damaged(name, f"its parameters do not fit its config: {told}")
    if wanted is None:
        return
    for leaf_name, leaf in named_leaves(stored).items():
        if np.dtype(leaf.dtype).name not in ("float32", "float16", "int8"):
            raise damaged(name, f"{leaf_name} is of type {leaf.dtype}, not float32")


def check_values(params: Params, name: str, *, may_be_infinite: bool = False) -> None:
    """Raises UserError for parameters that are no numbers.

    Args:
        params: a tree of NumPy arrays, as they are computed with.
        name: of the checkpoint, for errors.
        may_be_infinite: minus infinity, the logarithm of 0, is a value as any other.
    """
    is_infinite = np.isposinf if may_be_infinite else np.isinf
    for leaf_name, leaf in named_leaves(params).items():
        if leaf.dtype.kind == "f" and np.isnan(leaf).any():
            raise damaged(name, f"{leaf_name} holds values that are no numbers (NaN)")
        if leaf.dtype.kind == "f" and is_infinite(leaf).any():
            raise damaged(name, f"{leaf_name} holds infinite values")


def damaged(name: str, fault: str) -> UserError:
    """Returns the error that a checkpoint is damaged."""
    return UserError(f"{name} is damaged: {fault}; copy it again, or take another checkpoint")
