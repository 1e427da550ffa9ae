"""The models that a server offers. Each model is loaded when it is first used."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zoo import hub
from zoo.errors import UserError
from zoo.evaluation.interpolation import Mixture
from zoo.exchange import ARPA_SUFFIXES, SAFETENSORS_SUFFIX
from zoo.serve.introductions import Introduction, introduce
from zoo.serve.limits import Refused
from zoo.tasks.registry import find_task
from zoo.types import Json

if TYPE_CHECKING:
    from zoo.models.trained import Checkpoint

_log = logging.getLogger(__name__)


class ServedModel(NamedTuple):
    """A model as it is known before it is loaded.

    Attributes:
        place: the name or path that `zoo.load` takes.
        use: the command that uses the model, "generate", "classify", "translate" or "tag". The
            page has a panel for each.
        architecture: the name of the architecture.
        vocabulary: the vocabulary of the tokens that the model writes or reads, as plain JSON.
        introduction: what the page says of the model.
    """

    place: str
    use: str
    architecture: str
    vocabulary: Json
    introduction: Introduction


class ServedModels:
    """The models that a request may name. No other model can be loaded.

    The name of a model is a released name, or the last part of the path that was given. At first,
    only the config and the vocabulary in a directory are read. A file is read completely.

    Args:
        places: names and paths that `zoo.load` takes; all of them must be different.

    Raises:
        UserError: A place is no model, or is given twice.
    """

    def __init__(self, places: Sequence[str]):
        self._models: dict[str, ServedModel] = {}
        self._loaded: dict[str, Checkpoint] = {}
        self._titles = {one.name: one.summary for one in hub.list_checkpoints()}
        for place in places:
            if places.count(place) > 1:
                raise UserError(f"{place} is given twice; give each model once")
            self._add(place)

    def _add(self, place: str) -> None:
        name = self._new_name(place)
        if place.endswith((*ARPA_SUFFIXES, SAFETENSORS_SUFFIX)):
            loaded = hub.load(place)
            self._loaded[name] = loaded
            record = {"config": loaded.config, "vocabulary": loaded.vocabulary_record}
        else:
            record = hub.describe(place)
        architecture = str(record["config"].get("model", {}).get("architecture"))
        kind = find_task(architecture).kind
        introduction = introduce(record, kind.noun, self._titles.get(place, ""))
        self._models[name] = ServedModel(
            place, kind.command, architecture, record["vocabulary"], introduction
        )

    def _new_name(self, place: str) -> str:
        """Returns the last part of a path, with a number if another model has this name."""
        last = os.path.basename(place.rstrip("/")) or place
        name, number = last, 1
        while name in self._models:
            number += 1
            name = f"{last} ({number})"
        return name

    @property
    def names(self) -> list[str]:
        """The names of the models, in the order in which the models were given."""
        return list(self._models)

    def listing(self) -> list[Json]:
        """Returns what a client may know of each model."""
        return [
            {
                "name": name,
                "use": model.use,
                "architecture": model.architecture,
                "has_gradients": model.architecture == "recurrent_lm",
                "mixes_with": [other for other in self._models if self._can_mix(name, other)],
                **model.introduction._asdict(),
            }
            for name, model in self._models.items()
        ]

    def _can_mix(self, name: str, other: str) -> bool:
        """Returns whether two models are language models with the same vocabulary."""
        one, two = self._models[name], self._models[other]
        both_generate = one.use == two.use == "generate"
        return name != other and both_generate and one.vocabulary == two.vocabulary

    def check(self, name: str, use: str) -> None:
        """Raises Refused unless a model with this name is served for this use."""
        model = self._models.get(name)
        if model is None:
            known = ", ".join(self._models)
            raise Refused(404, f"no model has this name; choose one of {known}")
        if model.use != use:
            fitting = [other for other, one in self._models.items() if one.use == use]
            there = f"one of {', '.join(fitting)}" if fitting else "a server that has such a model"
            reason = f"{name} is a model to {model.use} with, not to {use} with; use {there}"
            raise Refused(400, reason)

    def check_mixture(self, names: Sequence[str]) -> None:
        """Raises Refused unless these are at least two language models with one vocabulary."""
        if len(names) < 2:
            raise Refused(400, "a mixture has at least two models; name another model in mixture")
        for name in names:
            self.check(name, "generate")
            if name != names[0] and not self._can_mix(names[0], name):
                reason = f"{names[0]} and {name} have different vocabularies and cannot be mixed"
                raise Refused(400, f"{reason}; choose models with the same vocabulary")

    def load(self, name: str) -> "Checkpoint":
        """Returns the model with this name. The model is read once and then kept.

        Raises:
            Refused: The model's files cannot be read any more; the log says why.
        """
        if name not in self._loaded:
            try:
                self._loaded[name] = hub.load(self._models[name].place)
            except UserError as error:
                _log.error("%s", error)
                reason = f"{name} cannot be loaded; the server's terminal says why"
                raise Refused(500, reason) from error
        return self._loaded[name]

    def load_mixture(self, weights: Mapping[str, float]) -> Mixture:
        """Returns a mixture of the models with these names, by their weights."""
        parts = tuple(self.load(name) for name in weights)
        return Mixture(parts, np.array(list(weights.values())))
