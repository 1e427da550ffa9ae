"""Models from the user's own training loop: built from a config and vocabulary, then saved."""

import dataclasses
import json
import os
from collections.abc import Sequence

import jax
import numpy as np
from etils import epath
from ml_collections import ConfigDict

from zoo.data.labels import Labels, make_labels
from zoo.data.vocabulary import Vocabulary
from zoo.errors import WRONG_FORM, UserError
from zoo.given import given_list
from zoo.models.registry import ARCHITECTURES
from zoo.models.trained import Checkpoint, ModelOrName, require
from zoo.report.records import flatten
from zoo.tasks.by_size import fill
from zoo.tasks.registry import find_task
from zoo.training import checkpoints
from zoo.training.arrays import first_difference, named_leaves
from zoo.training.config import base_config
from zoo.training.config_files import config as find_config
from zoo.training.places import absolute_place
from zoo.training.release import refuse_existing, write_params, write_whole
from zoo.training.run_config import plain_config
from zoo.types import Json, Params, PyTree

_SHARED = {field.name for field in dataclasses.fields(Checkpoint)}


def build(
    config: ConfigDict | os.PathLike[str] | str,
    vocabulary: Vocabulary,
    *,
    labels: Labels | Sequence[str] = (),
    source_vocabulary: Vocabulary | None = None,
    seed: int = 0,
) -> Checkpoint:
    """Returns the model that a config describes, with a vocabulary and freshly drawn parameters.

    Your own training loop can start from `checkpoint.params`. Save its result with
    `zoo.save(checkpoint.with_params(params), directory)`.

    Args:
        config: a config from `zoo.config`, or an argument of `zoo.config`. Fields that depend on
            the size of a corpus get the defaults of their records.
        vocabulary: the vocabulary of the tokens, for example from `zoo.build_vocabulary`. For a
            translator it is the target vocabulary.
        labels: only for a classifier: the names of its labels, if each text has one label; or the
            result of `zoo.data.labels.make_labels`.
        source_vocabulary: only for a translator: the vocabulary of its sources.
        seed: the seed of the parameters.

    Raises:
        UserError: if the config is invalid, a classifier has no labels, a translator lacks a
            vocabulary, or the model is an n-gram model, which is counted.
        TypeError: if an argument is of the wrong type.

    Example:
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> from zoo.training.config import base_config
        >>> config = base_config("recurrent_lm")
        >>> config.model.hidden_sizes = (8,)
        >>> model = build(config, build_vocabulary("word", ["it rains"]))
        >>> model.params["output_kernel"].shape
        (8, 5)
    """
    if not isinstance(config, ConfigDict):
        config = find_config(config)
    plain = plain_config(fill(config, flatten(base_config(config.model.architecture).to_dict())))
    task = find_task(plain["model"]["architecture"])
    if not task.takes_steps:
        raise UserError(
            "an n-gram model is counted and has no parameters to start from; use zoo.train"
        )
    for given in [vocabulary] if source_vocabulary is None else [vocabulary, source_vocabulary]:
        if not isinstance(given, Vocabulary):
            raise TypeError(f"{given!r:.60} is no vocabulary; give one of zoo.build_vocabulary")
    record = vocabulary.to_json()
    if labels:
        made = (
            labels
            if isinstance(labels, Labels)
            else make_labels([[name] for name in given_list(labels, "labels")])
        )
        record = {"tokens": record, "labels": made.to_json()}
    if source_vocabulary is not None:
        record = {"source": source_vocabulary.to_json(), "target": record}
    try:
        opened = task.open(plain, record, {})
    except UserError:
        raise
    except WRONG_FORM as error:
        raise UserError(
            f"a {task.kind.noun} cannot be built from these vocabularies; give a classifier "
            "labels=[...], a translator source_vocabulary=..., and a language model neither"
        ) from error
    params = jax.jit(lambda key: task.init(opened.model, key))(jax.random.key(seed))
    return opened.with_params(params)


