"""Architectures by name: the record of their settings and how they are built."""

import dataclasses
import difflib
import importlib
from typing import Any, NamedTuple

from zoo.errors import UserError


class Architecture(NamedTuple):
    """One architecture of the zoo, imported when it is first built.

    Attributes:
        summary: what it is, in one line.
        module: where it stands.
        config: the dataclass there of its settings; their defaults stand in it.
        model: the class there, built as model(config, vocabulary_size): a Flax module, or what is
            used as one.
        counted: its parameters are counted in one go, rather than trained step by step.
    """

    summary: str
    module: str
    config: str
    model: str
    counted: bool = False


ARCHITECTURES = {
    "feedforward_lm": Architecture(
        "feed-forward language model over a window of embeddings",
        "zoo.models.feedforward_lm",
        "FeedForwardLMConfig",
        "FeedForwardLM",
    ),
    "ngram_lm": Architecture(
        "n-gram language model: Kneser-Ney or maximum likelihood",
        "zoo.models.ngram_lm",
        "NGramConfig",
        "NGramLM",
        counted=True,
    ),
    "recurrent_lm": Architecture(
        "recurrent language model with Elman, GRU or LSTM cells",
        "zoo.models.recurrent_lm",
        "RecurrentLMConfig",
        "RecurrentLM",
    ),
}


def list_models() -> list[str]:
    """The names of the architectures.

    Example:
        >>> list_models()
        ['feedforward_lm', 'ngram_lm', 'recurrent_lm']
    """
    return sorted(ARCHITECTURES)


def _find(name: str) -> Architecture:
    if name not in ARCHITECTURES:
        near = difflib.get_close_matches(name, ARCHITECTURES, n=1) or list_models()
        raise UserError(f"no architecture is called {name!r}; try {', '.join(near)}")
    return ARCHITECTURES[name]


def is_counted(name: str) -> bool:
    """Whether an architecture's parameters are counted in one go, rather than trained.

    Example:
        >>> is_counted("ngram_lm"), is_counted("recurrent_lm")
        (True, False)
    """
    return _find(name).counted


def _classes(name: str) -> tuple[type, type]:
    """The config record and the model class of an architecture."""
    architecture = _find(name)
    module = importlib.import_module(architecture.module)
    return getattr(module, architecture.config), getattr(module, architecture.model)


def default_config(name: str) -> dict[str, Any]:
    """The settings of an architecture with their defaults, its name among them.

    Raises:
        UserError: if there is no such architecture; the message has the nearest name.

    Example:
        >>> default_config("recurrent_lm")["cell"]
        'lstm'
    """
    return {"architecture": name, **dataclasses.asdict(_classes(name)[0]())}


def build(config: dict[str, Any], vocabulary_size: int) -> Any:
    """The model that a config's model section describes.

    Args:
        config: `architecture` and the fields of its record; absent ones have their defaults.
        vocabulary_size: V.

    Raises:
        UserError: for an architecture, field or value that does not exist.

    Example:
        >>> build({"architecture": "recurrent_lm", "hidden_sizes": [32]}, 50).vocabulary_size
        50
    """
    settings = dict(config)
    record, model = _classes(settings.pop("architecture"))
    known = [field.name for field in dataclasses.fields(record)]
    for name in settings:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1) or known
            raise UserError(f"no setting is called model.{name}; did you mean model.{near[0]}?")
    return model(record(**settings), vocabulary_size)
