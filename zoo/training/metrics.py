"""The metrics of a run: JSON lines, the progress line, and TensorBoard and W&B if requested."""

import json
import math
import os
import uuid
from typing import Any, Self

from zoo.errors import UserError
from zoo.report.records import METRICS, SAMPLES, write_text
from zoo.training import hosts
from zoo.training.run import Run

_WANDB_ID = "wandb_id.txt"


class MetricsWriter:
    """Appends to a run's metrics and samples, and sends them to TensorBoard and W&B if asked.

    Args:
        run: the run.
        tensorboard: write TensorBoard event files.
        wandb: send the metrics to Weights & Biases.

    Raises:
        UserError: if a package that is needed is not installed.
    """

    def __init__(self, run: Run, *, tensorboard: bool, wandb: bool = False):
        self._board = _open_tensorboard(run) if tensorboard and hosts.is_first() else None
        self._wandb = _open_wandb(run) if wandb and hosts.is_first() else None
        self._run, self._file = run, run.append(METRICS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()
        if self._wandb is not None:
            self._wandb.finish(exit_code=0 if kind is None else 1)

    def write(self, step: int, split: str, scores: dict[str, float]) -> None:
        """Writes one record: the scores of a split after a step."""
        self._file.write(json.dumps({"step": step, "split": split, **scores}) + "\n")
        if self._board is not None:
            for name, value in scores.items():
                self._board.add_scalar(f"{split}/{name}", value, step)
        if self._wandb is not None:
            named = {f"{split}/{name}": value for name, value in scores.items()}
            self._wandb.log({"step": step, **named})

    def write_sample(self, step: int, text: str) -> None:
        """Writes a sample of the model after a step; an empty text is not written."""
        if text:
            with self._run.append(SAMPLES) as file:
                file.write(json.dumps({"step": step, "sample": text}) + "\n")


def _open_tensorboard(run: Run) -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise UserError(
            "training.tensorboard needs tensorboardX; "
            "type: pip install 'recurrent-zoo[tensorboard]'"
        ) from error
    return SummaryWriter(str(run.directory / "tensorboard"))


def _open_wandb(run: Run) -> Any:
    """Opens a run of W&B; a resumed training opens the same run again."""
    try:
        import wandb
    except ImportError as error:
        raise UserError(
            "training.wandb needs wandb; type: pip install 'recurrent-zoo[wandb]'"
        ) from error
    name = run.directory / _WANDB_ID
    if not name.exists():
        write_text(name, uuid.uuid4().hex + "\n")
    opened = wandb.init(
        project=os.environ.get("WANDB_PROJECT", "recurrent-zoo"),
        name=run.directory.name,
        dir=str(run.directory),
        id=name.read_text("utf-8").strip(),
        resume="allow",
        config=run.config,
    )
    opened.define_metric("*", step_metric="step")
    return opened


def progress_line(
    step: int,
    num_steps: int,
    record: dict[str, float],
    seconds_left: float | None,
) -> str:
    """Returns the progress line of a training; rate and time are left out while unknown.

    Example:
        >>> progress_line(50, 100, {"loss_nats": 1.5, "tokens_per_second": 12345}, 61.0)
        'step 50/100  loss 1.5000 nats  12,345 tokens/s  1 min 1 s left'
        >>> progress_line(10, 100, {"loss_nats": 1.5}, None)
        'step 10/100  loss 1.5000 nats'
    """
    line = f"step {step}/{num_steps}  loss {record['loss_nats']:.4f} nats"
    if seconds_left is None:
        return line
    left = max(0, math.ceil(seconds_left))
    minutes = f"{left // 60} min " if left >= 60 else ""
    return f"{line}  {record['tokens_per_second']:,} tokens/s  {minutes}{left % 60} s left"
