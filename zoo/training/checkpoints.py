"""Checkpoints of a run: each step is a complete directory of its own, or is not there at all.

A run keeps its steps in `<workdir>/checkpoints/<step>/`:

    params/          the parameters (Orbax), readable without knowing their structure
    state/           every other array (Orbax): optimizer state, recurrent carry, random key, ...
    config.json      the resolved config
    vocabulary.json  the record from `Vocabulary.to_json()`
    progress.json    the step, which is the data position, running sums, scores: plain JSON
    checksums.json   SHA-256 of every other file, by its path relative to the directory
    card.json, .md   optional, in a released checkpoint; see zoo.cards

Arrays are stored as NumPy arrays, whole or, by several processes, in parts. So a step that was
written on any number and kind of devices can be read on any other. A step is written as
`.<step>.incomplete`, its checksums last, and then renamed. A process that is killed leaves the
whole step, or a leftover that the next save removes. The processes of one run write its steps; any
number of other processes may read them.
"""

import contextlib
import dataclasses
import os
import re
from collections.abc import Callable, Iterator

from etils import epath

from zoo.errors import UserError
from zoo.training import checksums
from zoo.training.arrays import named_leaves, write_arrays
from zoo.training.checksums import DamagedCheckpoint
from zoo.training.places import absolute_place
from zoo.training.shares import write_shares
from zoo.training.step_files import (
    aside,
    clear_leftovers,
    read_json,
    reason_of,
    sync,
    write_json,
    write_sums,
)
from zoo.training.stored import read_like, read_whole
from zoo.types import Json, Params, PyTree

PARAMS, STATE = "params", "state"
CONFIG, VOCABULARY, PROGRESS = "config.json", "vocabulary.json", "progress.json"

_STEP = re.compile(r"0|[1-9][0-9]*")


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
        >>> import numpy as np
        >>> with tempfile.TemporaryDirectory() as workdir:
        ...     directory = save(
        ...         workdir, step=3, params={"bias": np.ones(2)}, state={"key": np.ones(2)},
        ...         config={}, vocabulary={}, progress={"epoch": 0},
        ...     )
        ...     restored = restore(directory)
        >>> restored.step, restored.params, restored.progress
        (3, {'bias': array([1., 1.])}, {'epoch': 0})
    """
    with _told(workdir, step):
        incomplete = begin(workdir, step)
        write_arrays(incomplete / PARAMS, params)
        write_arrays(incomplete / STATE, named_leaves(state))
        return complete(workdir, step, config=config, vocabulary=vocabulary, progress=progress)


def begin(workdir: os.PathLike[str] | str, step: int) -> epath.Path:
    """Returns the empty directory in which a step is written, without leftovers of a killed one."""
    incomplete = incomplete_directory(workdir, step)
    with _told(workdir, step):
        incomplete.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(incomplete.parent)
        incomplete.mkdir()
    return incomplete


def incomplete_directory(workdir: os.PathLike[str] | str, step: int) -> epath.Path:
    """Returns the directory in which a step is written, whether it exists or not."""
    return aside(step_directory(workdir, step), "incomplete")


def save_shares(
    workdir: os.PathLike[str] | str, step: int, params: PyTree, state: PyTree, process: int
) -> None:
    """Writes one process's share of a step's arrays, see `zoo.training.shares`.

    One process has called `begin` before, and calls `complete` once all of them have written.

    Args:
        workdir: the run's directory, which all processes see.
        step: the number of train steps taken.
        params: nested dicts with a `Share` of each array.
        state: the same for all other arrays.
        process: the number of the process.
    """
    incomplete = incomplete_directory(workdir, step)
    with _told(workdir, step):
        for name, tree in ((PARAMS, params), (STATE, state)):
            (incomplete / name).mkdir(exist_ok=True)
            write_shares(incomplete / name, tree, process)


def complete(
    workdir: os.PathLike[str] | str, step: int, *, config: Json, vocabulary: Json, progress: Json
) -> epath.Path:
    """Completes a step whose arrays are written, and returns its directory; else as `save`."""
    whole, incomplete = step_directory(workdir, step), incomplete_directory(workdir, step)
    with _told(workdir, step):
        write_records(incomplete, step, config, vocabulary, progress)
        write_sums(incomplete)
        sync(incomplete)
        if whole.exists():
            whole.rename(aside(whole, "replaced"))
        incomplete.rename(whole)
        sync(whole.parent)
        clear_leftovers(whole.parent)
    return whole


def write_records(
    directory: epath.Path, step: int, config: Json, vocabulary: Json, progress: Json
) -> None:
    """Writes the records of a step, each as plain JSON, into its directory."""
    write_json(directory / CONFIG, config)
    write_json(directory / VOCABULARY, vocabulary)
    write_json(directory / PROGRESS, {**progress, "step": step})


@contextlib.contextmanager
def _told(workdir: os.PathLike[str] | str, step: int) -> Iterator[None]:
    """Turns an error into one line, and removes what was written of the step."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # Orbax and TensorStore raise errors of many kinds for a full disk
        with contextlib.suppress(OSError):
            clear_leftovers(step_directory(workdir, step).parent)
        raise _not_written(workdir, step, error) from error


def _not_written(workdir: os.PathLike[str] | str, step: int, error: Exception) -> UserError:
    """Returns the error for a step that cannot be written, with the step to continue from."""
    reason = reason_of(error)
    kept = steps(workdir)[-1:]
    on = f"the run can continue from step {kept[0]}" if kept else "the run has no checkpoint yet"
    return UserError(
        f"step {step} cannot be written to {os.fspath(workdir)} ({reason}); {on}. Free some space "
        "or repair the directory, then type the same command"
    )


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
        clear_leftovers(directory)
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
                damaged = candidate.with_name(f"{step}.damaged")
                damaged.rmtree(missing_ok=True)
                candidate.rename(damaged)
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
    import jax

    root, state = absolute_place(directory), None
    if params_template is None:
        params = read_whole(root / PARAMS)
    else:
        params = read_like(params_template, root / PARAMS)
    if state_template is not None:
        wanted = named_leaves(state_template)
        named = read_like(wanted, root / STATE)
        leaves = [
            named[name] for name in wanted
        ]  # JAX sorts the keys of dicts: "[10]" before "[2]"
        state = jax.tree.unflatten(jax.tree.structure(state_template), leaves)
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
            doomed.rename(aside(doomed, "incomplete")).rmtree()
