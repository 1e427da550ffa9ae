"""Fine-tuning: a new run that starts from the parameters of a trained model.

If the vocabularies differ, the rows of embeddings and of the softmax are copied token by token. A
token that the trained model does not know starts at the mean of all rows. A classifier takes the
embeddings and the recurrent layers from a language model (Howard and Ruder 2018). Its backward
layers and its output network start at random.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from zoo.errors import UserError
from zoo.models.trained import LANGUAGE_MODEL, Checkpoint
from zoo.tasks.workload import Workload
from zoo.training import checkpoints
from zoo.training.arrays import first_difference
from zoo.training.state import TrainState
from zoo.types import Params, PyTree

_WORDS = ("word", "lowercase_word")
_ENCODER = ("embedding", "stack/")  # the modules that a language model shares with a classifier


class Start(NamedTuple):
    """The parameters that a run starts from.

    Attributes:
        params: a nested dict of the arrays that are copied; all other arrays start at random.
        notes: lines that say what was copied.
    """

    params: Params
    notes: tuple[str, ...] = ()


def has_sound_step(workdir: str) -> bool:
    """Returns whether a run can continue from a checkpoint of its own."""
    if not workdir:
        return False
    return checkpoints.latest_sound(workdir, log=lambda line: None) is not None


def start_of(config: ConfigDict, workload: Workload, workdir: str) -> Start | None:
    """Returns the start that `training.init_from` names; None if unset or the run has begun."""
    init_from = config.training.init_from
    return load_start(init_from, workload) if init_from and not has_sound_step(workdir) else None


def load_start(init_from: str, workload: Workload) -> Start:
    """Returns the parameters that training.init_from names, in the form of the workload's model.

    Args:
        init_from: an argument of `zoo.load`.
        workload: the workload to train; for several members, the workload of one member.

    Raises:
        UserError: if there is no such model, or its tokens or parameters do not have the
            kind or size that this config needs.
    """
    from zoo import hub  # imports what training itself does not need

    trained = hub.load(init_from)
    _check_kinds(init_from, trained, workload.trained)
    wanted = jax.eval_shape(workload.init_params, jax.random.key(0))
    moved, notes = _move_rows(trained, workload.trained)
    if trained.kind != workload.trained.kind:
        moved, wanted = _encoder_of(moved, wanted)
        notes = (*notes, f"from {init_from}: {', '.join(sorted(flatten_dict(moved, sep='/')))}")
    if told := first_difference(moved, wanted):
        raise UserError(
            f"training.init_from is {init_from}, whose parameters do not fit the model of this "
            f"config: {told}; {_advice(trained, workload.trained)}"
        )
    return Start(moved, notes)


def _advice(trained: Checkpoint, new: Checkpoint) -> str:
    """Returns advice with the fields of a config that differ in both models."""
    own, theirs = (vars(one.model.config) for one in (new, trained))
    differing = [
        f"model.{name}={theirs[name]} instead of {value}"
        for name, value in own.items()
        if name in theirs and theirs[name] != value and not isinstance(value, float)
    ]
    if not differing:
        return "use the fields of model that it was trained with"
    return f"use what it was trained with: {', '.join(differing)}"


def _check_kinds(init_from: str, trained: Checkpoint, new: Checkpoint) -> None:
    """Raises a UserError for a model of another task, or with tokens of another kind."""
    if trained.kind not in (new.kind, LANGUAGE_MODEL) or (
        trained.kind != new.kind and "labels" not in new.tokens
    ):
        raise UserError(
            f"training.init_from is {init_from}, a {trained.kind.noun}, but this config trains a "
            f"{new.kind.noun}; give a {new.kind.noun}, or a language model for a classifier"
        )
    found, wanted = trained.vocabulary.kind, new.vocabulary.kind
    if found != wanted and not {found, wanted} <= set(_WORDS):
        raise UserError(
            f"training.init_from is {init_from}, whose tokens are of the kind {found!r}, but the "
            f"tokens of this config are of the kind {wanted!r}; use data.vocabulary={found}"
        )


def _move_rows(trained: Checkpoint, new: Checkpoint) -> tuple[Params, tuple[str, ...]]:
    """Returns a model's parameters with rows for the new tokens, and notes on the known tokens."""
    params, notes = flatten_dict(trained.params, sep="/"), []
    for name, tokens in new.tokens.items():
        known = trained.tokens.get(name)
        if known is None or list(known) == list(tokens):
            continue
        ids = {token: number for number, token in enumerate(known)}
        rows = np.array([ids.get(token, -1) for token in tokens])
        for path, (vocabulary, *axes) in trained.token_axes.items():
            for axis in axes if vocabulary == name and path in params else ():
                params[path] = _take(params[path], rows, axis)
        notes.append(
            f"{(rows >= 0).sum():,} of {len(rows):,} {name} are known to {trained.name}; the "
            "others start at the mean"
        )
    return unflatten_dict(params, sep="/"), tuple(notes)


def _take(array: np.ndarray, rows: np.ndarray, axis: int) -> jax.Array:
    """Returns an array's rows by number along an axis; -1 stands for the mean of all rows."""
    array = np.asarray(array)
    with_mean = np.concatenate([array, array.mean(axis=axis, keepdims=True)], axis=axis)
    return jnp.asarray(with_mean.take(rows, axis=axis))  # -1 is the last row, the mean


def _encoder_of(found: Params, wanted: PyTree) -> tuple[Params, PyTree]:
    """Returns the parameters that a classifier takes from a language model, and their shapes."""
    flat, shapes = flatten_dict(found, sep="/"), flatten_dict(wanted, sep="/")
    names = {name for name in shapes if name.startswith(_ENCODER) and "/reverse_" not in name}
    kept = [{name: tree[name] for name in names & set(tree)} for tree in (flat, shapes)]
    return unflatten_dict(kept[0], sep="/"), unflatten_dict(kept[1], sep="/")


def start_from(state: TrainState, params: Params) -> TrainState:
    """Returns the state before the first step, with other parameters in every member.

    Args:
        state: a state from `initial_state`.
        params: the parameters of `load_start`; a parameter that is missing here stays as it is.
    """
    taken = flatten_dict(params)

    def place(new: jax.Array, old: jax.Array) -> jax.Array:
        repeated = jnp.broadcast_to(new, old.shape).astype(old.dtype)
        return jax.device_put(repeated, old.sharding)

    placed = {
        path: place(taken[path], old) if path in taken else old
        for path, old in flatten_dict(state.params).items()
    }
    params = unflatten_dict(placed)
    average = state.average
    if average is not None:
        average = average.replace(params=jax.tree.map(jnp.copy, params))
    return state.replace(params=params, average=average)
