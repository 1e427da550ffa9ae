"""A complete checkpoint in one safetensors file, whose weights other programs can read.

Parameters are named by their path with dots, as in `stack.layer_0.input_kernel`. Config, vocabulary
and scores are JSON in the metadata of the file, under `zoo`. `zoo.load` needs no other file.
"""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo.errors import WRONG_FORM, UserError
from zoo.types import Json, Params
from zoo.whole_file import whole_file

_METADATA = "zoo"


class StoredModel(NamedTuple):
    """The content of a file; see `zoo.training.checkpoints` for the fields."""

    step: int
    params: Params
    config: Json
    vocabulary: Json
    progress: Json


def write_safetensors(path: os.PathLike[str] | str, stored: StoredModel) -> None:
    """Writes a checkpoint; an existing file is replaced when the new file is complete.

    Args:
        path: the file, whose name ends with .safetensors.
        stored: the content: `params` is a nested dictionary of arrays, the rest is plain JSON.

    Raises:
        UserError: the file cannot be written, or the package safetensors is missing.
    """
    library = _library()
    record = json.dumps(stored._replace(params={})._asdict(), ensure_ascii=False)
    try:
        with whole_file(path) as incomplete:
            content = library.numpy.save(_flatten(stored.params), {_METADATA: record})
            # The package's own writer would let only the owner read the file.
            incomplete.write_bytes(content)
    except library.SafetensorError as error:
        raise UserError(f"cannot write {path}: {error}; choose another place") from error


def read_safetensors(path: os.PathLike[str] | str) -> StoredModel:
    """Reads a file that `write_safetensors` wrote; nothing in a file is ever run.

    Raises:
        UserError: there is no such file, it is damaged, or it has only weights.
    """
    library = _library()
    try:
        with library.safe_open(Path(path).expanduser(), framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, library.SafetensorError) as error:
        raise UserError(f"cannot read {path}: {error}; write it again with zoo export") from error
    if _METADATA not in metadata:
        raise UserError(
            f"{path} has arrays but no model of this zoo: its metadata lack {_METADATA!r}; give a "
            "file that zoo export wrote"
        )
    try:
        return StoredModel(**json.loads(metadata[_METADATA]))._replace(params=_nest(arrays))
    except WRONG_FORM as error:
        raise UserError(
            f"{path} is damaged: {str(error)[:200]}; write it again with zoo export"
        ) from error


def _library() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise UserError(
            "safetensors files need safetensors; type: pip install 'recurrent-zoo[exchange]'"
        ) from error
    return safetensors


def _flatten(params: Params, prefix: str = "") -> dict[str, np.ndarray]:
    flat: dict[str, np.ndarray] = {}
    for name, value in params.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = np.asarray(value, order="C")
    return flat


def _nest(arrays: dict[str, np.ndarray]) -> Params:
    params: Params = {}
    for name, array in arrays.items():
        *path, leaf = name.split(".")
        place = params
        for part in path:
            place = place.setdefault(part, {})
        place[leaf] = array
    return params
