"""Loads trained models by name: released checkpoints, runs, single steps of runs, and files.

A released checkpoint is the directory of a step (see `zoo.training.checkpoints`) with the name of
the checkpoint. It lies in `checkpoints/` of the checkout or of the installed package, or in a
directory that the environment variable ZOO_CHECKPOINTS lists.
"""

import dataclasses
import difflib
import logging
import os
from collections.abc import Callable
from typing import TypeVar

from etils import epath

from zoo import soundness
from zoo.buckets import is_address, local_copy
from zoo.cards import MARKDOWN
from zoo.errors import WRONG_FORM, UserError
from zoo.exchange import ARPA_SUFFIXES, SAFETENSORS_SUFFIX
from zoo.given import given_name
from zoo.models.trained import Checkpoint, TrainedLanguageModel
from zoo.tasks.registry import find_task
from zoo.tasks.task import Task
from zoo.training import checkpoints
from zoo.training.compact import widen
from zoo.training.places import user_place
from zoo.types import Json, PyTree

_log = logging.getLogger(__name__)
_MOST_TRIES = 3

Made = TypeVar("Made")


@dataclasses.dataclass(frozen=True)
class ReleasedCheckpoint:
    """A checkpoint that can be loaded by its name; `summary` is the first line of its card."""

    name: str
    directory: epath.Path
    summary: str


def load(name_or_path: os.PathLike[str] | str) -> Checkpoint:
    """Loads a trained model; its files are verified first, and no code in them is run.

    Args:
        name_or_path: one of the following; a path may also be an address in a bucket, such as
            gs://BUCKET/RUN.

            * The name of a released checkpoint.
            * The workdir of a run: its best step is loaded, or its newest step if none has a score.
            * The directory of a step.
            * A .safetensors file from `zoo export`.
            * An .arpa or .lm file of any toolkit, an n-gram model, which may be packed as .gz or
              .bz2.

    Raises:
        UserError: there is no such checkpoint, it is damaged, or this version cannot build it.
        TypeError: the argument is neither a name nor a path.

    Example:
        >>> load("no such checkpoint")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        zoo.errors.UserError: there is no checkpoint 'no such checkpoint'; ...
    """
    name = given_name(name_or_path)
    if is_address(name):
        with local_copy(name, _is_of_checkpoint) as place:
            loaded = load(place)
        directory = os.fspath(loaded.directory).replace(str(place), name.rstrip("/"))
        return dataclasses.replace(loaded, name=name, directory=directory)
    if name.endswith(ARPA_SUFFIXES) and not os.path.isdir(os.path.expanduser(name)):
        return _load_arpa(name)
    try:
        return try_while_run_saves(name, lambda: _make(name, _open(name)))
    except checkpoints.DamagedCheckpoint as error:
        raise UserError(f"{error}; copy it again, or load another step of its run") from error


def try_while_run_saves(name_or_path: os.PathLike[str] | str, make: Callable[[], Made]) -> Made:
    """Calls a function that reads a checkpoint, again if its run saves a step meanwhile.

    A run that saves a step deletes an older step, perhaps while the function reads it. If the
    function fails and the steps of the run have changed since its start, it is called again.

    Args:
        name_or_path: the checkpoint, see `load`.
        make: a function that reads the checkpoint. It looks for the step again in each call.

    Raises:
        Exception: the error of the function, if the steps did not change or it failed three times.
    """
    for _ in range(_MOST_TRIES - 1):
        before = _steps(name_or_path)
        try:
            return make()
        except Exception:
            if _steps(name_or_path) == before:
                raise
    return make()


def _steps(name_or_path: os.PathLike[str] | str) -> list[int]:
    """Returns the steps of a run, or none if it is not a run or cannot be read."""
    try:
        return checkpoints.steps(user_place(name_or_path))
    except (ImportError, OSError, ValueError):
        return []


