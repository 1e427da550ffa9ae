"""The language models of a tagger, which are loaded by name in training.

The checkpoint of a tagger does not name its language models. Its record of vocabularies has their
settings and vocabularies, and its parameters include their parameters. So opening it follows no
name and no path.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.vocabulary import vocabulary_from_json
from zoo.errors import UserError
from zoo.evaluation.tagger import Reader
from zoo.models.recurrent_lm import RecurrentLM
from zoo.models.registry import build
from zoo.types import Json, Params, PyTree

_ARCHITECTURE, _MOST_LAYERS = "recurrent_lm", 16
MOST_MODELS = 8


class FrozenModels(NamedTuple):
    """Frozen language models.

    Attributes:
        readers: the settings and vocabularies of the models.
        params: the parameters of the models, by their names in a tagger.
    """

    readers: tuple[Reader, ...]
    params: Mapping[str, Params]

    def put_into(self, params: Params) -> PyTree:
        """Returns parameters of a tagger with the parameters of its language models."""
        return {**params, **self.params}

    def masks(self) -> dict[str, np.ndarray]:
        """Returns the mask of frozen parameters of the tagger, see `Workload.frozen`."""
        return dict.fromkeys(self.params, np.array(True))


def load_frozen(names: Sequence[str]) -> FrozenModels:
    """Returns the language models that model.language_models names.

    Raises:
        UserError: a model is missing, or is not a recurrent language model over characters.
    """
    if not names:
        return FrozenModels((), {})
    from zoo import hub  # imported late, because it imports the registry of tasks

    if len(names) > MOST_MODELS:
        raise UserError(f"model.language_models has {len(names)} names; use at most {MOST_MODELS}")
    loaded = [hub.load(name) for name in names]
    for name, checkpoint in zip(names, loaded, strict=True):
        found = (
            checkpoint.config["model"]["architecture"],
            checkpoint.vocabulary_record.get("kind"),
        )
        if found != (_ARCHITECTURE, "character"):
            raise UserError(
                f"model.language_models has {name}, a {found[0]} over {found[1]} tokens; give a "
                "recurrent_lm over characters, such as python_docs_lstm"
            )
    return FrozenModels(
        tuple(Reader(dict(one.config["model"]), one.vocabulary) for one in loaded),
        {f"language_models_{number}": one.params for number, one in enumerate(loaded)},
    )


def readers_from_json(records: Sequence[Json]) -> tuple[Reader, ...]:
    """Returns the readers from records that `Reader.to_json` made.

    Raises:
        UserError, or any of `zoo.errors.WRONG_FORM`: the records are damaged.
    """
    if len(records) > MOST_MODELS:
        raise UserError(
            f"it has {len(records)} language models; a tagger has at most {MOST_MODELS}"
        )
    readers = tuple(
        Reader(dict(record["model"]), vocabulary_from_json(record["vocabulary"]))
        for record in records
    )
    for settings, _ in readers:
        sizes = settings.get("hidden_sizes", ())
        if settings["architecture"] != _ARCHITECTURE or len(sizes) > _MOST_LAYERS:
            raise UserError("a language model of the tagger is damaged; take another checkpoint")
    return readers


def build_readers(readers: Sequence[Reader]) -> tuple[RecurrentLM, ...]:
    """Returns the modules of the language models."""
    models = (build(reader.settings, len(reader.vocabulary)) for reader in readers)
    return tuple(model for model in models if isinstance(model, RecurrentLM))
