"""The inside of a trained model: the states of its layers, and its embeddings.

A probe, such as a linear classifier for parts of speech, can be trained on the states of a layer
(Alain and Bengio 2017; for language models Adi et al. 2017).
"""

import dataclasses
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.data.batching import pad_rows, power_of_two, shift_targets
from zoo.data.labeled_batching import encode_texts
from zoo.data.vocabulary import Vocabulary, encode_lines
from zoo.decoding.translation import MAX_SOURCE_TOKENS, TRANSLATOR, TrainedTranslator
from zoo.errors import UserError
from zoo.evaluation.classifying import CLASSIFIER, TrainedClassifier
from zoo.evaluation.modes import MODES, Mode
from zoo.evaluation.perplexity import text_lines
from zoo.fetching import fetch
from zoo.given import given_texts
from zoo.models.trained import LANGUAGE_MODEL, Checkpoint, Kind, ModelOrName, require
from zoo.special_tokens import START_ID
from zoo.types import Json, Params, PyTree

Array = jax.Array

SIDES = ("source", "target")
_LAYER = re.compile(r"(reverse_)?layer_(\d+)")
_WHOLE = ("encoder", "stack")  # all layers, the outer one first


@dataclasses.dataclass(frozen=True, eq=False)
class States:
    """The states of all layers of a model along a text.

    Attributes:
        tokens: the T tokens that were read. A language model reads `<s>` before each sentence, and
            no end; it predicts the token or the end that follows from the state at step t.
        layers: float32[T, H] by the name of the layer, from the bottom: `layer_0`, ..., and
            `reverse_layer_0`, ... if the model reads in both directions; and `output`, the input
            of the rest of the model.
    """

    tokens: tuple[str, ...]
    layers: dict[str, np.ndarray]


def states(checkpoint: ModelOrName, text: str, *, mode: Mode = "stream") -> States:
    """Returns the states of all layers of a model while it reads a text.

    Args:
        checkpoint: a recurrent language model, a classifier, or a translator, whose encoder reads
            the text; or a name that `zoo.load` accepts.
        text: the text; for a language model a newline ends a sentence.
        mode: only for a language model: "stream" carries the state over sentences, "sentence"
            resets it at each sentence.

    Raises:
        UserError: if the model has no layers with states, or the text is empty.

    Example:
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
        >>> from zoo.models.trained import TrainedLanguageModel
        >>> words = build_vocabulary("word", ["it rains"])
        >>> model = RecurrentLM(RecurrentLMConfig(hidden_sizes=(4, 6)), len(words))
        >>> params = jax.jit(model.init)(jax.random.key(0), jnp.ones((1, 1), int))["params"]
        >>> checkpoint = TrainedLanguageModel(model=model, params=params, vocabulary=words)
        >>> found = states(checkpoint, "it rains")
        >>> found.tokens, {name: layer.shape for name, layer in found.layers.items()}
        (('<s>', 'it', 'rains'), {'layer_0': (3, 4), 'layer_1': (3, 6), 'output': (3, 6)})
    """
    trained = require(checkpoint, Checkpoint)
    if mode not in MODES:
        raise UserError(f"mode is {mode!r}; use one of {', '.join(MODES)}")
    if not isinstance(trained.model, nn.Module):
        raise UserError(f"{trained.name} is a model of n-grams, which has no states and embeddings")
    if not isinstance(text, str):
        raise TypeError(f"text is a {type(text).__name__}; give a string")
    if trained.kind not in _READERS:
        nouns = ", ".join(kind.noun for kind in _READERS)
        raise UserError(
            f"{trained.name} is a {trained.kind.noun}; give one of these models: {nouns}"
        )
    names, tokens = _READERS[trained.kind](trained, text)
    padded = pad_rows([np.array(tokens)], power_of_two(len(tokens)))
    length = np.array([len(tokens)], np.int32)
    found = _forward(trained.model, trained.kind, mode, trained.params, padded, length)
    layers = {name: array[0, : len(tokens)] for name, array in fetch(found).items()}
    if not layers:
        raise UserError(f"{trained.name} has no layers with states; give a recurrent model")
    return States(tuple(names.tokens[token] for token in tokens), _in_order(layers))


def _read_text(trained: Checkpoint, text: str) -> tuple[Vocabulary, list[int]]:
    """Returns the vocabulary and the inputs of a language model."""
    tokens = encode_lines(trained.vocabulary, text_lines(text))
    return trained.vocabulary, shift_targets(tokens).tolist()


