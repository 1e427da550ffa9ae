"""Architectures by name, with their settings and their constructors."""

import dataclasses
import difflib
import importlib
from typing import TYPE_CHECKING, NamedTuple

from zoo.errors import UserError
from zoo.types import Json

if TYPE_CHECKING:
    import flax.linen as nn


class Architecture(NamedTuple):
    """An architecture of the zoo, which is imported when it is first built.

    Attributes:
        summary: a description in one line.
        module: the name of its module.
        config: the name of the dataclass of its settings and their defaults.
        model: the name of the class, called as model(config, vocabulary_size, ...). It is a Flax
            module, or a class that is used like one.
        task: the name of its task in `zoo.tasks.registry`.
    """

    summary: str
    module: str
    config: str
    model: str
    task: str = "language_modeling"


ARCHITECTURES = {
    "classifier": Architecture(
        "sequence classifier: any cell or a bag of embeddings, pooled",
        "zoo.models.classifier",
        "ClassifierConfig",
        "Classifier",
        task="classification",
    ),
    "encoder_decoder": Architecture(
        "encoder-decoder: feed-forward, recurrent or Transformer halves, attention or one vector",
        "zoo.models.encoder_decoder",
        "EncoderDecoderConfig",
        "EncoderDecoder",
        task="translation",
    ),
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
        task="ngram_counting",
    ),
    "recurrent_lm": Architecture(
        "recurrent language model with any cell: Elman, GRU, LSTM, ...",
        "zoo.models.recurrent_lm",
        "RecurrentLMConfig",
        "RecurrentLM",
    ),
    "tagger": Architecture(
        "sequence tagger: any cell over words and their characters, a softmax or a CRF on top",
        "zoo.models.tagger",
        "TaggerConfig",
        "Tagger",
        task="tagging",
    ),
}


def list_models() -> list[str]:
    """Returns the names of the architectures in alphabetical order.

    Example:
        >>> list_models()
        ['classifier', 'encoder_decoder', 'feedforward_lm', 'ngram_lm', 'recurrent_lm', 'tagger']
    """
    return sorted(ARCHITECTURES)


def _find(name: str) -> Architecture:
    if name not in ARCHITECTURES:
        near = difflib.get_close_matches(name, ARCHITECTURES, n=1) or list_models()
        raise UserError(f"no architecture is called {name!r}; try {', '.join(near)}")
    return ARCHITECTURES[name]


def task_of(name: str) -> str:
    """Returns the name of the task of an architecture.

    Raises:
        UserError: there is no such architecture. The error has the nearest name.

    Example:
        >>> task_of("ngram_lm"), task_of("recurrent_lm")
        ('ngram_counting', 'language_modeling')
    """
    return _find(name).task


def _classes(name: str) -> tuple[type, type]:
    """Returns the config record and the model class of an architecture."""
    architecture = _find(name)
    module = importlib.import_module(architecture.module)
    return getattr(module, architecture.config), getattr(module, architecture.model)


def default_config(name: str) -> Json:
    """Returns the name of an architecture and its settings with their defaults.

    Raises:
        UserError: there is no such architecture. The error has the nearest name.

    Example:
        >>> default_config("recurrent_lm")["cell"]
        'lstm'
    """
    return {"architecture": name, **dataclasses.asdict(_classes(name)[0]())}


def build(config: Json, vocabulary_size: int, **more: object) -> "nn.Module":
    """Returns the model of the section `model` of a config.

    Args:
        config: `architecture` and the fields of its settings; missing fields have their defaults.
        vocabulary_size: V; for a translator, the size of its target vocabulary.
        **more: further arguments of the class: num_labels for a classifier, source_vocabulary_size
            for a translator, num_tags for a tagger.

    Raises:
        UserError: an architecture, a field or a value does not exist.

    Example:
        >>> build({"architecture": "recurrent_lm", "hidden_sizes": [32]}, 50).vocabulary_size
        50
    """
    settings = dict(config)
    name = settings.pop("architecture")
    record, model = _classes(name)
    known = [field.name for field in dataclasses.fields(record)]
    for setting in settings:
        if setting not in known:
            near = difflib.get_close_matches(setting, known, n=1) or known
            raise UserError(f"no setting is called model.{setting}; did you mean model.{near[0]}?")
    return model(record(**settings), vocabulary_size, **more)
