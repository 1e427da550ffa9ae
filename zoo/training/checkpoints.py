"""Checkpoints of a run: each step is a complete directory of its own, or is not there at all.

A run keeps its steps in `<workdir>/checkpoints/<step>/`:

    params/          the parameters (Orbax), readable without knowing their structure
    state/           every other array (Orbax): optimizer state, recurrent carry, random key, ...
    config.json      the resolved config
    vocabulary.json  the record from `Vocabulary.to_json()`
    progress.json    the step, the data position, running sums, scores: plain JSON
    checksums.json   SHA-256 of every other file, by its path relative to the directory
    card.json, .md   optional, in a released checkpoint; see zoo.cards

Arrays are stored as NumPy arrays, so a step that was written on any number and kind of devices can
be read on any other. A step is written as `.<step>.incomplete`, its checksums last, and then
renamed. A process that is killed leaves the whole step, or a leftover that the next save removes.
One process writes the steps of a run; any number of processes may read them.
"""

import contextlib
import dataclasses
import errno
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from etils import epath

from zoo.errors import UserError
from zoo.training import checksums
from zoo.training.arrays import list_differences, named_leaves, read_arrays, write_arrays
from zoo.training.checksums import DamagedCheckpoint
from zoo.training.places import absolute_place
from zoo.types import Json, Params, PyTree

PARAMS, STATE = "params", "state"
CONFIG, VOCABULARY, PROGRESS = "config.json", "vocabulary.json", "progress.json"

_STEP = re.compile(r"0|[1-9][0-9]*")
_MOST_TOLD = 4  # arrays that an error names
_LEFTOVER = re.compile(r"\.(\d+)\.(incomplete|replaced)")


@dataclasses.dataclass(frozen=True)
class Restored:
    """The content of one step of a run; `state` is None unless a template for it was given."""

    step: int
    params: Params
    state: PyTree
    config: Json
    vocabulary: Json
    progress: Json


def save(
    workdir: os.PathLike[str] | str,
    *,
    step: int,
    params: Params,
    state: PyTree,
    config: Json,
    vocabulary: Json,
    progress: Json,
) -> epath.Path:
    """Writes one step of a run, and returns its directory once it is complete.

    A step that is already there is replaced. Orbax cannot store arrays without elements.

    Args:
        workdir: the run's directory, which is created if it does not exist.
        step: the number of train steps taken.
        params: a nested dict of arrays.
        state: a pytree of arrays (a container, not one bare array).
        config: plain JSON.
        vocabulary: plain JSON.
        progress: plain JSON; the key "step" is added to it.

    Returns:
        `<workdir>/checkpoints/<step>`, absolute.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as workdir:
        ...     directory = save(
        ...         workdir, step=3, params={"bias": np.ones(2)}, state={"key": np.ones(2)},
        ...         config={}, vocabulary={}, progress={"epoch": 0},
        ...     )
        ...     restored = restore(directory)
        >>> restored.step, restored.params, restored.progress
        (3, {'bias': array([1., 1.])}, {'epoch': 0})
    """
    complete = step_directory(workdir, step)
    incomplete = _aside(complete, "incomplete")
    records = {CONFIG: config, VOCABULARY: vocabulary, PROGRESS: {**progress, "step": step}}
    try:
        complete.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(complete.parent)
        incomplete.mkdir()
        write_arrays(incomplete / PARAMS, params)
        write_arrays(incomplete / STATE, named_leaves(state))
        for name, record in records.items():
            write_json(incomplete / name, record)
        write_sums(incomplete)
        _sync(incomplete)
        if complete.exists():
            complete.rename(_aside(complete, "replaced"))
        incomplete.rename(complete)
        _sync(complete.parent)
        _clear_leftovers(complete.parent)
    except Exception as error:  # Orbax and TensorStore raise errors of many kinds for a full disk
        with contextlib.suppress(OSError):
            _clear_leftovers(complete.parent)
        raise _not_written(workdir, step, error) from error
    return complete


