"""From a run's step to a checkpoint for others: no optimizer, no paths of this machine, smaller."""

import os

import numpy as np
from etils import epath

from zoo.errors import UserError
from zoo.training import checkpoints, checksums

_PATHS = ("directory", "cache_directory", "word_vectors")  # fields of a config's data section


def release(
    step: os.PathLike[str] | str, target: os.PathLike[str] | str, *, half: bool = False
) -> epath.Path:
    """Write a copy of one step that has what using the model needs, and no more.

    Args:
        step: one step's directory; verified first.
        target: the directory to make; it must not be there.
        half: store float32 parameters as float16, half the size; `zoo.load` widens them again.

    Returns:
        The target, absolute.

    Raises:
        UserError: the target is there, or a parameter does not fit into float16.
    """
    source, place = epath.Path(step), epath.Path(target).expanduser().absolute()
    if place.exists():
        raise UserError(f"{place} is there already; name a new directory")
    checkpoints.verify(source)
    restored = checkpoints.restore(source)
    config = dict(restored.config)
    if "data" in config:
        config["data"] = {
            name: "" if name in _PATHS else value for name, value in config["data"].items()
        }
    params = _halve(restored.params) if half else restored.params
    incomplete = place.with_name(f".{place.name}.incomplete")
    incomplete.rmtree(missing_ok=True)
    incomplete.mkdir(parents=True)
    checkpoints.write_arrays(incomplete / checkpoints.PARAMS, params)
    # Orbax leaves the name of the directory that it wrote to, which is nobody else's business.
    (incomplete / checkpoints.PARAMS / "commit_success.txt").unlink(missing_ok=True)
    checkpoints.write_json(incomplete / checkpoints.CONFIG, config)
    checkpoints.write_json(incomplete / checkpoints.VOCABULARY, restored.vocabulary)
    progress = {**restored.progress, "step": restored.step}
    checkpoints.write_json(incomplete / checkpoints.PROGRESS, progress)
    checkpoints.write_json(incomplete / checksums.FILE, checksums.compute(incomplete))
    incomplete.rename(place)
    return place


def _halve(params: dict) -> dict:
    halved = {}
    for name, leaf in params.items():
        if isinstance(leaf, dict):
            halved[name] = _halve(leaf)
        elif leaf.dtype != np.float32:
            halved[name] = leaf
        elif np.abs(leaf).max() > np.finfo(np.float16).max:
            raise UserError(f"parameter {name} has values beyond float16; release it without half")
        else:
            halved[name] = leaf.astype(np.float16)
    return halved