def save(
    checkpoint: ModelOrName, directory: os.PathLike[str] | str, *, overwrite: bool = False
) -> epath.Path:
    """Saves a trained model to a directory that `zoo.load` and all commands accept.

    Args:
        checkpoint: a checkpoint from `zoo.load` or `zoo.build`, with the parameters of any
            training; or a checkpoint made by hand, whose config may be empty.
        directory: the directory to create, which may be an address such as gs://BUCKET/RUN.
        overwrite: replace the directory if it holds one saved model or one step of a run. The
            optimizer's state of such a step is lost.

    Returns:
        The absolute path of the directory.

    Raises:
        UserError: if the directory exists (see overwrite) or cannot be written, if the parameters
            do not fit the model or are not finite, or if the model is not the one that its config
            describes.
    """
    trained = require(checkpoint, Checkpoint)
    config = _plain(trained.config) if "model" in trained.config else _config_of(trained)
    params = _checked_params(trained, config)
    place = absolute_place(directory)
    replaces = overwrite and checkpoints.is_step_directory(place)
    if not replaces:
        refuse_existing(place)
    target = place.with_name(f"{place.name}.new") if replaces else place

    def fill(inside: epath.Path) -> None:
        record, progress = trained.vocabulary_record, _plain(trained.progress)
        checkpoints.write_records(inside, trained.step, config, record, progress)
        write_params(inside, params)

    write_whole(target, fill)
    if replaces:
        place.rmtree()
        target.rename(place)
    return place


def _plain(record: ConfigDict | Json) -> Json:
    """Returns a record as JSON represents it."""
    if isinstance(record, ConfigDict):
        return plain_config(record)
    return json.loads(json.dumps(dict(record)))


def _config_of(trained: Checkpoint) -> Json:
    """Returns a config whose section model describes a model that was made by hand."""
    kind = (type(trained.model).__module__, type(trained.model).__name__)
    for name, one in ARCHITECTURES.items():
        if kind == (one.module, one.model):
            settings = _plain(dataclasses.asdict(trained.model.config))
            return {"model": {"architecture": name, **settings}}
    raise UserError(
        f"{kind[1]} is not an architecture of the zoo, so a saved one could not be loaded; see "
        "zoo.list_models()"
    )


def _checked_params(trained: Checkpoint, config: Json) -> Params:
    """Returns the parameters as they are stored, after a check that loading gives this model.

    Raises:
        UserError: if loading would give another model.
    """
    task = find_task(config["model"]["architecture"])
    try:
        opened = task.open(config, trained.vocabulary_record, _plain(trained.progress))
        told = _difference(trained, opened)
    except WRONG_FORM as error:
        raise UserError(f"the model cannot be loaded from its config: {error}") from error
    if told:
        raise UserError(f"{told} of the model differs from its config and progress; change them")
    params = jax.tree.map(_as_stored, trained.params)
    wanted = task.parameter_shapes(opened.model)
    if wanted is not None and (told := first_difference(params, wanted)):
        raise UserError(
            f"the parameters do not fit the model: {told} ('there' is what was given, 'here' is "
            "what the model has)"
        )
    for name, leaf in named_leaves(params).items():
        is_number = np.isfinite(leaf)
        if task.has_infinite_params:  # the logarithm of 0
            is_number |= np.isneginf(leaf)
        if not is_number.all():
            raise UserError(f"parameter {name} holds values that are not finite; nothing is saved")
    return params


def _as_stored(leaf: PyTree) -> np.ndarray:
    """Returns an array in the type in which it is stored, float32 or an integer type."""
    array = np.asarray(leaf)
    return array if array.dtype.kind in "iu" else array.astype(np.float32)


def _difference(trained: Checkpoint, opened: Checkpoint) -> str:
    """Returns the name of the first field that loading would change; "" if there is none."""
    if type(trained) is not type(opened):
        return f"the class {type(trained).__name__}"
    if trained.model != opened.model:
        return "model"
    for field in dataclasses.fields(trained):
        if field.name not in _SHARED:
            own, other = getattr(trained, field.name), getattr(opened, field.name)
            if isinstance(own, Vocabulary):
                continue  # the record gives it
            if not (np.allclose(own, other) if isinstance(own, np.ndarray) else own == other):
                return field.name
    return ""