def _not_written(workdir: os.PathLike[str] | str, step: int, error: Exception) -> UserError:
    """Returns the error for a step that cannot be written, with the step to continue from."""
    reason = reason_of(error)
    kept = steps(workdir)[-1:]
    on = f"the run can continue from step {kept[0]}" if kept else "the run has no checkpoint yet"
    return UserError(
        f"step {step} cannot be written to {os.fspath(workdir)} ({reason}); {on}. Free some space "
        "or repair the directory, then type the same command"
    )


def reason_of(error: Exception) -> str:
    """Returns why a file cannot be written, in the system's own words if the message has them.

    Example:
        >>> reason_of(ValueError('OUT_OF_RANGE: Error writing "/a": No space left on device [1]'))
        'No space left on device'
    """
    message = getattr(error, "strerror", None) or str(error)
    known = (told for told in map(os.strerror, sorted(errno.errorcode)) if told in message)
    return next(known, message.partition("\n")[0][:200])


def steps(workdir: os.PathLike[str] | str) -> list[int]:
    """Returns the steps of a run that have a directory of their own, in increasing order.

    Each of these steps was complete when it was written; `verify` tells whether it still is.

    Example:
        >>> steps("a directory that is not there")
        []
    """
    directory = step_directory(workdir, 0).parent
    if not directory.is_dir():
        return []
    return sorted(int(entry.name) for entry in directory.iterdir() if _STEP.fullmatch(entry.name))


def step_directory(workdir: os.PathLike[str] | str, step: int) -> epath.Path:
    """Returns the directory in which a run keeps a step, whether it exists or not.

    Example:
        >>> step_directory("/runs/demo", 1200).as_posix()
        '/runs/demo/checkpoints/1200'
    """
    return absolute_place(workdir) / "checkpoints" / str(step)


def is_step_directory(path: os.PathLike[str] | str) -> bool:
    """Returns whether a directory is meant to be one step; the step may still be damaged.

    Example:
        >>> is_step_directory("a directory that is not there")
        False
    """
    directory = absolute_place(path)
    return any((directory / name).exists() for name in (checksums.FILE, PARAMS))


def verify(directory: os.PathLike[str] | str) -> None:
    """Checks that the files of a step are the files that were saved (see `checksums.verify`).

    Args:
        directory: the directory of the step.

    Raises:
        DamagedCheckpoint: if a file is missing, has changed, or leads out of the directory.
    """
    checksums.verify(absolute_place(directory), required=(CONFIG, VOCABULARY, PROGRESS))


def latest_sound(
    workdir: os.PathLike[str] | str, *, log: Callable[[str], None], set_aside: bool = False
) -> epath.Path | None:
    """Returns the directory of the newest step that verifies.

    Args:
        workdir: the run's directory.
        log: a function that receives one line for each newer step that is damaged.
        set_aside: rename damaged steps to `<step>.damaged`, and remove the leftovers of a killed
            process. Only the process that continues the run may do so.

    Returns:
        The absolute directory, or None if the run has no sound step.
    """
    directory = step_directory(workdir, 0).parent
    if set_aside and directory.is_dir():
        _clear_leftovers(directory)
    tried: set[int] = set()
    while untried := [step for step in steps(workdir) if step not in tried]:
        tried.add(step := untried[-1])
        candidate = directory / str(step)
        try:
            verify(candidate)
            return candidate
        except DamagedCheckpoint as error:
            if step not in steps(workdir):  # the run has deleted it, and may have saved another
                continue
            log(str(error))
            if set_aside:
                aside = candidate.with_name(f"{step}.damaged")
                aside.rmtree(missing_ok=True)
                candidate.rename(aside)
    return None


