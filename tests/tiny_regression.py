"""The smallest thing that can be trained: a line through random points, compiled in no time."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from zoo.models.trained import Checkpoint
from zoo.tasks.task import Objective
from zoo.tasks.workload import Workload
from zoo.training.config import base_config

START = np.array([0.7, -1.2, 0.4], np.float32)  # the weights before training


class Points(NamedTuple):
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Regression(Objective):
    """Least squares, with a carry that counts batches and, if asked, with noise from the key."""

    noise: float = 0.0

    def loss(self, params: Any, carry: Any, batch: Points, key: jax.Array) -> tuple:
        predicted = batch.x @ params["weight"] + self.noise * jax.random.normal(key)
        total = jnp.square(predicted - batch.y).sum()
        count = jnp.float32(len(batch.y))
        return total / count, (
            carry + 1,
            {"loss_nats": total, "num_targets": count, "num_tokens": count},
        )


def points(*seed: int, rows: int = 5) -> Points:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3)).astype(np.float32)
    return Points(x, rng.normal(size=rows).astype(np.float32))


class NoVocabulary:
    """Stands where a model of words has its vocabulary."""

    def to_json(self) -> dict[str, Any]:
        return {"kind": "none"}


class PointBatches:
    """Four batches an epoch, as many points in each as `rows` says."""

    batches_per_epoch = 4

    def __init__(self, rows: tuple[int, ...] = (5, 5, 5, 5)):
        self.rows = rows

    def batch(self, epoch: int, index: int) -> Points:
        assert 0 <= index < self.batches_per_epoch
        return points(epoch, index, rows=self.rows[index])


def validation_loss(params: Any) -> float:
    batch = points(1000, rows=50)
    return float(np.square(batch.x @ np.asarray(params["weight"]) - batch.y).mean())


@dataclass(frozen=True, kw_only=True, eq=False)
class RegressionWorkload(Workload):
    """Scores are those given, the last for ever, or real ones."""

    criterion = "nats_per_token"

    given: Iterator[float]
    last: float | None = None

    def init_params(self, key: jax.Array) -> dict[str, jax.Array]:
        del key
        return {"weight": jnp.asarray(START)}

    def evaluate(self, params: Any) -> dict[str, float]:
        if self.last is None:
            return {"nats_per_token": validation_loss(params)}
        return {"nats_per_token": next(self.given, self.last)}

    def describe(self, scores: dict[str, float]) -> str:
        return f"score {scores['nats_per_token']:.4f}"

    def sample(self, params: Any, seed: int) -> str:
        return f"a sample of seed {seed}"


def regression_workload(
    scores: list[float] | None = None,
    noise: float = 0.0,
    rows: tuple[int, ...] = (5, 5, 5, 5),
    kind: type[RegressionWorkload] = RegressionWorkload,
) -> Workload:
    """A workload whose validation scores are those given, the last for ever, or real ones."""
    return kind(
        trained=Checkpoint(model=None, params={}, vocabulary=NoVocabulary()),
        objective=Regression(noise),
        carry=jnp.zeros(()),
        batches=PointBatches(rows),
        given=iter(scores or []),
        last=scores[-1] if scores else None,
    )


SETTINGS = {
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.05,
    "optimizer.clip_norm": 0.0,
    "training.num_steps": 12,
    "training.steps_per_call": 3,
    "training.log_every_steps": 4,
    "training.checkpoint_every_steps": 100,
    "evaluation.every_steps": 6,
    "evaluation.report": False,
}


def make_config(**more: Any) -> ConfigDict:
    """Settings by their name, with `__` for the dot."""
    config = base_config("recurrent_lm")
    changes = {name.replace("__", "."): value for name, value in more.items()}
    config.update_from_flattened_dict(SETTINGS | changes)
    return config


class Log(list[str]):
    """Lines of progress; a signal comes while a line that begins as told is written."""

    def __init__(self, stop_at: str = "", number: int = signal.SIGTERM):
        super().__init__()
        self.stop_at, self.number = stop_at, number

    def __call__(self, line: str) -> None:
        self.append(line)
        if self.stop_at and line.startswith(self.stop_at):
            signal.raise_signal(self.number)

    def having(self, part: str) -> list[str]:
        return [line for line in self if part in line]


def descend(num_steps: int) -> list[tuple]:
    """SGD on the workload's batches, in NumPy: sums of each step, and the weights after it."""
    weight, steps = START.astype(np.float64), []
    for step in range(num_steps):
        batch = points(*divmod(step, 4))
        residual = batch.x @ weight - batch.y
        gradient = 2 * batch.x.T @ residual / len(residual)
        weight = weight - SETTINGS["optimizer.learning_rate"] * gradient
        steps.append((residual @ residual, np.linalg.norm(gradient), weight))
    return steps
