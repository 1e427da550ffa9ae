"""The common part of the experiments on cells: a small network, its training, its scores.

Every cell stands in the same residual blocks (zoo/layers/block.py) of the same width, so that only
the recurrence differs. The Transformer uses zoo/layers/transformer.py; each of its steps sees
itself and the steps before. If the blocks have a convolution, one of the same width comes before
the Transformer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.layers.block import ResidualStack, causal_convolution
from zoo.layers.cross_entropy import token_losses
from zoo.layers.initializers import uniform
from zoo.layers.linear import affine
from zoo.layers.positions import positions
from zoo.layers.recurrent import Options
from zoo.layers.transformer import TransformerLayer, empty_cache
from zoo.tasks.task import Objective
from zoo.training.optimizers import OptimizerConfig, make_optimizer
from zoo.training.state import TrainState, create_state, train_step

Array = jax.Array

TRANSFORMER = "transformer"
RECENT = 200  # the number of batches that early stopping averages


@dataclass(frozen=True)
class Settings:
    """The settings of each network and its training.

    Attributes:
        width: the number of units in every layer.
        num_layers: the number of layers.
        convolution_width: the width of the convolution before each cell and the Transformer; 0
            means none.
        num_steps: the largest number of training steps with each learning rate.
        batch_size: the number of rows of a batch.
        learning_rates: Adam's learning rates, after 50 steps of warm-up; gradients are clipped at a
            norm of 1. They are tried in this order until one is good enough. Otherwise the rate
            with the best score in training counts.
        good_enough: training stops early once 200 batches in a row have this score on average.
    """

    width: int = 32
    num_layers: int = 1
    convolution_width: int = 0
    num_steps: int = 1500
    batch_size: int = 32
    learning_rates: tuple[float, ...] = (2e-3, 6e-3)
    good_enough: float = 0.9995


class SequenceModel(nn.Module):
    """A network from symbols int32[B, T], or numbers [B, T, D], to outputs [B, T, num_outputs].

    Attributes:
        cell: the name of a cell, or "transformer".
        num_symbols: the number of symbols; without effect if the inputs are numbers.
        num_outputs: the number of outputs of each step.
        width, num_layers, convolution_width: as in `Settings`.
    """

    cell: str
    num_symbols: int
    num_outputs: int
    width: int
    num_layers: int
    convolution_width: int = 0

    @nn.compact
    def __call__(self, inputs: Array) -> Array:
        """Runs the network."""
        if jnp.issubdtype(inputs.dtype, jnp.integer):
            shape = (self.num_symbols, self.width)
            x = self.param("embedding", uniform(1.0), shape)[inputs]
        else:
            glorot = nn.initializers.glorot_uniform()
            x = inputs @ self.param("input_kernel", glorot, (inputs.shape[-1], self.width))
        if self.cell == TRANSFORMER:
            x = self._transform(x)
        else:
            sizes = (self.width,) * self.num_layers
            x, _ = ResidualStack(self.cell, sizes, convolution_width=self.convolution_width)(x)
        kernel = self.param(
            "output_kernel", uniform(self.width**-0.5), (self.width, self.num_outputs)
        )
        bias = self.param("output_bias", nn.initializers.zeros, (self.num_outputs,))
        return affine(x, kernel, bias)

    def _transform(self, x: Array) -> Array:
        rows, steps, width = x.shape
        if self.convolution_width:
            taps = self.convolution_width
            kernel = self.param("convolution_kernel", uniform(taps**-0.5), (taps, width))
            before = jnp.zeros((rows, taps - 1, width), x.dtype)
            x = x + causal_convolution(x, before, kernel, Options())[0]
        x = x + positions(0, steps, width)[None]
        for _ in range(self.num_layers):
            layer = TransformerLayer(width, max(1, width // 16), 4 * width, 0.0)
            cache = empty_cache(rows, steps, width, x.dtype)
            lengths = jnp.full(rows, steps)
            x, _, _ = layer.decode(x, None, lengths, cache, jnp.zeros((), jnp.int32))
        return nn.LayerNorm()(x)


@dataclass(frozen=True)
class Answering(Objective):
    """The task of giving the right symbol at every step that asks for a symbol.

    A batch has `inputs` and `targets` int32[B, T]; targets below 0 ask for nothing.

    Attributes:
        model: a `SequenceModel`.
    """

    model: SequenceModel

    def loss(
        self, params: Any, carry: Any, batch: Any, key: Array
    ) -> tuple[Array, tuple[Any, dict[str, Array]]]:
        """Returns the mean loss in nats, the unchanged carry, and sums with their count."""
        del key
        logits: Any = self.model.apply({"params": params}, batch.inputs)
        asked, targets = batch.targets >= 0, jnp.maximum(batch.targets, 0)
        total = jnp.where(asked, token_losses(logits, targets), 0).sum()
        right = (asked & (logits.argmax(axis=-1) == targets)).sum().astype(jnp.float32)
        count = asked.sum().astype(jnp.float32)
        return total / count, (carry, {"loss_nats": total, "score": right, "num_targets": count})


def fill(batch: Any, num_steps: int) -> Any:
    """Pads a batch to a number of steps with symbol 0, and asks for nothing there.

    Example:
        >>> from experiments.counting_tasks import Batch
        >>> batch = Batch(np.ones((1, 2), np.int32), np.ones((1, 2), np.int32))
        >>> fill(batch, 3)
        Batch(inputs=array([[1, 1, 0]], dtype=int32), targets=array([[ 1,  1, -1]], dtype=int32))
    """
    missing = num_steps - batch.inputs.shape[1]
    widths = [(0, 0), (0, missing), *[(0, 0)] * (batch.inputs.ndim - 2)]
    return batch._replace(
        inputs=np.pad(batch.inputs, widths),
        targets=np.pad(batch.targets, ((0, 0), (0, missing)), constant_values=-1),
    )


def bucket(num_steps: int, smallest: int = 16) -> int:
    """Returns the number of steps to pad a batch to, so that few programs are compiled.

    Example:
        >>> [bucket(steps) for steps in (3, 17, 40, 49, 100)]
        [16, 24, 48, 64, 128]
    """
    size = smallest
    while size < num_steps:  # 16, 24, 32, 48, 64, 96, 128, ...
        size = size * 3 // 2 if size & (size - 1) == 0 else size * 4 // 3
    return size


_step = partial(jax.jit, donate_argnums=0)(train_step)


@partial(jax.jit, static_argnames="task")
def _measure(task: Objective, params: Any, batch: Any) -> dict[str, Array]:
    return task.loss(params, (), batch, jax.random.key(0))[1][1]


def train(
    task: Objective, draw_batch: Callable[[np.random.Generator], Any], settings: Settings, seed: int
) -> tuple[TrainState, float]:
    """Trains a model with each learning rate, until its scores are good enough.

    Args:
        task: a task with a `model` and a loss whose metrics have `score` and `num_targets`.
        draw_batch: a function that draws a batch.
        settings: the settings of the training.
        seed: the seed of the parameters and of all batches.

    Returns:
        The last state of the best run, and the mean score of its last batches.
    """
    runs = []
    for rate in settings.learning_rates:
        runs.append(_train(task, draw_batch, settings, _optimizer(rate, settings.num_steps), seed))
        if runs[-1][1] >= settings.good_enough:
            break
    return max(runs, key=lambda run: run[1])


def _train(
    task: Objective,
    draw_batch: Callable[[np.random.Generator], Any],
    settings: Settings,
    optimizer: Any,
    seed: int,
) -> tuple[TrainState, float]:
    draw = np.random.default_rng(seed)
    first = draw_batch(draw)
    model: Any = task.model  # type: ignore[attr-defined]
    params = jax.jit(model.init)(jax.random.key(seed), first.inputs[:1])["params"]
    state = create_state(task, optimizer, params, (), jax.random.key(seed))
    recent: list[float] = []
    for _ in range(settings.num_steps):
        state, metrics = _step(state, draw_batch(draw))
        recent = [*recent[1 - RECENT :], float(metrics["score"] / metrics["num_targets"])]
        if len(recent) == RECENT and float(np.mean(recent)) >= settings.good_enough:
            break
    return state, float(np.mean(recent))


@cache  # the same optimizer for all runs with the same rate, so that they share programs
def _optimizer(learning_rate: float, num_steps: int) -> Any:
    return make_optimizer(OptimizerConfig("adam", learning_rate, warmup_steps=50), num_steps)


def score(task: Objective, params: Any, batches: Sequence[Any]) -> float:
    """Returns the score over all answers that some batches ask for."""
    found = [_measure(task, params, batch) for batch in batches]
    return float(sum(one["score"] for one in found) / sum(one["num_targets"] for one in found))
