"""Runs that can be stopped and continued, and that record their minutes in all."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from zoo.errors import UserError
from zoo.report.records import SUMMARY
from zoo.training.loop import train
from zoo.training.run_config import plain_config
from zoo.whole_file import whole_file


def train_timed(
    config: ConfigDict, run: Path, title: str, train_run: Callable[[ConfigDict, str], Any] = train
) -> float:
    """Trains or continues a run, or leaves a finished one; returns its minutes in all.

    Raises a UserError if the directory holds a run with another config. Ends the process with code
    1 if training was stopped before its end. First the compiled programs of earlier runs are
    dropped: fifty runs in one process would fill its table of memory maps.

    Args:
        config: the config of the run.
        run: its directory.
        title: the text that is printed before the run.
        train_run: a function that trains a config in a directory.
    """
    jax.clear_caches()
    clock = run / "minutes.json"
    before = json.loads(clock.read_text()) if clock.exists() else 0.0
    asked, wanted = run / "asked.json", plain_config(config)
    if asked.exists() and json.loads(asked.read_text()) != wanted:
        raise UserError(f"{run} holds a run with other settings; choose another --workdir")
    if (run / SUMMARY).exists():  # written at the end
        return before
    started = time.monotonic()
    print(f"== {title}", flush=True)
    train_run(config, str(run))
    minutes = before + (time.monotonic() - started) / 60
    with whole_file(clock) as incomplete:
        incomplete.write_text(json.dumps(minutes))
    asked.write_text(json.dumps(wanted))
    if not (run / SUMMARY).exists():
        print("stopped; the same command continues from here")
        sys.exit(1)
    return minutes
