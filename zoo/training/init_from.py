"""A new run that starts from the parameters of a model that is trained already.

Where the vocabularies differ, the rows of embeddings and of the softmax go over by their token, and
a token that the model does not know starts at the mean of those that it knows. From a language
model a classifier takes the embeddings and the recurrent layers (Howard and Ruder 2018); the
layers that read backwards, and the network that chooses, start at random.
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
_ENCODER = ("embedding", "stack/")  # of a language model and a classifier alike


class Start(NamedTuple):
    """What a run starts from.

    Attributes:
        params: nested dict of the arrays that are taken over; all others start at random.
        notes: what was taken, a line each.
    """

    params: Params
    notes: tuple[str, ...] = ()


def has_sound_step(workdir: str) -> bool:
    """Returns whether a run can go on from a checkpoint of its own."""
    if not workdir:
        return False
    return checkpoints.latest_sound(workdir, log=lambda line: None) is not None


def start_of(config: ConfigDict, workload: Workload, workdir: str) -> Start | None:
    """What `training.init_from` gives; None if there is none, or the run has begun."""
    init_from = config.training.init_from
    return load_start(init_from, workload) if init_from and not has_sound_step(workdir) else None


def load_start(init_from: str, workload: Workload) -> Start:
    """Returns what training.init_from names, as the workload's model has it.

    Args:
        init_from: what `zoo.load` takes.
        workload: what is to be trained; of several members, the workload of one.

    Raises:
        UserError: there is no such model, or its tokens or its parameters are not of the kind and
            the sizes that this config has.
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
            f"training.init_from is {init_from}, whose parameters do not fit the model section of "
            f"this config: {told}; set the fields of model as that model has them"
        )
    return Start(moved, notes)


def _check_kinds(init_from: str, trained: Checkpoint, new: Checkpoint) -> None:
    """Raises UserError for a model of another task, or with tokens of another kind."""
    if trained.kind not in (new.kind, LANGUAGE_MODEL) or (
        trained.kind != new.kind and "labels" not in new.tokens
    ):
        raise UserError(
            f"training.init_from is {init_from}, a {trained.kind.noun}, and this config trains a "
            f"{new.kind.noun}; give a {new.kind.noun}, or for a classifier a language model"
        )
    found, wanted = trained.vocabulary.kind, new.vocabulary.kind
    if found != wanted and not {found, wanted} <= set(_WORDS):
        raise UserError(
            f"training.init_from is {init_from}, whose tokens are of the kind {found!r}, and those "
            f"of this config {wanted!r}; use data.vocabulary={found}"
        )


def _move_rows(trained: Checkpoint, new: Checkpoint) -> tuple[Params, tuple[str, ...]]:
    """A model's parameters with the rows of another's tokens, and how many it knew."""
    params, notes = flatten_dict(trained.params, sep="/"), []
    for name, tokens in new.tokens.items():
        known = trained.tokens.get(name)
        if known is None or list(known) == list(tokens):
            continue
        ids = {token: number for number, token in enumerate(known)}
        rows = np.array([ids.get(token, -1) for token in tokens])
        for path, (vocabulary, axis) in trained.token_axes.items():
            if vocabulary == name and path in params:
                params[path] = _take(params[path], rows, axis)
        notes.append(
            f"{(rows >= 0).sum():,} of {len(rows):,} {name} are known to {trained.name}; the "
            "others start at the mean"
        )
    return unflatten_dict(params, sep="/"), tuple(notes)


def _take(array: np.ndarray, rows: np.ndarray, axis: int) -> jax.Array:
    """An array's rows by number along an axis, the mean of all where the number is -1."""
    array = np.asarray(array)
    with_mean = np.concatenate([array, array.mean(axis=axis, keepdims=True)], axis=axis)
    return jnp.asarray(with_mean.take(rows, axis=axis))  # -1 is the last


def _encoder_of(found: Params, wanted: PyTree) -> tuple[Params, PyTree]:
    """What a classifier takes of a language model, and the shapes that it should have."""
    flat, shapes = flatten_dict(found, sep="/"), flatten_dict(wanted, sep="/")
    names = {name for name in shapes if name.startswith(_ENCODER) and "/reverse_" not in name}
    kept = [{name: tree[name] for name in names & set(tree)} for tree in (flat, shapes)]
    return unflatten_dict(kept[0], sep="/"), unflatten_dict(kept[1], sep="/")


def start_from(state: TrainState, params: Params) -> TrainState:
    """Returns the state before the first step, with other parameters in every member.

    Args:
        state: as `initial_state` makes it.
        params: of `load_start`; those that it lacks stay as they are.
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
