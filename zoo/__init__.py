"""Recurrent Zoo: recurrent networks as pure functions on JAX and Flax.

Each public name is imported when it is first used, so that `import zoo` is fast.

Example:
    >>> import zoo
    >>> zoo.list_models()
    ['classifier', 'encoder_decoder', 'feedforward_lm', 'ngram_lm', 'recurrent_lm', 'tagger']
"""

import importlib
from typing import TYPE_CHECKING, Any

from zoo import by_name

if TYPE_CHECKING:
    from zoo.data.corpora import register_corpus
    from zoo.data.examples import Labeled, Pair, Tagged
    from zoo.data.vocabulary import build_vocabulary
    from zoo.decoding.generation import generate, stream_generate
    from zoo.decoding.settings import GenerationSettings
    from zoo.decoding.translation import Translation, translate
    from zoo.errors import UserError
    from zoo.evaluation.adaptive import AdaptiveCheckpoint, adapt
    from zoo.evaluation.attribution import Attribution, attribute
    from zoo.evaluation.classification import ClassificationScore
    from zoo.evaluation.classifying import Classification, classify, evaluate_classifier
    from zoo.evaluation.dynamic_evaluation import DynamicEvaluation
    from zoo.evaluation.interpolation import Mixture, mix
    from zoo.evaluation.neural_cache import NeuralCache
    from zoo.evaluation.perplexity import Score, evaluate, perplexity
    from zoo.evaluation.probing import States, embedding, states
    from zoo.evaluation.surprisal import Surprisal, surprisal
    from zoo.evaluation.tagger import TaggedSpan, Tagging, tag
    from zoo.evaluation.tagging import TaggingScores
    from zoo.evaluation.translating import TranslationScore, evaluate_translator
    from zoo.hub import list_checkpoints, load
    from zoo.layers.cells import register_cell
    from zoo.layers.cells.base import Cell, Parameter
    from zoo.models.registry import list_models
    from zoo.models.trained import Checkpoint
    from zoo.training.api import train
    from zoo.training.config_files import config
    from zoo.training.config_names import list_configs
    from zoo.training.saving import build, save

    __version__: str

__all__ = [
    "AdaptiveCheckpoint",
    "Attribution",
    "Cell",
    "Checkpoint",
    "Classification",
    "ClassificationScore",
    "DynamicEvaluation",
    "GenerationSettings",
    "Labeled",
    "Mixture",
    "NeuralCache",
    "Pair",
    "Parameter",
    "Score",
    "States",
    "Surprisal",
    "Tagged",
    "TaggedSpan",
    "Tagging",
    "TaggingScores",
    "Translation",
    "TranslationScore",
    "UserError",
    "__version__",
    "adapt",
    "attribute",
    "build",
    "build_vocabulary",
    "classify",
    "config",
    "embedding",
    "evaluate",
    "evaluate_classifier",
    "evaluate_translator",
    "generate",
    "list_checkpoints",
    "list_configs",
    "list_models",
    "load",
    "mix",
    "perplexity",
    "register_cell",
    "register_corpus",
    "save",
    "states",
    "stream_generate",
    "surprisal",
    "tag",
    "train",
    "translate",
]

_MODULE_OF = {
    "AdaptiveCheckpoint": "zoo.evaluation.adaptive",
    "Attribution": "zoo.evaluation.attribution",
    "Cell": "zoo.layers.cells.base",
    "Checkpoint": "zoo.models.trained",
    "Classification": "zoo.evaluation.classifying",
    "ClassificationScore": "zoo.evaluation.classification",
    "DynamicEvaluation": "zoo.evaluation.dynamic_evaluation",
    "GenerationSettings": "zoo.decoding.settings",
    "Labeled": "zoo.data.examples",
    "Mixture": "zoo.evaluation.interpolation",
    "NeuralCache": "zoo.evaluation.neural_cache",
    "Pair": "zoo.data.examples",
    "Parameter": "zoo.layers.cells.base",
    "Score": "zoo.evaluation.perplexity",
    "States": "zoo.evaluation.probing",
    "Surprisal": "zoo.evaluation.surprisal",
    "Tagged": "zoo.data.examples",
    "TaggedSpan": "zoo.evaluation.tagger",
    "Tagging": "zoo.evaluation.tagger",
    "TaggingScores": "zoo.evaluation.tagging",
    "Translation": "zoo.decoding.translation",
    "TranslationScore": "zoo.evaluation.translating",
    "UserError": "zoo.errors",
    "adapt": "zoo.evaluation.adaptive",
    "attribute": "zoo.evaluation.attribution",
    "build": "zoo.training.saving",
    "build_vocabulary": "zoo.data.vocabulary",
    "classify": "zoo.evaluation.classifying",
    "config": "zoo.training.config_files",
    "embedding": "zoo.evaluation.probing",
    "evaluate": "zoo.evaluation.perplexity",
    "evaluate_classifier": "zoo.evaluation.classifying",
    "evaluate_translator": "zoo.evaluation.translating",
    "generate": "zoo.decoding.generation",
    "list_checkpoints": "zoo.hub",
    "list_configs": "zoo.training.config_names",
    "list_models": "zoo.models.registry",
    "load": "zoo.hub",
    "mix": "zoo.evaluation.interpolation",
    "perplexity": "zoo.evaluation.perplexity",
    "register_cell": "zoo.layers.cells",
    "register_corpus": "zoo.data.corpora",
    "save": "zoo.training.saving",
    "states": "zoo.evaluation.probing",
    "stream_generate": "zoo.decoding.generation",
    "surprisal": "zoo.evaluation.surprisal",
    "tag": "zoo.evaluation.tagger",
    "train": "zoo.training.api",
    "translate": "zoo.decoding.translation",
}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("recurrent-zoo")
    except PackageNotFoundError:  # a source tree that is not installed
        return "0+source"


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _MODULE_OF:
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    else:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    globals()[name] = value
    return value


by_name.load = lambda name: __getattr__("load")(name)


def __dir__() -> list[str]:
    return sorted(__all__)
