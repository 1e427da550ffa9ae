"""Checkpoints with sound sums and hostile content, made one change at a time."""

import json
import math
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tiny_checkpoints
from campaign.samples import card_sample
from labeled_texts import labeled_texts

from zoo.training import arrays, checkpoints, step_files
from zoo.training.config import base_config

NAMES = ("lstm", "counts", "topics", "names", "german")
FILES = ("config.json", "vocabulary.json", "progress.json", "card.json")
DEEP = "<deep>"  # stands for an array nested a hundred thousand times
WHOLE: tuple[bytes, ...] = (
    *(b"", b"[]", b"null", b"3", b'"x"', b"{}", b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b"NaN"),
    *(b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000, b"9" * 5000, b"{}" * 9),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2, 10**20, -(10**20), 10**400, 1e308, -1e308, 0.5, 1e-320),
    *(math.nan, math.inf, -math.inf, "", "x", "x" * 10_000, "\x1b[2J\x9b\u202e", "\ud800", "\0"),
    *("a\nb", "None", "1", "nan", "tfds:ds", "tfds:../../ds", "text_file", "table_file", "lstm"),
    *("http://127.0.0.1:9/x", "gs://bucket/x", "file:///etc/passwd", "~nosuchuser/x", "~root"),
    *("$(touch ran)", "`touch ran`", "{0.__class__}", "%s%n", "__import__('os').system('x')"),
    *([], {}, [[]], [None], [-1], [10**20], [0] * 10_000, {"x": {"y": 1}}, ["x"], [1e308], DEEP),
)


def make_places(root: Path) -> dict[str, str]:
    """Small corpora of the user's own, by what a command calls them."""
    root.mkdir()
    lines = "a net reads a line\nit guesses the next word\n" * 3
    (root / "text").mkdir()
    for split in ("train", "valid", "test"):
        (root / "text" / f"{split}.txt").write_text(lines * (5 if split == "train" else 1))
    rows = "".join(f"{text},label {len(text) % 12}\n" for text, _ in labeled_texts(40))
    (root / "table.csv").write_text(f"text,label\n{rows}")
    (root / "source.txt").write_text("ein Netz liest\neine Zeile\n")
    (root / "target.txt").write_text("a net reads\na line\n")
    pairs = "".join(f"ein Netz {number}\ta net {number}\n" for number in range(40))
    (root / "pairs.tsv").write_text(pairs)
    sentence = "a B-per\nnet I-per\nreads O\nlines B-pet\n\n"
    (root / "names.conll").write_text(sentence * 30)
    return {
        "columns": str(root / "names.conll"),
        "text": str(root / "text" / "test.txt"),
        "corpus": str(root / "text"),
        "table": str(root / "table.csv"),
        "source": str(root / "source.txt"),
        "target": str(root / "target.txt"),
        "pairs": str(root / "pairs.tsv"),
    }


_CORPORA = {"topics": "table_file", "names": "conll_file", "german": "parallel_text"}


def make_sound(root: Path, name: str, secret: Path) -> Path:
    """One step's directory with a whole config, whose places are none of the user's, and a card."""
    run = tiny_checkpoints.save(root, name)
    step = Path(checkpoints.step_directory(run, checkpoints.steps(run)[-1]))
    model = json.loads((step / "config.json").read_text())["model"]
    config = json.loads(base_config(model["architecture"]).to_json())
    config["model"] |= model
    config["data"] |= {"corpus": _CORPORA.get(name, "text_file"), "directory": str(secret)}
    config["data"] |= {"cache_directory": str(secret)}
    if "word_vectors" in config["data"]:
        config["data"]["word_vectors"] = str(secret / "vectors")
    scores = {"perplexity": 3.5, "accuracy": 0.5}
    progress = {"step": 1, "best_step": 1, "best_score": 3.5, "best_scores": scores, "stalled": 0}
    progress |= {"scores": [3.5], "sums": {"loss_nats": 1.0}, "validation": scores}
    progress |= {"fingerprints": {"train": "ab", "validation": "cd", "test": "ef"}}
    card = json.loads(card_sample()) | {"needs_directory": True, "python": ""}
    card["scores"] = card["scores"][:1]
    for file, record in (("config", config), ("progress", progress), ("card", card)):
        (step / f"{file}.json").write_text(json.dumps(record))
    (step / "card.md").write_text("# A card\n")
    seal(step)
    return step


def seal(directory: Path) -> Path:
    """Makes the sums agree with whatever the files now hold."""
    step_files.write_sums(checkpoints.epath.Path(directory))
    return directory


