"""The actions that write one step of a run, on one process or on several."""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import jax
import numpy as np

from zoo.training import checkpoints, hosts
from zoo.training.arrays import named_leaves
from zoo.training.behind import Action
from zoo.training.places import RunPlace
from zoo.training.shares import copy_share
from zoo.types import Json, Params, PyTree


def step_actions(
    place: RunPlace,
    workdir: Path,
    step: int,
    params: Params,
    state: PyTree,
    records: Mapping[str, Json],
) -> list[Action]:
    """Returns what this process has to do to write a step, whose arrays are copied at once.

    With several processes, all of them end an action before any of them begins the next one.

    Args:
        place: the place of the run, to whose bucket the step is copied.
        workdir: its directory, absolute.
        step: the number of train steps taken.
        params: the parameters that are used.
        state: every other array.
        records: the JSON of the step: config, vocabulary and progress, as `checkpoints.save` takes
            them.
    """

    def end() -> None:
        checkpoints.keep(workdir, best=records["progress"]["best_step"])
        place.push()

    if jax.process_count() > 1:
        copy = partial(copy_share, process=jax.process_index())
        shares = jax.tree.map(copy, (params, named_leaves(state)))
        return _shared_actions(place, workdir, step, shares, records, end)
    whole_params, whole_state = jax.tree.map(_copy, (params, state))

    def save() -> None:
        checkpoints.save(workdir, step=step, params=whole_params, state=whole_state, **records)
        end()

    return [save]


def _copy(array: jax.Array | np.ndarray) -> np.ndarray:
    """Returns an array that no train step overwrites, as it does with the arrays of its state."""
    return np.array(array) if isinstance(array, jax.Array) else array


def _shared_actions(
    place: RunPlace,
    workdir: Path,
    step: int,
    shares: tuple[PyTree, PyTree],
    records: Mapping[str, Json],
    end: Action,
) -> list[Action]:
    """Returns the actions of one of several processes, which write their shares of the arrays.

    In a bucket, each process has a directory of its own; the first one collects the shares there.
    """
    writes_step = hosts.is_first()
    incomplete = Path(checkpoints.incomplete_directory(workdir, step))

    def begin() -> None:
        if writes_step or place.is_copy:
            checkpoints.begin(workdir, step)

    def write() -> None:
        checkpoints.save_shares(workdir, step, *shares, process=jax.process_index())
        if not writes_step and place.is_copy:
            place.lend(incomplete)
            shutil.rmtree(incomplete)

    def complete() -> None:
        if writes_step:
            place.collect(incomplete)
            checkpoints.complete(workdir, step, **records)
            end()

    return [begin, write, complete]
