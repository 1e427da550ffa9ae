"""The config that a run was started with, which is kept in config.json in its directory."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from etils import epath
from ml_collections import ConfigDict

from zoo.errors import UserError
from zoo.report.records import CONFIG, differing_fields, flatten, read_sealed, write_sealed
from zoo.training import checkpoints, checksums, step_files
from zoo.training.config import base_config
from zoo.types import Json

_FREE = ("data.cache_directory",)  # the place of prepared corpora changes nothing in a run


def plain_config(config: ConfigDict) -> Json:
    """Returns the config as JSON represents it: tuples are lists."""
    return json.loads(config.to_json())


def refuse_other_config(directory: Path, config: Json) -> None:
    """Raises a UserError if a run was started with another config.

    Args:
        directory: the run's directory.
        config: the config that is given now, as plain JSON.
    """
    before = _config_before(directory)
    if before is None:
        return  # restoring checks the arrays against the config in any case
    defaults = flatten(plain_config(base_config(config["model"]["architecture"])))
    known = flatten(before)
    differing = {
        name: values
        for name, values in differing_fields([before, config]).items()
        if name not in _FREE
        and (name in known or values[1] != defaults.get(name))  # a field may be newer than the run
    }
    if differing:
        told = (f"{name}: {old!r} -> {new!r}" for name, (old, new) in differing.items())
        raise UserError(
            f"workdir {directory} holds a run with another config ({'; '.join(told)}); choose "
            "another --workdir, or continue with --allow_config_change"
        )


def _config_before(directory: Path) -> Json | None:
    """Returns the run's config; from its newest step if config.json is lost or damaged."""
    with suppress(UserError):
        record = read_sealed(directory / CONFIG)
        if all(isinstance(section, dict) for section in record.values()):
            return record
    for step in reversed(checkpoints.steps(directory)):
        place = checkpoints.step_directory(directory, step)
        if checksums.agrees(place, checkpoints.CONFIG):
            with suppress(OSError, ValueError, RecursionError):
                return step_files.read_json(place / checkpoints.CONFIG)
    return None


def counts_alike(step: epath.Path, config: Json, fingerprints: Mapping[str, str]) -> bool:
    """Returns whether a counted model has the settings and the text that are given now.

    Args:
        step: the directory of the model's only step.
        config: the config that is given now, as plain JSON.
        fingerprints: the fingerprint of each split of the corpus.

    Raises:
        UserError: if the step has a model of another architecture.
    """
    before = step_files.read_json(step / checkpoints.CONFIG)["model"]
    if before["architecture"] != config["model"]["architecture"]:
        raise UserError(
            f"{step} is a {before['architecture']}, not a {config['model']['architecture']}; "
            "choose another --workdir"
        )
    known = step_files.read_json(step / checkpoints.PROGRESS).get("fingerprints", {})
    return before == config["model"] and known == dict(fingerprints)


def write_config(directory: Path, config: Json, log: Callable[[str], None]) -> None:
    """Writes a run's config.json, and logs a line if the old file is damaged."""
    path = directory / CONFIG
    if path.exists():
        try:
            read_sealed(path)
        except UserError:
            log(f"{path} was damaged and is written again")
    write_sealed(path, config)
