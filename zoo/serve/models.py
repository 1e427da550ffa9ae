"""The models that the page offers, each loaded when it is first used."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zoo import hub
from zoo.errors import UserError
from zoo.evaluation.interpolation import Mixture
from zoo.exchange import ARPA_SUFFIXES, SAFETENSORS_SUFFIX
from zoo.serve.limits import Refused
from zoo.tasks.registry import find_task
from zoo.types import Json

if TYPE_CHECKING:
    from zoo.models.trained import Checkpoint

_log = logging.getLogger(__name__)


class ServedModel(NamedTuple):
    """A model as it is known before it is loaded.

    Attributes:
        place: what `zoo.load` takes.
        use: the command that uses it, "generate", "classify", "translate" or "tag"; the page has
            a panel for each.
        architecture: its name.
        vocabulary: of the tokens it writes or reads, as plain JSON.
    """

    place: str
    use: str
    architecture: str
    vocabulary: Json


class ServedModels:
    """Models by the names that a request may say; nothing else can be loaded.

    A name is the last part of the path that was given, or all of a released name. Of a directory
    only config and vocabulary are read at first; a file is read whole.

    Args:
        places: what `zoo.load` takes, each once.

    Raises:
        UserError: one of them is no model, or stands there twice.
    """

    def __init__(self, places: Sequence[str]):
        self._models: dict[str, ServedModel] = {}
        self._loaded: dict[str, Checkpoint] = {}
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
        use = find_task(architecture).kind.command
        self._models[name] = ServedModel(place, use, architecture, record["vocabulary"])

    def _new_name(self, place: str) -> str:
        """The last part of a path, with a number where it is taken."""
        last = os.path.basename(place.rstrip("/")) or place
        name, number = last, 1
        while name in self._models:
            number += 1
            name = f"{last} ({number})"
        return name

    @property
    def names(self) -> list[str]:
        """The names, in the order in which the models were given."""
        return list(self._models)

    def listing(self) -> list[Json]:
        """What the page has to know of each model."""
        return [
            {
                "name": name,
                "use": model.use,
                "architecture": model.architecture,
                "has_gradients": model.architecture == "recurrent_lm",
                "mixes_with": [other for other in self._models if self._can_mix(name, other)],
            }
            for name, model in self._models.items()
        ]

    def _can_mix(self, name: str, other: str) -> bool:
        """Whether two language models number the same tokens in the same way."""
        one, two = self._models[name], self._models[other]
        both_generate = one.use == two.use == "generate"
        return name != other and both_generate and one.vocabulary == two.vocabulary

    def check(self, name: str, use: str) -> None:
        """Raises Refused unless a model of that name is served, for that use; it is not loaded."""
        model = self._models.get(name)
        if model is None:
            known = ", ".join(self._models)
            raise Refused(404, f"no model of that name is served here; there are: {known}")
        if model.use != use:
            raise Refused(400, f"{name} is a model to {model.use} with, not to {use}")

    def check_mixture(self, names: Sequence[str]) -> None:
        """Raises Refused unless these are two language models or more over one vocabulary."""
        if len(names) < 2:
            raise Refused(400, "a mixture has two models or more; name another one in mixture")
        for name in names:
            self.check(name, "generate")
            if name != names[0] and not self._can_mix(names[0], name):
                raise Refused(400, f"{names[0]} and {name} have different vocabularies")

    def load(self, name: str) -> "Checkpoint":
        """The model of that name; the first time it is read, then it is kept.

        Raises:
            Refused: its files can't be read any more; the log says why.
        """
        if name not in self._loaded:
            try:
                self._loaded[name] = hub.load(self._models[name].place)
            except UserError as error:
                _log.error("%s", error)
                reason = f"{name} can't be loaded; the server's terminal says why"
                raise Refused(500, reason) from error
        return self._loaded[name]

    def load_mixture(self, weights: Mapping[str, float]) -> Mixture:
        """The models of those names, mixed."""
        parts = tuple(self.load(name) for name in weights)
        return Mixture(parts, np.array(list(weights.values())))