def _read_labeled(trained: TrainedClassifier, text: str) -> tuple[Vocabulary, list[int]]:
    (row,) = encode_texts(trained.vocabulary, [text], trained.max_tokens, trained.cut)
    return trained.vocabulary, row.tolist()


def _read_source(trained: TrainedTranslator, text: str) -> tuple[Vocabulary, list[int]]:
    line = " ".join((text.lower() if trained.lowercase else text).split())
    (row,) = encode_texts(trained.source_vocabulary, [line], MAX_SOURCE_TOKENS)
    return trained.source_vocabulary, row.tolist()


_READERS: Mapping[Kind, Callable[[Any, str], tuple[Vocabulary, list[int]]]] = {
    LANGUAGE_MODEL: _read_text,
    CLASSIFIER: _read_labeled,
    TRANSLATOR: _read_source,
}


@partial(jax.jit, static_argnums=(0, 1, 2))
def _forward(
    model: nn.Module, kind: Kind, mode: Mode, params: Params, tokens: Array, lengths: Array
) -> dict[str, Array]:
    """Returns arrays [1, T, H] by the name of the layer; other outputs are dropped."""

    def is_wanted(module: nn.Module, method: str) -> bool:
        name = module.name or ""
        return method == "__call__" and bool(_LAYER.fullmatch(name) or name in _WHOLE)

    options: Json = {"capture_intermediates": is_wanted, "mutable": ["intermediates"]}
    inputs: tuple[Array, ...] = (tokens,)
    if kind == TRANSLATOR:
        inputs, options["method"] = (tokens, lengths), "encode"
    else:
        options["lengths"] = lengths
    if kind == LANGUAGE_MODEL and mode == "sentence":
        options["resets"] = tokens == START_ID
    _, kept = model.apply({"params": params}, *inputs, **options)
    found = dict(_captured(kept.get("intermediates", {})))
    wholes = [found.pop(name) for name in _WHOLE if name in found]
    return found | ({"output": wholes[0]} if wholes else {})


def _captured(kept: PyTree, name: str = "") -> PyTree:
    """Yields the names of modules and the first array that each module returned."""
    for key, value in kept.items():
        if key == "__call__":
            yield name, jax.tree.leaves(value)[0]
        else:
            yield from _captured(value, key)


def _in_order(layers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Sorts layers from the bottom, forward before reverse, with the output last."""

    def place(name: str) -> tuple[bool, int, bool]:
        found = _LAYER.fullmatch(name)
        return (found is None, int(found[2]) if found else 0, bool(found and found[1]))

    return {name: layers[name] for name in sorted(layers, key=place)}


def embedding(
    checkpoint: ModelOrName, tokens: str | Sequence[str], *, side: str = "source"
) -> np.ndarray:
    """Returns the embedding of a token, or of several tokens.

    Args:
        checkpoint: any neural model, or a name that `zoo.load` accepts.
        tokens: one token or a list of tokens, written as in the vocabulary.
        side: only for a translator: "source" or "target".

    Returns:
        float32[D] for one token, float32[N, D] for a list of N tokens.

    Raises:
        UserError: if the vocabulary lacks a token, or the model has no embeddings.

    Example:
        >>> import zoo
        >>> zoo.embedding("python_docs_lstm", ["a", "b"]).shape
        (2, 64)
    """
    trained = require(checkpoint, Checkpoint)
    if side not in SIDES:
        raise UserError(f"side is {side!r}; use source or target")
    vocabulary: Vocabulary = trained.vocabulary
    if trained.kind == TRANSLATOR and side == "source":
        vocabulary = require(trained, TrainedTranslator).source_vocabulary
    tables = [trained.params.get(name) for name in (f"{side}_embedding", "embedding")]
    table = next((table for table in tables if table is not None), None)
    if table is None:
        raise UserError(f"{trained.name} is a model of n-grams, which has no states and embeddings")
    rows = [_number(vocabulary, token) for token in given_texts(tokens, "tokens")]
    found = np.asarray(jnp.asarray(table)[np.array(rows, np.int32)])
    return found[0] if isinstance(tokens, str) else found


def _number(vocabulary: Vocabulary, token: str) -> int:
    """Returns the number of a token in a vocabulary."""
    if token in vocabulary.tokens:
        return vocabulary.tokens.index(token)
    near = difflib.get_close_matches(token, vocabulary.tokens, n=3)
    known = f"similar tokens: {', '.join(near)}" if near else "see checkpoint.vocabulary.tokens"
    raise UserError(f"the vocabulary has no token {token!r}; {known}")
