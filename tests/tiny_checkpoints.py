"""A small checkpoint of every task: random parameters, or counts of two lines."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.data.labels import make_labels
from zoo.data.vocabulary import build_vocabulary, encode_lines
from zoo.models import kneser_ney, registry
from zoo.models.ngram_lm import NGramConfig
from zoo.tasks.encoded_tagged import allowed_transitions
from zoo.training import checkpoints

LINES = ["a net reads a line", "it guesses the next word"]
WORDS = build_vocabulary("word", LINES)
CHARACTERS = build_vocabulary("character", LINES)
SOURCES = build_vocabulary("word", ["ein Netz liest", "eine Zeile"])
LABELS = make_labels([[f"label {number}"] for number in range(12)])
_SMALL = {"embedding_size": 6, "hidden_sizes": (5,)}
_TAGGER = {"architecture": "tagger", "characters": "none", **_SMALL}
_NAME_TAGS = ("B-per", "B-pet", "I-per", "I-pet", "O")
TAGS = {"names": _NAME_TAGS, "spelled": _NAME_TAGS, "parts": ("NOUN", "VERB", "X")}
SCHEMES = {"names": "iob2", "spelled": "iob2", "parts": "plain"}
_PAIR = {"architecture": "encoder_decoder", "embedding_size": 4, "hidden_size": 6}
_CASES = {
    "lstm": ({"architecture": "recurrent_lm", **_SMALL}, WORDS),
    "gru": ({"architecture": "recurrent_lm", "cell": "gru", **_SMALL}, WORDS),
    "counts": ({"architecture": "ngram_lm", "order": 2}, WORDS),
    "characters": ({"architecture": "recurrent_lm", **_SMALL}, CHARACTERS),
    "topics": ({"architecture": "classifier", "pooling": "attention", **_SMALL}, WORDS),
    "names": (_TAGGER, WORDS),
    "spelled": ({**_TAGGER, "characters": "recurrent", "max_characters": 4}, WORDS),
    "parts": ({**_TAGGER, "output": "softmax"}, WORDS),
    "german": (_PAIR, WORDS),
    "german_vector": ({**_PAIR, "context": "vector"}, WORDS),
}
NAMES = tuple(_CASES)


def save(root: Path, name: str) -> Path:
    """Saves one of them; gives the run's directory, which has its name."""
    settings, vocabulary = _CASES[name]
    if settings["architecture"] == "ngram_lm":
        stream = encode_lines(vocabulary, LINES)
        counted = kneser_ney.estimate(stream, NGramConfig(order=2), len(vocabulary))
        return _write(root / name, settings, vocabulary.to_json(), counted.params)
    record: dict[str, object] = vocabulary.to_json()
    tokens = jnp.ones((1, 2), jnp.int32)
    inputs: tuple[jax.Array, ...] = (tokens,)
    sizes: dict[str, Any] = {}
    lengths: dict[str, jax.Array] = {}
    if settings["architecture"] == "classifier":
        record = {"tokens": record, "labels": LABELS.to_json()}
        sizes, lengths = {"num_labels": len(LABELS)}, {"lengths": jnp.array([2])}
    elif settings["architecture"] == "tagger":
        record, sizes = _tagger(record, name, len(vocabulary))
        lengths = {"lengths": jnp.array([2])}
        inputs = (tokens, jnp.ones((1, 2, 4), jnp.int32)) if name == "spelled" else inputs
    elif settings["architecture"] == "encoder_decoder":
        record = {"source": SOURCES.to_json(), "target": record}
        sizes, inputs = {"source_vocabulary_size": len(SOURCES)}, (tokens, jnp.array([2]), tokens)
    model = registry.build(settings, len(vocabulary), **sizes)
    shapes = jax.eval_shape(model.init, jax.random.key(0), *inputs, **lengths)["params"]
    draw = np.random.default_rng(len(name)).normal
    params = jax.tree.map(lambda leaf: np.asarray(draw(size=leaf.shape), np.float32), shapes)
    return _write(root / name, settings, record, params)


def _tagger(
    words: dict[str, Any], name: str, num_words: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is saved beside a tagger's parameters, and the sizes of its model."""
    tags, scheme = TAGS[name], SCHEMES[name]
    reads_characters = name == "spelled"
    record = {
        "words": words,
        "characters": CHARACTERS.to_json() if reads_characters else None,
        "tags": list(tags),
        "scheme": scheme,
        "num_trained_words": num_words,
    }
    return record, {
        "num_tags": len(tags),
        "num_characters": len(CHARACTERS) if reads_characters else 0,
        "allowed": allowed_transitions(tags, scheme),
    }


def _write(run: Path, settings: dict[str, Any], record: dict[str, Any], params: Any) -> Path:
    checkpoints.save(
        run,
        step=1,
        params=params,
        state={"step": np.int32(1)},
        config={"model": settings},
        vocabulary=record,
        progress={},
    )
    return run
