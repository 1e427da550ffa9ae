"""What the campaign's forked processes do; each returns like `zoo.terminal.run_program`."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from zoo.terminal import run_program


def arrays(step: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and other state that only one step has."""
    normal = np.random.default_rng(step).normal
    params = {"weight": normal(size=(40, 50)), "cell": {"bias": normal(size=7)}}
    return params, {"step": np.int32(step), "moment": normal(size=(40, 50))}


def save(root: str, first: int, last: int) -> int:
    """Saves steps in turn and keeps two, as a run does."""
    return run_program(lambda: _save(root, first, last))


def _save(root: str, first: int, last: int) -> None:
    from zoo.training import checkpoints

    for step in range(first, last + 1):
        params, state = arrays(step)
        checkpoints.save(
            root,
            step=step,
            params=params,
            state=state,
            config={"step": step},
            vocabulary={"tokens": [str(step)]},
            progress={"fingerprints": {}},
        )
        checkpoints.keep(root, best=None)
        print(f"saved {step}", flush=True)


def train(workdir: str, settings: dict[str, Any]) -> int:
    """Trains a run, or goes on with it, as train.py does."""
    return run_program(lambda: _train(workdir, settings))


def _train(workdir: str, settings: dict[str, Any]) -> None:
    from tiny_run import CONFIG_FILE, read_config

    from zoo.training.loop import train as train_run

    config = read_config(CONFIG_FILE)
    config.update_from_flattened_dict(
        {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in settings.items()
        }
    )
    train_run(config, workdir)


def command(*arguments: str) -> int:
    """Runs `python -m zoo` with arguments."""
    from zoo.__main__ import main

    return main(arguments)


def prepare(text: str, cache: str) -> int:
    """Prepares a corpus in a cache, and prints how many lines and characters it has."""
    return run_program(lambda: _prepare(text, cache))


def _prepare(text: str, cache: str) -> None:
    from zoo.data.config import DataConfig
    from zoo.data.loading import load_corpus

    config = DataConfig(corpus="text_file", directory=text, cache_directory=cache)
    lines = [line for split in load_corpus(config).values() for line in split]
    print(len(lines), sum(map(len, lines)), flush=True)


def read_source(directory: Path) -> dict[str, bytes]:
    """Returns every file below a directory by its relative path."""
    return {
        os.path.relpath(path, directory): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
