"""Small tagged corpora of our own: names and places, told by the word and by the word before it."""

import random
from pathlib import Path

from ml_collections import ConfigDict
from tiny_run import file_settings

from zoo.training.config import base_config

NAMES = ("Anna", "Otto", "Emil", "Ida")
PLACES = ("Ulm", "Bonn", "Trier", "Jena")
VERBS = ("lives", "works", "sleeps")

Sentence = tuple[tuple[str, ...], tuple[str, ...]]


def tagged_sentences(num_sentences: int = 80, seed: int = 0) -> list[Sentence]:
    """Sentences such as "Anna Otto lives in New Ulm", tagged in IOB2."""
    draw = random.Random(seed)
    sentences = []
    for _ in range(num_sentences):
        words, tags = [draw.choice(NAMES)], ["B-per"]
        if draw.random() < 0.3:
            words, tags = [*words, draw.choice(NAMES)], [*tags, "I-per"]
        words, tags = [*words, draw.choice(VERBS), "in"], [*tags, "O", "O"]
        if draw.random() < 0.4:
            words, tags = [*words, "New"], [*tags, "B-loc"]
        words = [*words, draw.choice(PLACES)]
        tags = [*tags, "I-loc" if words[-2] == "New" else "B-loc"]
        sentences.append((tuple(words), tuple(tags)))
    return sentences


def write_columns(path: Path, sentences: list[Sentence]) -> Path:
    """A word, a tab and its tag a line, a blank line behind each sentence."""
    rows = (zip(words, tags, strict=True) for words, tags in sentences)
    blocks = ("".join(f"{word}\t{tag}\n" for word, tag in pairs) for pairs in rows)
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


def tagger_config(path: Path, **settings: object) -> ConfigDict:
    """A tiny tagger of a file, its cache beside it, with settings by their name in the config."""
    config = base_config("tagger")
    own = {
        **file_settings("conll_file", path),
        "data.batch_size": 8,
        "data.bucket_lengths": (8,),
        "model.embedding_size": 6,
        "model.hidden_sizes": (5,),
        "model.characters": "none",
        "model.character_embedding_size": 4,
        "model.character_size": 3,
        "model.max_characters": 4,
    }
    config.update_from_flattened_dict(
        own | {name.replace("__", "."): value for name, value in settings.items()}
    )
    return config
