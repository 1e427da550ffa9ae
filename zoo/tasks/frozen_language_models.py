"""Language models that a tagger reads with: found by name in training, and kept in its checkpoint.

A tagger's checkpoint names none of them: their settings and vocabularies stand in its record of
vocabularies, and their parameters among its own. So opening it follows no name and no path.
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
        readers: their settings and vocabularies.
        params: their parameters, by their names among those of a tagger.
    """

    readers: tuple[Reader, ...]
    params: Mapping[str, Params]

    def put_into(self, params: Params) -> PyTree:
        """Returns parameters of a tagger with these instead of its random ones."""
        return {**params, **self.params}

    def masks(self) -> dict[str, np.ndarray]:
        """Returns which of the tagger's parameters are frozen, see `Workload.frozen`."""
        return dict.fromkeys(self.params, np.array(True))


def load_frozen(names: Sequence[str]) -> FrozenModels:
    """Returns the language models that model.language_models names.

    Raises:
        UserError: one of them is missing, or is no recurrent language model over characters.
    """
    if not names:
        return FrozenModels((), {})
    from zoo import hub  # which asks the registry of tasks, and so is not imported before

    if len(names) > MOST_MODELS:
        raise UserError(f"model.language_models has {len(names)} names; use {MOST_MODELS} at most")
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
    """Returns what `Reader.to_json` described.

    Raises:
        UserError, or any of `zoo.errors.WRONG_FORM`: the records are damaged.
    """
    if len(records) > MOST_MODELS:
        raise UserError(
            f"it has {len(records)} language models; a tagger has {MOST_MODELS} at most"
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
    """Returns the modules of language models."""
    models = (build(reader.settings, len(reader.vocabulary)) for reader in readers)
    return tuple(model for model in models if isinstance(model, RecurrentLM))
