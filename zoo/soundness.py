"""Checks that the records and arrays of a checkpoint make a model.

Checksums that agree show that the files are unchanged, not that they make sense. So nothing is
trusted here. Every fault is one line, and the shapes of arrays are checked before arrays are read.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from etils import epath

from zoo.errors import WRONG_FORM, UserError
from zoo.training import checkpoints, step_files
from zoo.training.arrays import first_difference, named_leaves
from zoo.training.compact import widened_shapes
from zoo.training.stored import read_whole, stored_tree
from zoo.types import Json, Params, PyTree


class Stored(NamedTuple):
    """A stored model: its records, and its arrays before they are read.

    Attributes:
        directory: the directory of the step, or the file.
        step: the number of train steps taken.
        config: the resolved config of the run.
        vocabulary: the record in `vocabulary.json`.
        progress: the progress of the run.
        shapes: a tree of objects with the shape and dtype of each parameter.
        read: a function that reads and returns the parameters.
    """

    directory: epath.Path
    step: int
    config: Json
    vocabulary: Json
    progress: Json
    shapes: PyTree
    read: Callable[[], Params]


def open_step(directory: epath.Path, name: str) -> Stored:
    """Returns the stored model of a step; its arrays are not read yet.

    Args:
        directory: the directory of the step, whose checksums agree.
        name: the name of the checkpoint, for errors.

    Raises:
        UserError: a record has the wrong form.
        DamagedCheckpoint: arrays are missing, or far larger than the files.
    """
    files = (checkpoints.CONFIG, checkpoints.VOCABULARY, checkpoints.PROGRESS)
    config, vocabulary, progress = (read_record(directory / file, name) for file in files)
    step, params = progress.pop("step", None), directory / checkpoints.PARAMS
    if type(step) is not int or step < 0:
        raise damaged(name, f"its step is {step!r}")
    shapes = stored_tree(params)
    return Stored(directory, step, config, vocabulary, progress, shapes, lambda: read_whole(params))


def read_record(path: epath.Path, name: str) -> Json:
    """Returns the record in a JSON file of a checkpoint.

    Args:
        path: the file.
        name: the name of the checkpoint, for errors.

    Raises:
        UserError: the file is not a JSON object.
    """
    try:
        record = step_files.read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(name, f"{path.name} cannot be read: {error}") from error
    if not isinstance(record, dict):
        raise damaged(name, f"{path.name} has {str(record)[:40]!r} instead of an object")
    return record


def check_config(config: object, name: str) -> None:
    """Raises a UserError unless a config has sections, and `model` names an architecture."""
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise damaged(name, "its config has no section model")
    for section, fields in config.items():
        if not isinstance(fields, dict):
            raise damaged(name, f"section {section} of its config is {str(fields)[:40]!r}")
    if not isinstance(config["model"].get("architecture"), str):
        raise damaged(name, "its config names no model.architecture")


def check_depth(settings: Json, stored: PyTree, name: str) -> None:
    """Raises a UserError if a model has more layers than arrays, which could take days to build.

    Args:
        settings: the section `model` of the config.
        stored: the tree of stored arrays, or of their shapes.
        name: the name of the checkpoint, for errors.
    """
    sizes, number = settings.get("hidden_sizes"), settings.get("num_layers")
    depth = len(sizes) if isinstance(sizes, list | tuple) else 0
    depth = max(depth, number) if type(number) is int else depth
    if depth > (count := len(named_leaves(stored))):
        raise damaged(name, f"its config has {depth} layers, but it has {count} arrays")


def check_shapes(wanted: PyTree, stored: PyTree, name: str) -> None:
    """Raises a UserError unless arrays have the names, shapes and types of a model's parameters.

    Args:
        wanted: the shapes of the model's parameters; None if they depend on the corpus.
        stored: the tree of stored arrays, or of their shapes.
        name: the name of the checkpoint, for errors.
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
    """Raises a UserError if a parameter is NaN or infinite.

    Args:
        params: a tree of NumPy arrays in the form for computing.
        name: the name of the checkpoint, for errors.
        may_be_infinite: whether minus infinity, the logarithm of 0, is allowed.
    """
    is_infinite = np.isposinf if may_be_infinite else np.isinf
    for leaf_name, leaf in named_leaves(params).items():
        if leaf.dtype.kind == "f" and np.isnan(leaf).any():
            raise damaged(name, f"{leaf_name} has values that are not numbers (NaN)")
        if leaf.dtype.kind == "f" and is_infinite(leaf).any():
            raise damaged(name, f"{leaf_name} has infinite values")


def damaged(name: str, fault: str) -> UserError:
    """Returns the error for a damaged checkpoint."""
    return UserError(f"{name} is damaged: {fault}; copy it again, or take another checkpoint")
