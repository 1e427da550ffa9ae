"""Architectures by name: the record of their settings and how they are built."""

import dataclasses
import difflib
import importlib
from typing import TYPE_CHECKING, NamedTuple

from zoo.errors import UserError
from zoo.types import Json

if TYPE_CHECKING:
    import flax.linen as nn


class Architecture(NamedTuple):
    """One architecture of the zoo, imported when it is first built.

    Attributes:
        summary: what it is, in one line.
        module: where it stands.
        config: the dataclass there of its settings; their defaults stand in it.
        model: the class there, built as model(config, vocabulary_size, ...): a Flax module, or what
            is used as one.
        task: what it is trained for, a name in `zoo.tasks.registry`.
    """

    summary: str
    module: str
    config: str
    model: str
    task: str = "language_modeling"


ARCHITECTURES = {
    "classifier": Architecture(
        "sequence classifier: Elman, GRU, LSTM or a bag of embeddings, pooled",
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
}


def list_models() -> list[str]:
    """The names of the architectures.

    Example:
        >>> list_models()
        ['classifier', 'encoder_decoder', 'feedforward_lm', 'ngram_lm', 'recurrent_lm']
    """
    return sorted(ARCHITECTURES)


def _find(name: str) -> Architecture:
    if name not in ARCHITECTURES:
        near = difflib.get_close_matches(name, ARCHITECTURES, n=1) or list_models()
        raise UserError(f"no architecture is called {name!r}; try {', '.join(near)}")
    return ARCHITECTURES[name]


def task_of(name: str) -> str:
    """What an architecture is trained for.

    Raises:
        UserError: if there is no such architecture; the message has the nearest name.

    Example:
        >>> task_of("ngram_lm"), task_of("recurrent_lm")
        ('ngram_counting', 'language_modeling')
    """
    return _find(name).task


def _classes(name: str) -> tuple[type, type]:
    """The config record and the model class of an architecture."""
    architecture = _find(name)
    module = importlib.import_module(architecture.module)
    return getattr(module, architecture.config), getattr(module, architecture.model)


def default_config(name: str) -> Json:
    """The settings of an architecture with their defaults, its name among them.

    Raises:
        UserError: if there is no such architecture; the message has the nearest name.

    Example:
        >>> default_config("recurrent_lm")["cell"]
        'lstm'
    """
    return {"architecture": name, **dataclasses.asdict(_classes(name)[0]())}


def build(config: Json, vocabulary_size: int, **sizes: int) -> "nn.Module":
    """The model that a config's model section describes.

    Args:
        config: `architecture` and the fields of its record; absent ones have their defaults.
        vocabulary_size: V; of a translator its target vocabulary's.
        **sizes: what else the class needs: num_labels of a classifier, source_vocabulary_size of a
            translator.

    Raises:
        UserError: for an architecture, field or value that does not exist.

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
    return model(record(**settings), vocabulary_size, **sizes)
