"""The vanishing gradient, measured: how far back it reaches, and what that does to learning.

    python experiments/vanishing_gradient.py --workdir=runs/vanishing [--smoke]

1. The norm of dL_T/dh_t against T - t before and after training on the manual inside Python, for
   Elman by plain backpropagation, Elman by truncated backpropagation, Elman, GRU and LSTM.
2. The recall task: after how many other symbols does each cell still name the first one?

What vanishes is a product of Jacobians, so that where training starts matters as much as the cell.
"Elman" starts uniform in +-1/sqrt(H), as networks did for long; each factor then shrinks the
gradient by about 1/sqrt(3). With an orthogonal start (Le et al. 2015 start from the identity) no
factor shrinks it but by the slope of tanh. The LSTM's memory is multiplied by its forget gate,
logistic(1) = 0.73 at the start, or with a bias of 5 (Jozefowicz et al. 2015 raise it) 0.993. The
recall task is learned by gradient descent with momentum: Adam divides each gradient by its own
size, and so follows even one that has all but vanished.

Writes gradients.png, recall.png, vanishing_gradient.json and vanishing_gradient.md to the workdir.
About 15 minutes on 2 cores; --smoke runs all of it in one. Stopped, it goes on where it was.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

sys.path.insert(0, str(Path(__file__).parents[1]))  # for configs/

import zoo
from configs import python_docs_lstm
from zoo.data.config import DataConfig
from zoo.data.loading import load_corpus
from zoo.data.vocabulary import encode_lines
from zoo.diagnostics.gradient_flow import GradientFlow, cut_rows, gradient_flow
from zoo.diagnostics.gradient_picture import draw_flows
from zoo.diagnostics.pictures import COLOURS, MARKERS, picture, tidy
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.tasks.recall import Recall, RecallBatches
from zoo.terminal import run_script
from zoo.training.loop import stack_batches, train
from zoo.training.optimizers import OptimizerConfig, make_optimizer
from zoo.training.state import TrainState, create_state, train_steps

UNIFORM = "1/sqrt(H)"  # in the place of a number for init_scale
FLOWS: dict[str, dict[str, Any]] = {  # name -> settings of the model
    "Elman, BP": {"cell": "elman", "init_scale": UNIFORM, "truncation": 1},
    "Elman, BPTT(5)": {"cell": "elman", "init_scale": UNIFORM, "truncation": 5},
    "Elman": {"cell": "elman", "init_scale": UNIFORM},
    "Elman, orthogonal": {"cell": "elman"},
    "GRU": {"cell": "gru"},
    "LSTM": {"cell": "lstm"},
}
DISTANCE = 60
RECALL: dict[str, dict[str, Any]] = {
    "Elman": {"cell": "elman", "init_scale": UNIFORM},
    "Elman, orthogonal": {"cell": "elman"},
    "GRU": {"cell": "gru"},
    "LSTM": {"cell": "lstm"},
    "LSTM, forget bias 5": {"cell": "lstm", "forget_bias": 5.0},
}
LAGS = (5, 10, 20, 50, 100, 200, 500)
NUM_SYMBOLS, HIDDEN_SIZE, RECALL_BATCH = 8, 64, 64


def main() -> None:
    """Both parts, their pictures and their numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--smoke", action="store_true", help="a minute, to see that all works")
    arguments = parser.parse_args()
    workdir = arguments.workdir
    workdir.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    panels = measure_flows(workdir, num_steps=20 if arguments.smoke else 1000)
    draw_flows(workdir / "gradients.png", panels)
    recall = measure_recall(
        workdir / "recall.json",
        lags=LAGS[:2] if arguments.smoke else LAGS,
        num_steps=20 if arguments.smoke else 1000,
    )
    draw_recall(workdir / "recall.png", recall)
    minutes = (time.monotonic() - started) / 60
    write_report(workdir, panels, recall, minutes)
    print(f"{minutes:.1f} minutes; look at {workdir / 'vanishing_gradient.md'}")


def measure_flows(workdir: Path, num_steps: int) -> dict[str, dict[str, GradientFlow]]:
    """Trains each model, and gives its flows before and after."""
    panels: dict[str, dict[str, GradientFlow]] = {"before training": {}, "after training": {}}
    lines = load_corpus(DataConfig("python_docs"))["validation"]
    for name, settings in FLOWS.items():
        config = python_docs_lstm.get_config()
        config.model.update(at_width(settings, config.model.hidden_sizes[0]))
        config.training.num_steps = num_steps
        config.evaluation.sample_tokens = 0
        config.evaluation.report = False
        run = workdir / directory_name(name)
        print(name)
        train(config, str(run))
        checkpoint = zoo.load(run)
        assert isinstance(checkpoint.model, RecurrentLM)
        rows = cut_rows(encode_lines(checkpoint.vocabulary, lines), DISTANCE)
        key, _ = jax.random.split(jax.random.key(config.training.seed))  # as training starts
        fresh = jax.jit(checkpoint.model.init)(key, jnp.zeros((1, 1), jnp.int32))["params"]
        panels["before training"][name] = gradient_flow(checkpoint.model, fresh, rows)
        panels["after training"][name] = gradient_flow(checkpoint.model, checkpoint.params, rows)
    return panels


