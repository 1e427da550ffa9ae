"""Decision surfaces of a two-layer feed-forward network: XOR and two spirals.

    python experiments/decision_surface.py --workdir=runs/surfaces [--smoke]

Points in the plane have two features and a class; the network is y = softmax(U g(W x)). One hidden
unit cannot learn XOR, a few can; the spirals need many. The train step is the same as for every
other model. Writes decision_surface.png and decision_surface.json to the workdir, in about a
minute.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zoo.diagnostics.pictures import COLOURS, MARKERS, picture
from zoo.models.feedforward import FeedForward, regularised_loss
from zoo.tasks.task import Objective
from zoo.terminal import run_script
from zoo.training.optimizers import OptimizerConfig, make_optimizer
from zoo.training.state import create_state, train_steps

Array = jax.Array


class Points(NamedTuple):
    """float32[N, 2] features and int32[N] classes."""

    features: np.ndarray
    classes: np.ndarray


def xor(num_points: int, seed: int) -> Points:
    """Returns points of a square; the class is 1 if the two features differ in sign."""
    features = np.random.default_rng(seed).uniform(-1, 1, (num_points, 2)).astype(np.float32)
    return Points(features, (features.prod(axis=1) < 0).astype(np.int32))


def two_spirals(num_points: int, seed: int) -> Points:
    """Returns two arms that wind around each other (Lang and Witbrock 1988), with some noise."""
    draw = np.random.default_rng(seed)
    classes = (np.arange(num_points) % 2).astype(np.int32)
    radius = np.sqrt(draw.uniform(0.02, 1, num_points))
    angle = 3.5 * np.pi * radius + np.pi * classes
    features = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    features += draw.normal(scale=0.015, size=features.shape)
    return Points(features.astype(np.float32), classes)


@dataclass(frozen=True)
class Classification(Objective):
    """The classification of points by a FeedForward network, with an L2 penalty."""

    model: FeedForward
    l2: float

    def loss(
        self, params: Any, carry: Any, batch: Points, key: Array
    ) -> tuple[Array, tuple[Any, dict[str, Array]]]:
        """Returns the regularised loss in nats, the unchanged carry, and no metrics."""
        del key
        logits: Any = self.model.apply({"params": params}, batch.features)
        return regularised_loss(logits, jnp.asarray(batch.classes), params, self.l2), (carry, {})


class Case(NamedTuple):
    """One panel of the picture."""

    title: str
    points: Points
    hidden_size: int
    activation: str
    l2: float = 0.0


CASES = (
    Case("XOR, 1 hidden unit", xor(200, 0), 1, "tanh"),
    Case("XOR, 4 hidden units", xor(200, 0), 4, "tanh"),
    Case("two spirals, 64 tanh", two_spirals(400, 0), 64, "tanh"),
    Case("two spirals, 64 relu", two_spirals(400, 0), 64, "relu"),
    Case("the same with L2 penalty", two_spirals(400, 0), 64, "relu", l2=1e-3),
)


def learn(case: Case, num_steps: int) -> tuple[FeedForward, Any]:
    """Trains on all points at once, with Adam."""
    model = FeedForward(case.hidden_size, 2, case.activation, init_scale=2.0)
    params = jax.jit(model.init)(jax.random.key(0), case.points.features)["params"]
    optimizer = make_optimizer(OptimizerConfig("adam", 2e-2, schedule="cosine"), num_steps)
    task = Classification(model, case.l2)
    state = create_state(task, optimizer, params, (), jax.random.key(0))
    everything = jax.tree.map(lambda array: array[None], case.points)
    for _ in range(num_steps):
        state, _ = train_steps(state, everything, 1)
    return model, state.params


def draw(axis: Any, case: Case, model: FeedForward, params: Any) -> float:
    """Draws the probability of class 1 and the points; returns the fraction of right classes."""
    grid = np.linspace(-1.15, 1.15, 200, dtype=np.float32)
    plane = np.stack(np.meshgrid(grid, grid), axis=-1)
    logits: Any = model.apply({"params": params}, plane)
    probability = jax.nn.softmax(logits)[..., 1]
    levels = np.linspace(0, 1, 21)
    axis.contourf(grid, grid, probability, levels=levels, cmap="RdBu_r", alpha=0.55)
    axis.contour(grid, grid, probability, levels=[0.5], colors="black", linewidths=1)
    for number in (0, 1):
        chosen = case.points.features[case.points.classes == number]
        style = {"color": COLOURS[number], "marker": MARKERS[number]}
        axis.scatter(*chosen.T, s=9, linewidths=0, **style)
    logits = model.apply({"params": params}, case.points.features)
    predicted = logits.argmax(axis=-1)
    right = float((predicted == case.points.classes).mean())
    axis.set_title(f"{case.title}\n{100 * right:.1f} % right", fontsize=10)
    axis.set_aspect("equal")
    axis.set_xticks([])
    axis.set_yticks([])
    return right


def main() -> None:
    """Trains and draws each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--smoke", action="store_true", help="a test run of a few seconds")
    arguments = parser.parse_args()
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    results = {}
    target = arguments.workdir / "decision_surface.png"
    with picture(target, (3.2 * len(CASES), 3.9), ncols=len(CASES)) as (_, axes):
        for axis, case in zip(axes, CASES, strict=True):
            model, params = learn(case, num_steps=10 if arguments.smoke else 3000)
            results[case.title] = round(draw(axis, case, model, params), 4)
            print(f"{case.title}: {100 * results[case.title]:.1f} % right", flush=True)
    (arguments.workdir / "decision_surface.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    run_script(main)
