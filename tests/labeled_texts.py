"""Small labelled corpora of our own, in the forms that users have them in."""

import csv
import json
import random
from pathlib import Path

from ml_collections import ConfigDict
from tiny_run import file_settings

from zoo.training.config import base_config

GOOD = ("good", "fine", "lovely", "bright")
BAD = ("bad", "poor", "ugly", "dull")
REST = ("the", "film", "was", "a", "story", "and", "very", "it")


def labeled_texts(num_texts: int = 120, seed: int = 0) -> list[tuple[str, str]]:
    """Texts that are good or bad, told by one word among others."""
    draw = random.Random(seed)
    texts = []
    for number in range(num_texts):
        words = draw.choices(REST, k=draw.randint(2, 12))
        words.insert(draw.randint(0, len(words)), draw.choice(BAD if number % 2 else GOOD))
        texts.append((" ".join(words), "bad" if number % 2 else "good"))
    return texts


def classifier_config(table: Path, **settings: object) -> ConfigDict:
    """A classifier of a table, its cache beside it, with settings by their name in the config."""
    config = base_config("classifier")
    data = {
        **file_settings("table_file", table),
        "data.batch_size": 8,
    }
    config.update_from_flattened_dict(data | settings)
    return config


def write_csv(path: Path, rows: list[tuple[str, str]], header: tuple[str, str]) -> Path:
    """A .csv, or with a path that ends so, a .tsv."""
    with path.open("w", newline="", encoding="utf-8") as file:
        if path.suffix == ".csv":
            csv.writer(file).writerows([header, *rows])
        else:
            file.writelines("\t".join(row) + "\n" for row in [header, *rows])
    return path


def write_jsonl(path: Path, rows: list[tuple[str, object]]) -> Path:
    """An object a line."""
    lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path
