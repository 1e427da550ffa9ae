"""The vanishing gradient, measured: how far back it reaches, and what that does to learning.

    python experiments/vanishing_gradient.py --workdir=runs/vanishing [--seeds=5] [--smoke]

1. The norm of dL_T/dh_t against T - t before and after training on the manual inside Python, for
   Elman by plain backpropagation, Elman by truncated backpropagation, Elman, GRU and LSTM.
2. The recall task: after how many other symbols does each cell still name the first one? Every
   cell and distance is trained from several seeds, all in one program, and the picture shows their
   mean and their range. Near the distance at which a cell gives out, some seeds learn the task and
   others do not, so that one seed would say little.

What vanishes is a product of Jacobians, so that where training starts matters as much as the cell.
"Elman" starts uniform in +-1/sqrt(H), as networks did for long; each factor then shrinks the
gradient by about 1/sqrt(3). With an orthogonal start (Le et al. 2015 start from the identity) no
factor shrinks it but by the slope of tanh. The LSTM's memory is multiplied by its forget gate,
logistic(1) = 0.73 at the start, or with a bias of 5 (Jozefowicz et al. 2015 raise it) 0.993. The
recall task is learned by gradient descent with momentum: Adam divides each gradient by its own
size, and so follows even one that has all but vanished.

Writes gradients.png, recall.png, vanishing_gradient.json and vanishing_gradient.md to the workdir.
--part=recall runs the second part alone, and --lags 5 10 20 tries fewer distances. --smoke runs
all of it in about a minute. A run that was stopped goes on where it was.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # for configs/

import zoo
from configs import python_docs_lstm
from zoo.data.config import DataConfig
from zoo.data.loading import load_corpus
from zoo.data.vocabulary import encode_lines
from zoo.diagnostics.gradient_flow import GradientFlow, cut_rows, gradient_flow
from zoo.diagnostics.gradient_picture import draw_flows
from zoo.diagnostics.pictures import COLOURS, MARKERS, picture, tidy
from zoo.errors import UserError
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.tasks.recall import Recall, RecallBatches
from zoo.terminal import run_script
from zoo.training.loop import stack_batches, train
from zoo.training.members import MemberBatches, SumOfLosses, optimize_each
from zoo.training.optimizers import OptimizerConfig, make_optimizer
from zoo.training.state import create_state, train_steps
from zoo.types import PyTree

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
NUM_SEEDS = 5
Recalled = dict[str, dict[str, list[float]]]  # accuracy of each seed by model and lag


def main() -> None:
    """Runs both parts, and writes their pictures and numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--part", choices=("both", "gradients", "recall"), default="both")
    parser.add_argument("--seeds", type=int, default=NUM_SEEDS, help="of the recall task")
    parser.add_argument(
        "--lags", type=int, nargs="+", default=LAGS, help="distances of the recall task, in symbols"
    )
    parser.add_argument("--smoke", action="store_true", help="a minute, to see that all works")
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        raise UserError(f"--seeds is {arguments.seeds}; use at least 1, such as {NUM_SEEDS}")
    if min(arguments.lags) < 1:
        raise UserError(f"--lags has {min(arguments.lags)}; use 1 or more, such as 5 10 20")
    workdir = arguments.workdir
    workdir.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    panels: dict[str, dict[str, GradientFlow]] = {}
    recall: Recalled = {}
    if arguments.part != "recall":
        panels = measure_flows(workdir, num_steps=20 if arguments.smoke else 1000)
        draw_flows(workdir / "gradients.png", panels)
    if arguments.part != "gradients":
        recall = measure_recall(
            workdir / ("recall_smoke.json" if arguments.smoke else "recall.json"),
            lags=arguments.lags[:2] if arguments.smoke else arguments.lags,
            num_steps=20 if arguments.smoke else 1000,
            num_seeds=arguments.seeds,
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
    """Returns the directory of a line of the picture: "Elman, BPTT(5)" gives elman_bptt_5."""
    return "_".join(re.findall(r"\w+", title.lower()))


def measure_recall(path: Path, lags: Sequence[int], num_steps: int, num_seeds: int) -> Recalled:
    """Returns the accuracy by model, lag and seed; earlier results are read from `path`."""
    results: Recalled = json.loads(path.read_text()) if path.exists() else {}
    for lag in lags:
        for name, settings in RECALL.items():
            done = results.setdefault(name, {})
            if np.shape(done.get(str(lag), [])) != (num_seeds,):
                done[str(lag)] = learn_to_recall(settings, lag, num_steps, range(num_seeds))
                path.write_text(json.dumps(results, indent=1) + "\n")
                print(f"recall, {name}, lag {lag}: {percent(done[str(lag)])} % right", flush=True)
    return results


def learn_to_recall(
    settings: dict[str, Any], lag: int, num_steps: int, seeds: Sequence[int]
) -> list[float]:
    """Trains a model on the recall task from each seed; returns the shares of right answers.

    The seeds are members of one training state, see `zoo.training.members`. The answers are those
    to new sequences, 1,000 for each seed.
    """
    settings = at_width(settings, HIDDEN_SIZE)
    config = RecurrentLMConfig(embedding_size=16, hidden_sizes=(HIDDEN_SIZE,), **settings)
    model = RecurrentLM(config, NUM_SYMBOLS)
    batches = MemberBatches([RecallBatches(lag, NUM_SYMBOLS, RECALL_BATCH, seed) for seed in seeds])
    keys = jax.vmap(jax.random.key)(jnp.array(seeds))
    init = jax.jit(
        lambda keys: jax.lax.map(lambda key: model.init(key, jnp.zeros((1, 1), jnp.int32)), keys)
    )
    optimizer = make_optimizer(OptimizerConfig("momentum", 0.1, schedule="cosine"), num_steps)
    state = create_state(
        SumOfLosses(Recall(model)),
        optimize_each(optimizer, [1.0] * len(seeds)),
        init(keys)["params"],
        (),
        keys,
        num_members=len(seeds),
    )
    step = 0
    while step < num_steps:
        stacked, count = stack_batches(batches, step, most=num_steps - step, capacity=10)
        state, _ = train_steps(state, stacked, count)
        step += count
    new = MemberBatches([RecallBatches(lag, NUM_SYMBOLS, 1000, seed + 10_000) for seed in seeds])
    return accuracy(Recall(model), state.params, new)


def accuracy(objective: Recall, params: PyTree, batches: MemberBatches) -> list[float]:
    """Returns for each seed the share of one batch's sequences whose first symbol is named."""
    batch = jax.tree.map(jnp.asarray, batches.batch(0, 0))
    key = jax.random.key(0)  # of which the loss makes no use
    _, (_, metrics) = jax.jit(jax.vmap(lambda own, rows: objective.loss(own, (), rows, key)))(
        params, batch
    )
    return np.asarray(metrics["num_right"] / metrics["num_targets"], np.float64).tolist()


def percent(values: list[float]) -> str:
    """Returns the mean of some shares in per cent, with the lowest and the highest if they differ.

    Example:
        >>> percent([0.5, 1.0]), percent([1.0, 1.0])
        ('75.0 (50.0 to 100.0)', '100.0')
    """
    low, high = (f"{100 * value:.1f}" for value in (min(values), max(values)))
    return f"{100 * float(np.mean(values)):.1f}" + (f" ({low} to {high})" if low != high else "")


def draw_recall(path: Path, results: Recalled) -> None:
    """Draws the mean accuracy over seeds against the lag, with a band from lowest to highest."""
    num_seeds = len(next(iter(next(iter(results.values())).values())))
    with picture(path, (7.0, 4.2)) as (_, axis):
        for index, (name, by_lag) in enumerate(results.items()):
            lags = [int(lag) for lag in by_lag]
            values = 100 * np.array(list(by_lag.values()))
            colour = COLOURS[index]
            axis.fill_between(
                lags, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.15, linewidth=0
            )
            axis.plot(lags, values.mean(axis=1), label=name, color=colour, marker=MARKERS[index])
        axis.axhline(100 / NUM_SYMBOLS, color="grey", linestyle=":", label="guessing")
        shown = sorted({int(lag) for by_lag in results.values() for lag in by_lag})
        axis.set_xscale("log")
        axis.set_xticks(shown, shown)
        axis.minorticks_off()
        axis.set_ylim(0, 103)
        axis.set_xlabel("symbols between the first one and the question")
        axis.set_ylabel("right answers, %")
        axis.set_title(
            f"lines: mean over {num_seeds} seeds; bands: from the worst seed to the best",
            fontsize=9,
            loc="left",
        )
        tidy(axis)
        axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=9)


def write_report(
    workdir: Path,
    panels: dict[str, dict[str, GradientFlow]],
    recall: Recalled,
    minutes: float,
) -> None:
    """Writes the numbers as JSON and as Markdown."""
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
        text.append(f"{name} | " + " | ".join(percent(by_lag[str(lag)]) for lag in lags))
    text.append(f"\nGuessing gives {100 / NUM_SYMBOLS:.1f} %. {minutes:.1f} minutes.")
    (workdir / "vanishing_gradient.md").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    run_script(main)
