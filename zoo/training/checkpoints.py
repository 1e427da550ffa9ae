"""Steps of a run on disk: each a directory that is enough by itself, and whole or not there.

A run keeps its steps in `<workdir>/checkpoints/<step>/`:

    params/          the parameters (Orbax), readable without knowing their structure
    state/           every other array (Orbax): optimizer state, recurrent carry, random key, ...
    config.json      the resolved config
    vocabulary.json  what `Vocabulary.to_json()` gave
    progress.json    the step, the data position, running sums, scores: plain JSON
    checksums.json   SHA-256 of every other file, by its path relative to the directory
    card.json, .md   optional, of a released checkpoint; see zoo.cards

Arrays are stored as NumPy arrays, so a step written on any number of devices of any kind is read
on any other. A step is written as `.<step>.incomplete`, its checksums last, and then renamed: a
process that is killed leaves the whole step, or a leftover that the next save clears away.
One process writes a run's steps; any number may read them.
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
    """What one step of a run holds; `state` is None unless a template of it was given."""

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
    """Write one step of a run, and return its directory once it is complete.

    A step that is already there is replaced. Orbax cannot store arrays without elements.

    Args:
        workdir: the run's directory; made where it is absent.
        step: number of train steps taken.
        params: nested dict of arrays.
        state: pytree of arrays (a container, not one bare array).
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
    """The error that a step can't be written, and from which one the run can go on."""
    reason = reason_of(error)
    kept = steps(workdir)[-1:]
    on = f"the run can go on from step {kept[0]}" if kept else "the run has no checkpoint yet"
    return UserError(
        f"step {step} can't be written to {os.fspath(workdir)} ({reason}); {on}: make room or mend "
        "the place, and type the same command"
    )


def reason_of(error: Exception) -> str:
    """Why something can't be written, in the words of the system where a library repeats them.

    Example:
        >>> reason_of(ValueError('OUT_OF_RANGE: Error writing "/a": No space left on device [1]'))
        'No space left on device'
    """
    message = getattr(error, "strerror", None) or str(error)
    known = (told for told in map(os.strerror, sorted(errno.errorcode)) if told in message)
    return next(known, message.partition("\n")[0][:200])


def steps(workdir: os.PathLike[str] | str) -> list[int]:
    """The steps of a run that have a directory of their own, in increasing order.

    Such a step was complete when it was written; `verify` tells whether it still is.

    Example:
        >>> steps("a directory that is not there")
        []
    """
    directory = step_directory(workdir, 0).parent
    if not directory.is_dir():
        return []
    return sorted(int(entry.name) for entry in directory.iterdir() if _STEP.fullmatch(entry.name))


def step_directory(workdir: os.PathLike[str] | str, step: int) -> epath.Path:
    """Where a run keeps one of its steps, whether it is there or not.

    Example:
        >>> step_directory("/runs/demo", 1200).as_posix()
        '/runs/demo/checkpoints/1200'
    """
    return absolute_place(workdir) / "checkpoints" / str(step)


def is_step_directory(path: os.PathLike[str] | str) -> bool:
    """Whether a directory is meant to be one step; it may be damaged all the same.

    Example:
        >>> is_step_directory("a directory that is not there")
        False
    """
    directory = absolute_place(path)
    return any((directory / name).exists() for name in (checksums.FILE, PARAMS))


def verify(directory: os.PathLike[str] | str) -> None:
    """Check that one step's files are those that were saved (see `checksums.verify`).

    Args:
        directory: one step's directory.

    Raises:
        DamagedCheckpoint: a file is missing, changed, or leads out of the directory.
    """
    checksums.verify(absolute_place(directory), required=(CONFIG, VOCABULARY, PROGRESS))


def latest_sound(
    workdir: os.PathLike[str] | str, *, log: Callable[[str], None], set_aside: bool = False
) -> epath.Path | None:
    """The directory of a run's newest step that verifies.

    Args:
        workdir: the run's directory.
        log: called with one line for each damaged step that is newer.
        set_aside: for the process that goes on with the run: damaged steps are renamed to
          `<step>.damaged`, and what a killed process left is cleared away.

    Returns:
        The directory, absolute; None if the run has no sound step.
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
            if step not in steps(workdir):  # its run has deleted it, and may have saved another
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
    """Read one step. It does not check the files: call `verify` (or `latest_sound`) first.

    Args:
        directory: one step's directory.
        params_template: pytree of arrays or `jax.ShapeDtypeStruct`s like the parameters. Each
          leaf is placed as its template's `sharding` says; NumPy leaves stay NumPy.
          Without it, params are nested dicts of NumPy arrays.
        state_template: the same for the other arrays; without it they are not read.

    Returns:
        The step's record, bit for bit what was saved.

    Raises:
        UserError: a leaf is missing, is too much, or has another shape or dtype than its template.
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
    """Delete all steps of a run but two: its latest, and its best or else the one before.

    So there is one to fall back on if the latest is damaged.

    Args:
        workdir: the run's directory.
        best: the step with the best score so far; None if no step has a score.
    """
    *others, latest = steps(workdir)
    spare = best if best in others else max(others, default=latest)
    for step in others:
        if step != spare:
            # Renamed first: a process killed while it deletes leaves no half of a step.
            doomed = step_directory(workdir, step)
            doomed.rename(_aside(doomed, "incomplete")).rmtree()


def write_sums(directory: epath.Path) -> None:
    """Write checksums.json over all files that a step's directory has; it comes last."""
    write_json(directory / checksums.FILE, checksums.compute(directory))


def read_json(path: epath.Path) -> Any:
    """One of a step's text files, such as `directory / PROGRESS`."""
    return json.loads(path.read_bytes())


def write_json(path: epath.Path, record: Json) -> None:
    """Write one of a step's text files, and wait until it is on the disk."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    # A lone surrogate has no UTF-8 form; its backslash form is also its JSON escape.
    path.write_bytes(text.encode("utf-8", errors="backslashreplace"))
    _sync(path)


def _fill(template: PyTree, stored: Mapping[str, np.ndarray], where: str) -> PyTree:
    """Stored leaves in the template's structure, checked against it and placed as it says."""
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
    """Wait until a file or a directory is on the disk; remote storage does so by itself."""
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
    """Remove what a killed process left; a step that it had moved away to replace comes back."""
    for entry in directory.iterdir():
        if leftover := _LEFTOVER.fullmatch(entry.name):
            step, kind = leftover.groups()
            if kind == "replaced" and not (directory / step).exists():
                entry.rename(directory / step)
            else:
                entry.rmtree()
