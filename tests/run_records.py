"""A run's directory as training leaves it, made without training."""

import json
from pathlib import Path
from typing import Any

METRICS = [
    {"step": 1, "split": "train", "loss_nats": 3.0},
    {"step": 2, "split": "train", "loss_nats": 2.5, "learning_rate": 0.1},
    {"step": 2, "split": "validation", "perplexity": 9.0},
]


def write_run(
    directory: Path, *, config: Any = None, metrics: Any = (), tail: str = "", **files: str
) -> Path:
    """A run's directory with these records; other files by name, with _ for the dot."""
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config or {"model": {"cell": "gru"}}))
    lines = "".join(json.dumps(line) + "\n" for line in metrics)
    (directory / "metrics.jsonl").write_text(lines + tail)
    for name, content in files.items():
        (directory / name.replace("_", ".")).write_text(content)
    return directory
