"""A whole checkpoint in one safetensors file, which any reader of that form can take weights from.

Parameters are named by their path with dots between, as in `stack.layer_0.input_kernel`. Config,
vocabulary and scores are JSON in the file's metadata, under `zoo`: `zoo.load` needs no more.
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
    """What a file holds: see `zoo.training.checkpoints`."""

    step: int
    params: Params
    config: Json
    vocabulary: Json
    progress: Json


def write_safetensors(path: os.PathLike[str] | str, stored: StoredModel) -> None:
    """Writes a checkpoint; an existing file is replaced once the new one is whole.

    Args:
        path: ends with .safetensors.
        stored: `params` is a nested dict of arrays, the rest plain JSON.

    Raises:
        UserError: the place won't do, or the package safetensors is missing.
    """
    library = _library()
    record = json.dumps(stored._replace(params={})._asdict(), ensure_ascii=False)
    try:
        with whole_file(path) as incomplete:
            content = library.numpy.save(_flatten(stored.params), {_METADATA: record})
            incomplete.write_bytes(content)  # its own way gives the file to its owner alone
    except library.SafetensorError as error:
        raise UserError(f"cannot write {path}: {error}; choose another place") from error


def read_safetensors(path: os.PathLike[str] | str) -> StoredModel:
    """Reads what `write_safetensors` wrote; nothing in a file is ever run.

    Raises:
        UserError: there is no such file, it is damaged, or it holds weights alone.
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
            flat[prefix + name] = np.ascontiguousarray(value)
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
