"""Released checkpoints: a run's step without optimizer and local paths, stored in less space."""

import contextlib
import os
from collections.abc import Callable

from etils import epath

from zoo.data.config import PLACES
from zoo.errors import UserError
from zoo.training import checkpoints, step_files
from zoo.training.arrays import write_arrays
from zoo.training.compact import LARGEST, compact, widen
from zoo.training.places import absolute_place
from zoo.types import Json, Params
from zoo.whole_file import incomplete_name, left_behind

# The fields of a config that name a place or depend on one, and their released values.
_WITHOUT: dict[str, Json] = {
    "data": PLACES,
    "model": {"language_models": ()},
    "training": {"init_from": ""},
}


def release(
    step: os.PathLike[str] | str,
    target: os.PathLike[str] | str,
    *,
    precision: str = "float32",
    add: Callable[[epath.Path], None] | None = None,
) -> epath.Path:
    """Writes a copy of one step with the files that are needed to use the model, and no others.

    Args:
        step: the directory of one step, which is verified first.
        target: the directory to create; it must not exist.
        precision: the format of stored float32 parameters, see `zoo.training.compact`; `zoo.load`
            converts them back to float32.
        add: a function that writes further files, such as a card, into the directory.

    Returns:
        The absolute path of the target.

    Raises:
        UserError: if there is no such step, it is damaged, the target exists or cannot be written,
            or a parameter does not fit into float16.
    """
    source, place = epath.Path(step), absolute_place(target)
    refuse_existing(place)
    restored = _read(source)
    params = compact(widen(restored.params), precision)

    def fill(directory: epath.Path) -> None:
        config, progress = without_paths(restored.config), restored.progress
        checkpoints.write_records(directory, restored.step, config, restored.vocabulary, progress)
        write_params(directory, params, compress=precision in LARGEST)
        if add is not None:
            step_files.write_sums(directory)
            add(directory)

    write_whole(place, fill)
    return place


def refuse_existing(place: epath.Path) -> None:
    """Raises a UserError if the directory to create exists already."""
    try:
        is_there = place.exists()
    except ImportError as error:  # the file system of gs:// paths is an optional package
        raise UserError(f"{place} cannot be written: {error}") from error
    if is_there:
        raise UserError(f"{place} exists already; name a new directory")


def write_whole(place: epath.Path, fill: Callable[[epath.Path], None]) -> None:
    """Creates a step's directory, which is either complete or does not exist.

    Args:
        place: the directory, which must not exist.
        fill: a function that writes everything except the checksums into a given directory.

    Raises:
        UserError: if the directory cannot be written.
    """
    incomplete = place.with_name(incomplete_name(place.name))
    try:
        incomplete.mkdir(parents=True)
        for name in left_behind([path.name for path in place.parent.iterdir()], place.name):
            place.with_name(name).rmtree(missing_ok=True)
        fill(incomplete)
        step_files.write_sums(incomplete)
        incomplete.rename(place)
    except Exception as error:  # Orbax and TensorStore raise errors of many kinds for a full disk
        with contextlib.suppress(OSError):
            incomplete.rmtree(missing_ok=True)
        made = place.exists()  # created by another process in the meantime
        reason = "it exists already" if made else step_files.reason_of(error)
        raise UserError(f"cannot write {place}: {reason}; choose another place") from error


def _read(step: epath.Path) -> checkpoints.Restored:
    if not checkpoints.is_step_directory(step):
        raise UserError(f"{step} is not a step of a run; give a run, or the directory of one step")
    try:
        checkpoints.verify(step)
        return checkpoints.restore(step)
    except (checkpoints.DamagedCheckpoint, OSError) as error:
        raise UserError(f"{error}; copy it again, or release another step of its run") from error


def write_params(directory: epath.Path, params: Params, *, compress: bool = False) -> None:
    """Writes the parameters into a step's directory, compressed if wanted."""
    write_arrays(directory / checkpoints.PARAMS, params, compress=compress)
    # Orbax stores the name of the directory that it wrote to, which should not be published.
    (directory / checkpoints.PARAMS / "commit_success.txt").unlink(missing_ok=True)


def without_paths(config: Json) -> Json:
    """Returns a run's config without the paths of the machine that it was trained on.

    Example:
        >>> without_paths({"data": {"corpus": "text_file", "directory": "/home/me"}})
        {'data': {'corpus': 'text_file', 'directory': ''}}
    """
    return {
        section: {
            name: _WITHOUT.get(section, {}).get(name, value) for name, value in fields.items()
        }
        for section, fields in config.items()
    }