def at_width(settings: dict[str, Any], hidden_size: int) -> dict[str, Any]:
    """Settings of a model, with UNIFORM as the number that it is for H hidden units."""
    numbers = {UNIFORM: hidden_size**-0.5}
    return {name: numbers.get(value, value) for name, value in settings.items()}


def directory_name(title: str) -> str:
    """A name for the run behind a line of the picture: "Elman, BPTT(5)" gives elman_bptt_5."""
    return "_".join(re.findall(r"\w+", title.lower()))


def measure_recall(
    path: Path, lags: tuple[int, ...], num_steps: int
) -> dict[str, dict[str, float]]:
    """Accuracy by model and lag; what was measured before is read from `path`."""
    results: dict[str, dict[str, float]] = json.loads(path.read_text()) if path.exists() else {}
    for name, settings in RECALL.items():
        for lag in lags:
            done = results.setdefault(name, {})
            if str(lag) not in done:
                done[str(lag)] = learn_to_recall(settings, lag, num_steps)
                path.write_text(json.dumps(results, indent=1) + "\n")
                print(f"recall, {name}, lag {lag}: {100 * done[str(lag)]:.1f} % right", flush=True)
    return results


def learn_to_recall(settings: dict[str, Any], lag: int, num_steps: int, seed: int = 0) -> float:
    """Trains a model on the recall task; its share of right answers on new sequences."""
    settings = at_width(settings, HIDDEN_SIZE)
    config = RecurrentLMConfig(embedding_size=16, hidden_sizes=(HIDDEN_SIZE,), **settings)
    model = RecurrentLM(config, NUM_SYMBOLS)
    batches = RecallBatches(lag, NUM_SYMBOLS, RECALL_BATCH, seed)
    params = jax.jit(model.init)(jax.random.key(seed), jnp.zeros((1, 1), jnp.int32))["params"]
    optimizer = make_optimizer(OptimizerConfig("momentum", 0.1, schedule="cosine"), num_steps)
    state = create_state(Recall(model), optimizer, params, (), jax.random.key(seed))
    step = 0
    while step < num_steps:
        stacked, count = stack_batches(batches, step, most=num_steps - step, capacity=10)
        state, _ = train_steps(state, stacked, count)
        step += count
    return accuracy(state, RecallBatches(lag, NUM_SYMBOLS, 1000, seed + 1))


def accuracy(state: TrainState, batches: RecallBatches) -> float:
    """The share of one batch's sequences whose first symbol is named."""
    batch = jax.tree.map(jnp.asarray, batches.batch(0, 0))
    _, (_, metrics) = jax.jit(state.objective.loss)(state.params, (), batch, state.key)
    return float(metrics["num_right"] / metrics["num_sequences"])


def draw_recall(path: Path, results: dict[str, dict[str, float]]) -> None:
    """Accuracy against lag."""
    with picture(path, (6.0, 4.0)) as (_, axis):
        for index, (name, by_lag) in enumerate(results.items()):
            lags = [int(lag) for lag in by_lag]
            style = {"color": COLOURS[index], "marker": MARKERS[index]}
            axis.plot(lags, [100 * value for value in by_lag.values()], label=name, **style)
        axis.axhline(100 / NUM_SYMBOLS, color="grey", linestyle=":", label="guessing")
        axis.set_xscale("log")
        axis.set_xticks(LAGS, LAGS)
        axis.minorticks_off()
        axis.set_ylim(0, 103)
        axis.set_xlabel("symbols between the first one and the question")
        axis.set_ylabel("right answers, %")
        tidy(axis)
        axis.legend(frameon=False)


def write_report(
    workdir: Path,
    panels: dict[str, dict[str, GradientFlow]],
    recall: dict[str, dict[str, float]],
    minutes: float,
) -> None:
    """The numbers as JSON and as Markdown."""
    flows: dict[str, Any] = {
        title: {
            name: {"hidden": flow.hidden[-1].tolist(), "training_reaches": flow.reach}
            for name, flow in of_title.items()
        }
        for title, of_title in panels.items()
    }
    record = {"flows": flows, "recall": recall, "minutes": round(minutes, 1)}
    (workdir / "vanishing_gradient.json").write_text(json.dumps(record, indent=1) + "\n")
    shown = (0, 1, 5, 10, 20, 40, DISTANCE)
    text = ["# Norm of dL_T/dh_t\n"]
    for title, of_title in panels.items():
        text += [f"\n{title} | " + " | ".join(f"T - t = {d}" for d in shown)]
        text += ["|".join(["---"] * (len(shown) + 1))]
        for name, flow in of_title.items():
            text.append(f"{name} | " + " | ".join(f"{flow.hidden[-1, d]:.1e}" for d in shown))
    lags = sorted({int(lag) for by_lag in recall.values() for lag in by_lag})
    text += ["\n# Which symbol came first? Right answers, %\n"]
    text += [
        "model | " + " | ".join(f"lag {lag}" for lag in lags),
        "|".join(["---"] * (len(lags) + 1)),
    ]
    for name, by_lag in recall.items():
        text.append(f"{name} | " + " | ".join(f"{100 * by_lag[str(lag)]:.1f}" for lag in lags))
    text.append(f"\nGuessing gives {100 / NUM_SYMBOLS:.1f} %. {minutes:.1f} minutes.")
    (workdir / "vanishing_gradient.md").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    run_script(main)