def restore(
    directory: os.PathLike[str] | str,
    *,
    params_template: PyTree = None,
    state_template: PyTree = None,
) -> Restored:
    """Reads one step. It does not check the files: call `verify` (or `latest_sound`) first.

    Args:
        directory: the directory of the step.
        params_template: a pytree of arrays or `jax.ShapeDtypeStruct`s like the parameters. Each
            leaf is placed as the `sharding` of its template says; NumPy leaves stay NumPy.
            Without a template, params are nested dicts of NumPy arrays.
        state_template: the same for the other arrays, which are not read without a template.

    Returns:
        The content of the step, bit for bit as it was saved.

    Raises:
        UserError: if a leaf is missing, has no template, or differs in shape or dtype.
    """
    root = absolute_place(directory)
    params, state = read_arrays(root / PARAMS), None
    if params_template is not None:
        params = _fill(params_template, named_leaves(params), f"{PARAMS} of {root}")
    if state_template is not None:
        state = _fill(state_template, read_arrays(root / STATE), f"{STATE} of {root}")
    progress = read_json(root / PROGRESS)
    return Restored(
        step=progress.pop("step"),
        params=params,
        state=state,
        config=read_json(root / CONFIG),
        vocabulary=read_json(root / VOCABULARY),
        progress=progress,
    )


def keep(workdir: os.PathLike[str] | str, *, best: int | None) -> None:
    """Deletes all steps of a run but two: the latest, and the best or else the one before.

    The second step is the fallback if the latest one is damaged.

    Args:
        workdir: the run's directory.
        best: the step with the best score so far; None if no step has a score.
    """
    *others, latest = steps(workdir)
    spare = best if best in others else max(others, default=latest)
    for step in others:
        if step != spare:
            # Renamed first: a process that is killed while it deletes leaves no half of a step.
            doomed = step_directory(workdir, step)
            doomed.rename(_aside(doomed, "incomplete")).rmtree()


def write_sums(directory: epath.Path) -> None:
    """Writes checksums.json over all files of a step's directory; it is written last."""
    write_json(directory / checksums.FILE, checksums.compute(directory))


def read_json(path: epath.Path) -> Any:
    """Returns the content of one of a step's JSON files, such as `directory / PROGRESS`."""
    return json.loads(path.read_bytes())


def write_json(path: epath.Path, record: Json) -> None:
    """Writes one of a step's JSON files, and waits until it is on the disk."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    # A lone surrogate has no UTF-8 form; its backslash form is also its JSON escape.
    path.write_bytes(text.encode("utf-8", errors="backslashreplace"))
    _sync(path)


def _fill(template: PyTree, stored: Mapping[str, np.ndarray], where: str) -> PyTree:
    """Returns the stored leaves in the template's structure, checked and placed as it says."""
    import jax

    wanted = named_leaves(template)
    if told := list_differences(stored, wanted):
        more = f", and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
        raise UserError(
            f"{where} do not fit this config: {', '.join(told[:_MOST_TOLD])}{more}; "
            "use the config and the version of recurrent-zoo that they were saved with"
        )
    placed = [
        stored[name]
        if isinstance(like, np.ndarray | np.generic)
        else jax.device_put(stored[name], getattr(like, "sharding", None))
        for name, like in wanted.items()
    ]
    return jax.tree.unflatten(jax.tree.structure(template), placed)


def _sync(path: epath.Path) -> None:
    """Waits until a file or a directory is on the disk; remote storage does so by itself."""
    if "://" in os.fspath(path):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _aside(complete: epath.Path, kind: str) -> epath.Path:
    return complete.with_name(f".{complete.name}.{kind}")


def _clear_leftovers(directory: epath.Path) -> None:
    """Removes the leftovers of a killed process, and restores a step that it was replacing."""
    for entry in directory.iterdir():
        if leftover := _LEFTOVER.fullmatch(entry.name):
            step, kind = leftover.groups()
            if kind == "replaced" and not (directory / step).exists():
                entry.rename(directory / step)
            else:
                entry.rmtree()
