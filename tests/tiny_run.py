"""A tiny corpus and a config for it, with which a run takes a second or two."""

import importlib.util
import json
import os
import random
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from zoo.training import checkpoints
from zoo.training.stored import read_whole

ROOT = Path(__file__).parents[1]
CONFIG_FILE = ROOT / "configs" / "python_docs_lstm.py"  # what tiny_config starts from

PARTS = (
    ("the old boat", "a green bird", "my brother", "this small town", "the rain"),
    ("sleeps", "waits", "sings", "falls", "turns slowly"),
    ("in the morning", "by the lake", "under a tree", "for us", "again"),
)


def write_corpus(directory: Path, num_lines: int = 80, name: str = "corpus.txt") -> Path:
    """A text of sentences, always the same one, about 30 characters a line."""
    draw = random.Random(0)
    lines = [" ".join(draw.choice(part) for part in PARTS) for _ in range(num_lines)]
    path = directory / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def environment_with(devices: int) -> dict[str, str]:
    """The environment of a Python process that finds our modules and so many CPU devices."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    return os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}


def read_config(path: Path) -> ConfigDict:
    """What a config file gives."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


def file_settings(corpus: str, path: Path) -> dict[str, str]:
    """Settings of a corpus that is a file of the test's own, with its cache beside it."""
    return {
        "data.corpus": corpus,
        "data.directory": str(path),
        "data.cache_directory": str(path.parent / "cache"),
    }


def tiny_settings(corpus: Path, **more: Any) -> dict[str, Any]:
    """Settings by their name in the config, with `__` for the dot."""
    settings = {
        **file_settings("text_file", corpus),
        "data.batch_size": 4,
        "data.sequence_length": 8,
        "model.cell": "elman",
        "model.embedding_size": 6,
        "model.hidden_sizes": (5,),
        "optimizer.warmup_steps": 2,
        "training.num_steps": 12,
        "training.steps_per_call": 4,
        "training.log_every_steps": 4,
        "training.checkpoint_every_steps": 6,
        "evaluation.every_steps": 6,
        "evaluation.sample_tokens": 0,
        "evaluation.report": False,
    }
    return settings | {name.replace("__", "."): value for name, value in more.items()}


def tiny_config(corpus: Path, **more: Any) -> ConfigDict:
    """The config with these settings."""
    config = read_config(CONFIG_FILE)
    config.update_from_flattened_dict(tiny_settings(corpus, **more))
    return config


def tiny_flags(corpus: Path, **more: Any) -> list[str]:
    """The same as flags of train.py."""
    settings = tiny_settings(corpus, **more)
    return [
        f"--config={CONFIG_FILE}",
        *(f"--config.{name}={value}" for name, value in settings.items()),
    ]


def read_metrics(workdir: Path) -> list[dict[str, Any]]:
    """The metrics of a run, without what depends on the clock."""
    lines = (workdir / "metrics.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    for record in records:
        record.pop("tokens_per_second", None)
    return records


def metrics_of(workdir: Path, split: str) -> list[dict[str, Any]]:
    """Those of one split."""
    return [record for record in read_metrics(workdir) if record["split"] == split]


def array_bits(tree: Any) -> dict[str, tuple]:
    """Every array of a tree by its path: shape, dtype and bits."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    bits = {}
    for path, leaf in leaves:
        if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        array = np.asarray(leaf)
        bits[jax.tree_util.keystr(path)] = (array.shape, array.dtype, array.tobytes())
    return bits


def saved_bits(workdir: Path, step: int) -> dict[str, Any]:
    """Everything that a checkpoint holds: each array's bits, and its progress."""
    import orbax.checkpoint as ocp

    directory = checkpoints.step_directory(workdir, step)
    checkpoints.verify(directory)
    bits: dict[str, Any] = {"progress": json.loads((directory / "progress.json").read_text())}
    for item in ("params", "state"):
        if (directory / item / "tree.json").exists():  # written by several processes
            bits[item] = array_bits(read_whole(directory / item))
            continue
        with ocp.PyTreeCheckpointer() as checkpointer:
            bits[item] = array_bits(checkpointer.restore(directory / item))
    return bits
