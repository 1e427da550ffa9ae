"""The experiments on cells: networks learn, runs finish once, the report has the paper."""

import subprocess
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from experiments.counting import GRID, learn, scored_batch, training_batch
from experiments.counting_tasks import NO_ANSWER, NUM_SYMBOLS, TASKS, Batch
from experiments.score_grid import Results, chosen, run_grid
from experiments.sequence_learning import (
    RECENT,
    Answering,
    SequenceModel,
    Settings,
    bucket,
    fill,
    score,
    train,
)
from zoo.errors import UserError

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("optax_dtypes")


def model_of(cell: str, taps: int = 0) -> SequenceModel:
    return SequenceModel(cell, NUM_SYMBOLS, NUM_SYMBOLS, 16, 1, convolution_width=taps)


@pytest.mark.parametrize(("cell", "taps"), [("gru", 0), ("transformer", 0), ("transformer", 3)])
def test_padding_and_later_symbols_change_no_answer(cell: str, taps: int) -> None:
    model, draw = model_of(cell, taps), np.random.default_rng(0)
    inputs = draw.integers(NUM_SYMBOLS, size=(2, 9)).astype(np.int32)
    params = jax.jit(model.init)(jax.random.key(0), inputs)
    assert ("convolution_kernel" in params["params"]) == (taps > 0)
    other = inputs.copy()
    other[:, 5:] += 1
    apply = jax.jit(model.apply)
    found, changed = (apply(params, tokens % NUM_SYMBOLS) for tokens in (inputs, other))
    np.testing.assert_allclose(found[:, :5], changed[:, :5], atol=1e-5)
    assert not np.allclose(found[:, 5:], changed[:, 5:], atol=1e-3)


def test_only_what_is_asked_is_scored() -> None:
    task = Answering(model_of("elman"))
    inputs = np.array([[3, 4, 5]], np.int32)
    params = jax.jit(task.model.init)(jax.random.key(0), inputs)["params"]
    logits = jax.jit(task.model.apply)({"params": params}, inputs)
    best = np.asarray(logits.argmax(axis=-1), np.int32)
    wrong = (best + 1) % NUM_SYMBOLS
    targets = np.array([[NO_ANSWER, best[0, 1], wrong[0, 2]]], np.int32)
    batch = Batch(inputs, targets)
    loss, (_, metrics) = jax.jit(task.loss)(params, (), batch, jax.random.key(0))
    assert (metrics["num_targets"], metrics["score"]) == (2, 1)
    log_probs = jax.nn.log_softmax(logits)
    nats = -log_probs[0, 1, best[0, 1]] - log_probs[0, 2, wrong[0, 2]]
    np.testing.assert_allclose(loss, nats / 2, rtol=1e-5)
    assert score(task, params, [batch, fill(batch, 8)]) == 0.5


def test_a_run_ends_once_its_answers_are_right() -> None:
    """Which bit came last is learned at once, but not with the first of these rates."""

    def last_bit(draw: np.random.Generator) -> Batch:
        inputs = draw.integers(2, size=(8, 3)).astype(np.int32)
        return Batch(inputs, np.where(np.arange(3) == 2, inputs, NO_ANSWER).astype(np.int32))

    settings = Settings(num_steps=600, learning_rates=(1e-6, 1e-2))
    state, recent = train(Answering(model_of("gru")), last_bit, settings, seed=0)
    assert recent >= settings.good_enough
    assert RECENT <= int(state.step) < 600


def test_batches_have_few_shapes() -> None:
    shapes = set()
    draw = np.random.default_rng(0)
    for name in TASKS:
        for _ in range(30):
            batch = training_batch(TASKS[name], 4, draw)
            assert batch.inputs.shape == batch.targets.shape
            assert (batch.targets >= 0).any()
            shapes.add(batch.inputs.shape)
    assert shapes == {(4, 48), (4, 64), (4, 96), (4, 128)}
    assert [bucket(steps) for steps in (16, 17, 25, 33, 49, 65, 97)] == [
        16,
        24,
        32,
        48,
        64,
        96,
        128,
    ]
    for name in ("parity_check", "reverse_string"):
        first, again = (scored_batch(TASKS[name], 0, 500) for _ in range(2))
        assert (first.inputs == again.inputs).all()
    assert (scored_batch(TASKS["parity_check"], 0, 41).targets >= 0).sum() == 64


def arguments_of(workdir: Path, **more: Any) -> Namespace:
    usual = {
        "cells": ["elman", "transformer"],
        "tasks": ["parity_check", "word_problem_a5"],
        "settings": Settings(num_steps=2),
    }
    return Namespace(workdir=workdir, num_seeds=2, **(usual | more))


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    asked = []

    def guess(cell: str, task: str, seed: int, settings: Settings) -> dict[str, Any]:
        asked.append((cell, task, seed))
        return {"score": 40.0 + seed, "training_score": 50.0, "steps": settings.num_steps}

    run_grid(arguments_of(tmp_path, cells=["elman"]), GRID, guess, "Note.")
    assert len(asked) == 4
    path = tmp_path / "counting.jsonl"
    with path.open("a") as file:
        file.write('{"cell": "cut", "settings": {"width": 32}, "sco')  # as by a kill
    run_grid(arguments_of(tmp_path), GRID, guess, "Note.")
    assert len(asked) == 8
    assert {cell for cell, _, _ in asked[4:]} == {"transformer"}
    assert len(Results(path).rows) == 8
    assert len(path.read_text().splitlines()) == 9, "a cut line stays alone"
    table = (tmp_path / "counting.md").read_text()
    assert "| guessing | 50 | 2 |" in table
    assert "| elman | 40.5 (95.5) | 40.5 |" in table
    assert "| transformer | 40.5 (50.4) | 40.5 |" in table
    assert "Note. Mean of 2 seeds" in table
    assert (tmp_path / "counting.png").read_bytes().startswith(b"\x89PNG")
    other = Settings(num_steps=3)
    run_grid(arguments_of(tmp_path, cells=["elman"], settings=other), GRID, guess, "Note.")
    assert len(asked) == 12, "a run of other settings is another run"
    assert len(Results(path).rows) == 12


def test_names_that_are_not_known_are_told() -> None:
    with pytest.raises(UserError, match="--cells names 'gruu'; use some of lstm,gru"):
        chosen("cells", "lstm,gruu", ["lstm", "gru"])


def test_what_a_run_says_of_itself() -> None:
    settings = Settings(num_steps=3, batch_size=4, width=8, num_layers=1)
    row = learn((5, 7), "elman", "bucket_sort", 0, settings)
    assert row["steps"] == 3
    assert row["score"] == pytest.approx(np.mean(list(row["by_length"].values())))
    assert list(row["by_length"]) == [5, 7]
    assert all(0 <= value <= 100 for value in row["by_length"].values())
    assert row == learn((5, 7), "elman", "bucket_sort", 0, settings)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["counting", "recall"])
def test_smoke_runs_whole_and_again_without_training(tmp_path: Path, name: str) -> None:
    command = [sys.executable, f"experiments/{name}.py", f"--workdir={tmp_path}", "--smoke"]
    run = partial(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    first = run()
    assert first.returncode == 0, first.stderr
    rows = (tmp_path / f"{name}.jsonl").read_text()
    again = run()
    assert again.stdout == first.stdout
    assert (tmp_path / f"{name}.jsonl").read_text() == rows