def copy(directory: Path, target: Path) -> Path:
    """A copy to be changed."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(directory, target))


def _leaves(record: Any, path: tuple = ()) -> list[tuple]:
    if isinstance(record, dict):
        return [path, *(leaf for key in record for leaf in _leaves(record[key], (*path, key)))]
    if isinstance(record, list) and record:
        return [path, *_leaves(record[0], (*path, 0)), *_leaves(record[-1], (*path, -1))]
    return [path]


def change_a_value(chance: random.Random, path: Path, secret: Path) -> str:
    """Puts something else in the place of one value of a JSON file; tells what."""
    record = json.loads(path.read_text())
    place = chance.choice(_leaves(record))
    value = chance.choice((*VALUES, str(secret / "key.txt"), str(secret), f"tfds:{secret}/ds"))
    if place:
        inner = record
        for key in place[:-1]:
            inner = inner[key]
        if chance.random() < 0.1 and isinstance(inner, dict):
            del inner[place[-1]]
            value = "(deleted)"
        else:
            inner[place[-1]] = value
    else:
        record = value
    text = json.dumps(record).replace(f'"{DEEP}"', "[" * 100_000 + "]" * 100_000)
    path.write_text(text)
    return f"{path.name} {'.'.join(map(str, place))} = {str(value)[:60]!r}"


def _everywhere(change: Callable[[np.ndarray], Any]) -> Callable[[Any], Any]:
    """Changes every array of a tree."""

    def walk(tree: Any) -> Any:
        return {k: walk(v) for k, v in tree.items()} if isinstance(tree, dict) else change(tree)

    return walk


def _one(name: str, value: Any) -> Callable[[Any], Any]:
    return lambda tree: {**tree, name: value}


# Parameters that are none of the model's; each has to be refused.
PARAMETERS: dict[str, Callable[[Any], Any]] = {
    "NaN": _everywhere(lambda array: array * np.float32(np.nan)),
    "infinite": _everywhere(lambda array: np.full_like(array, np.inf, np.float32)),
    "minus infinite": _everywhere(lambda array: np.full_like(array, -np.inf, np.float32)),
    "transposed": _everywhere(lambda array: array.T[..., None]),
    "empty": _everywhere(lambda array: array[:0]),
    "scalars": _everywhere(lambda array: np.float32(1)),
    "complex": _everywhere(lambda array: array.astype(np.complex64)),
    "bytes": _everywhere(lambda array: array.astype(np.uint8)),
    "doubled": _everywhere(lambda array: np.concatenate([array, array])),
    "one more": _one("more", np.ones(2, np.float32)),
    "a name that is a path": _one("../../escaped", np.ones(2, np.float32)),
    "a name of escapes": _one("\x1b[2J", np.ones(2, np.float32)),
    "nested": lambda tree: {"params": tree},
    "an empty name": _one("x" * 100, np.ones((1, 0), np.float32)),
}


def with_parameters(directory: Path, change: Callable[[Any], Any]) -> Path:
    """Changes the parameters of a copy."""
    params = checkpoints.restore(directory).params
    shutil.rmtree(directory / "params")
    arrays.write_arrays(checkpoints.epath.Path(directory / "params"), change(params))
    return seal(directory)


def link(path: Path, target: str) -> None:
    """Puts a pipe, a directory or a link in the place of a file or a directory."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if target == "pipe":
        os.mkfifo(path)
    elif target == "dir":
        path.mkdir()
    else:
        path.symlink_to(path.name if target == "loop" else target)


SCRIPT = "<script src='http://127.0.0.1:9/x'></script>\"'><img onerror=x src=//127.0.0.1/>"


def make_run(chance: random.Random, run: Path, secret: Path) -> str:
    """Makes a run's directory in which one value is another, and texts hold markup; tells what."""
    run.mkdir()
    config = json.loads(base_config("recurrent_lm").to_json())
    config["data"]["corpus"] = SCRIPT
    chart = {"kind": "lines", "title": SCRIPT, "x_label": SCRIPT, "y_label": SCRIPT}
    chart |= {"logarithmic": True, "series": [{"name": SCRIPT, "x": [1, 2], "y": [0.5, 2.0]}]}
    heat = {"kind": "heat_map", "title": SCRIPT, "rows": [SCRIPT, "b"], "columns": ["c", SCRIPT]}
    heat |= {"values": [[0.1, 0.9], [1, 0]], "texts": [[SCRIPT, "1"], ["2", "3"]]}
    table = {"kind": "table", "title": SCRIPT, "columns": [SCRIPT], "rows": [[SCRIPT], ["1"]]}
    summary = {
        "best_step": 2,
        "scores": {SCRIPT: 3.5, "perplexity": 2},
        "figures": [chart, heat, table],
    }
    files = {"config.json": config, "summary.json": summary}
    files["metrics.jsonl"] = {"step": 1, "split": SCRIPT, "perplexity": 3.0, SCRIPT: 1.0}
    files["samples.jsonl"] = {"step": 1, "sample": SCRIPT}
    files["sessions.jsonl"] = {"step": 1, "seconds": 1.5, "command": SCRIPT}
    files["evaluations.jsonl"] = {"step": 1, "settings": SCRIPT, "scores": {SCRIPT: 2.0}}
    for name, record in files.items():
        (run / name).write_text(json.dumps(record) + "\n")
    told = change_a_value(chance, run / chance.choice(list(files)), secret)
    for name in ("metrics.jsonl", "samples.jsonl"):
        first = (run / name).read_text().strip()
        (run / name).write_text(f"{first}\n" + json.dumps(files[name] | {"step": 2}) + "\n")
    return told


def fault_of_page(page: str) -> str:
    """Returns what a page holds that is more than text; "" if it holds nothing of the kind."""
    for markup in ("<script", "<img", "x src=//127.0.0.1/>"):
        if markup in page:
            return f"the page holds {markup}"
    return ""
