"""Models of a user's own training: built from a config and a vocabulary, and saved to be loaded."""

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
from zoo.training.release import refuse_existing, write_params, write_records, write_whole
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
    """Returns the model that a config describes, over a vocabulary, with the parameters of a start.

    A training loop of your own can go on from `checkpoint.params`, and keep what it learned by
    `zoo.save(checkpoint.with_params(params), directory)`.

    Args:
        config: as `zoo.config` gives it; or what `zoo.config` takes. Fields that are left to follow
            from the size of a corpus have the defaults of their records.
        vocabulary: of the tokens, such as `zoo.build_vocabulary` makes it; of a translator, of its
            targets.
        labels: of a classifier, the names of its labels, where a text has one of them; or what
            `zoo.data.labels.make_labels` gives.
        source_vocabulary: of a translator, of its sources.
        seed: of the parameters.

    Raises:
        UserError: the config can't be, or a classifier lacks labels, or a translator a vocabulary;
            or the model is one that is counted.

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
        raise UserError("an n-gram model is counted and has no parameters to start from; zoo.train")
    record = vocabulary.to_json()
    if labels:
        made = labels if isinstance(labels, Labels) else make_labels([[name] for name in labels])
        record = {"tokens": record, "labels": made.to_json()}
    if source_vocabulary is not None:
        record = {"source": source_vocabulary.to_json(), "target": record}
    try:
        opened = task.open(plain, record, {})
    except UserError:
        raise
    except WRONG_FORM as error:
        raise UserError(
            f"a {task.kind.noun} can't be built from these vocabularies; give a classifier "
            "labels=[...], a translator source_vocabulary=..., and a language model neither"
        ) from error
    params = jax.jit(lambda key: task.init(opened.model, key))(jax.random.key(seed))
    return opened.with_params(params)


def save(
    checkpoint: ModelOrName, directory: os.PathLike[str] | str, *, overwrite: bool = False
) -> epath.Path:
    """Saves a trained model as a directory that `zoo.load` and all commands take.

    Args:
        checkpoint: what `zoo.load` or `zoo.build` gives, with the parameters of any training; or a
            checkpoint that was made by hand, whose config may be empty.
        directory: the directory to make; gs://... too.
        overwrite: replace a model that was saved there before.

    Returns:
        The directory, absolute.

    Raises:
        UserError: there is something in its place; it can't be written; or the parameters don't fit
            the model, aren't finite, or the model isn't what its config says.
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
        write_records(inside, trained.step, config, record, progress)
        write_params(inside, params)

    write_whole(target, fill)
    if replaces:
        place.rmtree()
        target.rename(place)
    return place


def _plain(record: ConfigDict | Json) -> Json:
    """A record as it reads from JSON."""
    if isinstance(record, ConfigDict):
        return plain_config(record)
    return json.loads(json.dumps(dict(record)))


def _config_of(trained: Checkpoint) -> Json:
    """The section model that a model was built from."""
    kind = (type(trained.model).__module__, type(trained.model).__name__)
    for name, one in ARCHITECTURES.items():
        if kind == (one.module, one.model):
            settings = _plain(dataclasses.asdict(trained.model.config))
            return {"model": {"architecture": name, **settings}}
    raise UserError(
        f"{kind[1]} is no architecture of the zoo, so a saved one could not be loaded; see "
        "zoo.list_models()"
    )


def _checked_params(trained: Checkpoint, config: Json) -> Params:
    """The parameters as they are stored, when loading them will give this model.

    Raises:
        UserError: it would not.
    """
    task = find_task(config["model"]["architecture"])
    try:
        opened = task.open(config, trained.vocabulary_record, _plain(trained.progress))
        told = _difference(trained, opened)
    except WRONG_FORM as error:
        raise UserError(f"the model can't be loaded from its config: {error}") from error
    if told:
        raise UserError(f"{told} of the model is not what its config and progress say; change them")
    params = jax.tree.map(_as_stored, trained.params)
    wanted = task.parameter_shapes(opened.model)
    if wanted is not None and (told := first_difference(params, wanted)):
        raise UserError(
            f"the parameters do not fit the model: {told} ('there' is what was given, 'here' what "
            "the model has)"
        )
    for name, leaf in named_leaves(params).items():
        is_number = np.isfinite(leaf)
        if task.has_infinite_params:  # the logarithm of 0
            is_number |= np.isneginf(leaf)
        if not is_number.all():
            raise UserError(f"parameter {name} holds values that are not finite; nothing is saved")
    return params


def _as_stored(leaf: PyTree) -> np.ndarray:
    """An array whose numbers are float32 or int32."""
    array = np.asarray(leaf)
    return array if array.dtype.kind in "iu" else array.astype(np.float32)


def _difference(trained: Checkpoint, opened: Checkpoint) -> str:
    """The name of the first field that a model would not be loaded with; "" for none."""
    if type(trained) is not type(opened):
        return f"the class {type(trained).__name__}"
    if trained.model != opened.model:
        return "model"
    for field in dataclasses.fields(trained):
        if field.name not in _SHARED:
            own, other = getattr(trained, field.name), getattr(opened, field.name)
            if isinstance(own, Vocabulary):
                continue  # it is made from the record
            if not (np.allclose(own, other) if isinstance(own, np.ndarray) else own == other):
                return field.name
    return ""