def _make(name: str, stored: soundness.Stored) -> Checkpoint:
    """Returns a checkpoint from stored records; arrays are read after their shapes were checked."""
    import jax
    import jax.numpy as jnp

    soundness.check_config(stored.config, name)
    soundness.check_depth(stored.config["model"], stored.shapes, name)
    _refuse_several(name, stored.config)
    task, opened, shapes = _open_records(name, stored)
    soundness.check_shapes(shapes, task.in_present_form(stored.shapes), name)
    params = task.in_present_form(widen(stored.read()))
    soundness.check_values(params, name, may_be_infinite=task.has_infinite_params)
    if told := task.fault_of(opened.model, params):
        raise soundness.damaged(name, told)
    return dataclasses.replace(
        opened,
        params=jax.tree.map(jnp.asarray, params),
        name=name,
        directory=stored.directory,
        step=stored.step,
    )


def describe(name_or_path: os.PathLike[str] | str) -> Json:
    """Returns the config and vocabulary of a checkpoint as plain JSON; arrays are not read.

    Args:
        name_or_path: the checkpoint, see `load`, but not a file.

    Returns:
        "config", see `Checkpoint`, and "vocabulary", see `Checkpoint.vocabulary_record`.

    Raises:
        UserError: there is no such checkpoint, or it is damaged.
    """
    if is_address(name_or_path):
        with local_copy(os.fspath(name_or_path), _is_of_checkpoint) as place:
            return describe(place)
    files = {"config": checkpoints.CONFIG, "vocabulary": checkpoints.VOCABULARY}

    def read() -> Json:
        step = _find(os.fspath(name_or_path))
        records = {name: step / file for name, file in files.items()}
        return {name: soundness.read_record(path, step.name) for name, path in records.items()}

    return try_while_run_saves(name_or_path, read)


def _is_of_checkpoint(name: str) -> bool:
    """Returns whether an object at the address of a run or a step is needed to load its model."""
    top = name.split("/")[0]
    return top in (checkpoints.PARAMS, checkpoints.STATE, "checkpoints") or top == name


def _open(name: str) -> soundness.Stored:
    """Returns the stored records and arrays of a checkpoint."""
    if not name.endswith(SAFETENSORS_SUFFIX):
        return soundness.open_step(_find(name), name)
    from zoo.exchange.safetensors_file import read_safetensors

    model = read_safetensors(name)
    records = (model.config, model.vocabulary, model.progress)
    return soundness.Stored(
        epath.Path(name), model.step, *records, model.params, lambda: model.params
    )


def _refuse_several(name: str, config: Json) -> None:
    """Raises a UserError if a checkpoint has several members that were trained together."""
    training = config.get("training", {})
    rates = training.get("learning_rate_factors", [1.0])
    if training.get("num_seeds", 1) != 1 or (isinstance(rates, list) and len(rates) > 1):
        raise UserError(
            f"{name} holds several models, trained together; "
            f"give one of the directories {name}/seed_*"
        )


def _load_arpa(name: str) -> Checkpoint:
    import jax
    import jax.numpy as jnp

    from zoo.exchange.arpa import read_arpa
    from zoo.models import registry

    loaded = read_arpa(name)
    config = {"model": {"architecture": "ngram_lm", "order": loaded.order}}
    return TrainedLanguageModel(
        name=name,
        directory=epath.Path(name),
        step=1,
        model=registry.build(config["model"], len(loaded.vocabulary)),
        params=jax.tree.map(jnp.asarray, loaded.params),
        vocabulary=loaded.vocabulary,
        config=config,
    )


def list_checkpoints() -> list[ReleasedCheckpoint]:
    """Returns the released checkpoints, sorted by name; only text files are read.

    Example:
        >>> names = [checkpoint.name for checkpoint in list_checkpoints()]
        >>> names == sorted(names)
        True
    """
    return [
        ReleasedCheckpoint(name, directory, _summary(directory))
        for name, directory in sorted(_released().items())
    ]


def _released() -> dict[str, epath.Path]:
    """Returns directories of released checkpoints by name; the user's hide the package's."""
    package = epath.Path(__file__).parent
    roots = [package / "checkpoints", package.parent / "checkpoints"]  # installed; a checkout
    listed = os.environ.get("ZOO_CHECKPOINTS", "").split(os.pathsep)
    roots += [user_place(root) for root in reversed(listed) if root]
    return {
        entry.name: entry
        for root in roots
        if root.is_dir()
        for entry in root.iterdir()
        if checkpoints.is_step_directory(entry)
    }


def _summary(directory: epath.Path) -> str:
    """Returns the first line of the card without heading marks, or "" without a card."""
    card, damaged = directory / MARKDOWN, "(its card is damaged)"
    if not checkpoints.checksums.agrees(directory, MARKDOWN):
        return damaged
    try:
        lines = card.read_text().splitlines() if card.exists() else []
    except (OSError, ValueError):
        return damaged
    return lines[0].lstrip("# ")[:200] if lines else ""


def _find(name: str) -> epath.Path:
    """Returns the verified directory of the step of a name or a path."""
    if not name:
        raise UserError("the name of the checkpoint is empty; give its name, or its path")
    released = _released()
    path = released.get(name) or user_place(name)
    try:
        if not path.is_dir():
            raise UserError(_no_file(name, path) or _unknown(name, released))
        if checkpoints.is_step_directory(path):
            checkpoints.verify(path)
            return path
        return _step_of_run(path)
    except checkpoints.DamagedCheckpoint as error:
        raise UserError(f"{error}; copy it again, or load another step of its run") from error


def _no_file(name: str, path: epath.Path) -> str:
    """Returns why a path is no checkpoint if it is a file or belongs to a run, otherwise ""."""
    if path.exists():
        alone = " A .stablehlo file runs with jax alone." if name.endswith(".stablehlo") else ""
        return (
            f"{name} is a file, but its name ends with neither {SAFETENSORS_SUFFIX}, .arpa nor "
            f".lm; give such a file, or a run's or a step's directory.{alone}"
        )
    if path.parent.name == "checkpoints" and (found := checkpoints.steps(path.parent.parent)):
        run = path.parent.parent
        return f"{run} has no step {path.name}; it has {', '.join(map(str, found))}; or give {run}"
    return ""


def _unknown(name: str, released: dict[str, epath.Path]) -> str:
    near = difflib.get_close_matches(name, released) or sorted(released)
    known = f"released: {', '.join(near)}" if near else "none is released here"
    return f"there is no checkpoint {name!r}; {known}; or give a run's or a step's directory"


def _step_of_run(workdir: epath.Path) -> epath.Path:
    """Returns the best step of a run if it is sound, otherwise the newest sound step."""
    damaged: list[str] = []
    newest = checkpoints.latest_sound(workdir, log=damaged.append)
    if newest is None and damaged:
        raise UserError(f"{workdir} has no sound checkpoint; {damaged[0]}")
    if newest is None and (workdir / checkpoints.CONFIG).exists():
        raise UserError(f"{workdir} has no complete checkpoint yet; wait until its run saves one")
    if newest is None and workdir.name == "checkpoints" and checkpoints.steps(workdir.parent):
        raise UserError(f"{workdir} has the steps of a run; give the run, {workdir.parent}")
    if newest is None:
        raise UserError(
            f"{workdir} is no checkpoint: it has neither {checkpoints.PARAMS}/, like the directory "
            "of a step, nor steps in checkpoints/, like the workdir of a run"
        )
    best_step = soundness.read_record(newest / checkpoints.PROGRESS, str(newest)).get("best_step")
    chosen = newest
    if type(best_step) is int and best_step != int(newest.name):
        best = checkpoints.step_directory(workdir, best_step)
        try:
            checkpoints.verify(best)
            chosen = best
        except checkpoints.DamagedCheckpoint as error:
            damaged.append(str(error))
    for fault in damaged:
        _log.warning("%s; %s is used", fault, chosen)
    return chosen


def _open_records(name: str, stored: soundness.Stored) -> tuple[Task, Checkpoint, PyTree]:
    """Returns a checkpoint without parameters, its task, and the shapes of its parameters.

    Raises:
        UserError: the checkpoint cannot be built from the records.
    """
    try:
        task = find_task(stored.config["model"]["architecture"])
        opened = task.open(stored.config, stored.vocabulary, stored.progress)
        return task, opened, task.parameter_shapes(opened.model)
    except WRONG_FORM as error:
        raise UserError(
            f"the model of {name} cannot be built: {str(error)[:400]}; if it is from a newer "
            "version, type: pip install --upgrade recurrent-zoo"
        ) from error
