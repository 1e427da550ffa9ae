"""What happens at which step of a run, on a workload that scores as it is told."""

import dataclasses
import json
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from tiny_regression import (
    START,
    Log,
    PointBatches,
    RegressionWorkload,
    descend,
    make_config,
    points,
    regression_workload,
)
from tiny_run import array_bits, metrics_of, read_metrics, saved_bits

from zoo.errors import UserError
from zoo.report.records import read_sealed
from zoo.training import checkpoints, loop
from zoo.training.devices import MeshConfig, make_mesh
from zoo.training.start import initial_state


def test_metrics_are_means_over_the_steps_since_the_line_before(train, tmp_path):
    train(tmp_path, training__num_steps=10)
    expected = descend(10)
    train_lines = metrics_of(tmp_path, "train")
    assert [line["step"] for line in train_lines] == [4, 8, 10]
    for line, (start, stop) in zip(train_lines, [(0, 4), (4, 8), (8, 10)], strict=True):
        sums, norms, _ = zip(*expected[start:stop], strict=True)
        assert line["loss_nats"] == pytest.approx(sum(sums) / (5 * (stop - start)), rel=1e-5)
        assert line["gradient_norm"] == pytest.approx(np.mean(norms), rel=1e-5)
        assert line["learning_rate"] == pytest.approx(0.05)


def test_the_rate_that_is_told_is_that_of_the_last_step(train, tmp_path):
    train(tmp_path, optimizer__warmup_steps=10)
    rates = [line["learning_rate"] for line in metrics_of(tmp_path, "train")]
    assert rates == pytest.approx([0.05 * 3 / 10, 0.05 * 7 / 10, 0.05])


def test_validation_is_scored_each_n_steps_and_at_the_end(train, tmp_path):
    log = train(tmp_path, workload=regression_workload([3.0, 1.0, 2.0]), training__num_steps=14)
    assert metrics_of(tmp_path, "validation") == [
        {"step": 6, "split": "validation", "nats_per_token": 3.0},
        {"step": 12, "split": "validation", "nats_per_token": 1.0},
        {"step": 14, "split": "validation", "nats_per_token": 2.0},
    ]
    assert log.having(": validation") == [
        "step 6: validation score 3.0000 (best)",
        "step 12: validation score 1.0000 (best)",
        "step 14: validation score 2.0000",
    ]


def test_the_score_is_of_the_parameters_at_that_step(train, tmp_path):
    train(tmp_path)
    scores = [line["nats_per_token"] for line in metrics_of(tmp_path, "validation")]
    batch = points(1000, rows=50)
    for score, (_, _, weight) in zip(scores, descend(12)[5::6], strict=True):
        assert score == pytest.approx(np.square(batch.x @ weight - batch.y).mean(), rel=1e-5)


def test_progress_is_told_in_lines(train, tmp_path):
    log = train(tmp_path)
    metrics = metrics_of(tmp_path, "train")
    assert log[:2] == [
        "4 steps per epoch, 3 epochs: 12 steps in all",
        "3 parameters; step 0 of 12",
    ]
    steps = log.having("tokens/s")
    assert len(steps) == 3
    for line, record in zip(steps, metrics, strict=True):
        assert line.startswith(f"step {record['step']}/12  loss {record['loss_nats']:.4f} nats  ")
        assert line.endswith(" s left")
    assert steps[-1].endswith("  0 s left")
    assert log[-4].endswith("--config.training.num_steps=24")
    assert log[-3].startswith("best step 12, validation: score ")
    assert log[-2] == "sample:\na sample of seed 0"
    assert log[-1] == f"for the test split: python -m zoo evaluate {tmp_path} --split=test"


def test_there_is_no_rate_before_a_step_was_timed(train, tmp_path):
    log = train(tmp_path, training__log_every_steps=4, training__steps_per_call=4)
    first = metrics_of(tmp_path, "train")[0]
    assert log.having("step 4/12  ")[0] == f"step 4/12  loss {first['loss_nats']:.4f} nats"
    assert [line.split("  ")[0] for line in log.having("tokens/s")] == ["step 8/12", "step 12/12"]


@pytest.mark.parametrize("steps_per_call", [1, 5, 100])
def test_how_many_steps_a_call_takes_changes_nothing_but_the_calls(train, tmp_path, steps_per_call):
    for name, per_call in (("reference", 3), ("other", steps_per_call)):
        train.calls.clear()
        workload = regression_workload(noise=0.3)
        train(tmp_path / name, workload=workload, training__steps_per_call=per_call)
        assert [step for step, _ in train.calls] == list(
            np.cumsum([0, *(count for _, count in train.calls)])[:-1]
        )
        assert max(count for _, count in train.calls) == min(per_call, 4)  # 4, 6, 8, 12: events
    assert read_metrics(tmp_path / "other") == read_metrics(tmp_path / "reference")
    other, reference = (saved_bits(tmp_path / name, 12) for name in ("other", "reference"))
    assert other == reference


def test_checkpoints_are_written_each_n_steps_at_every_best_and_at_the_end(train, tmp_path):
    scores = [5.0, 4.0, 4.5, 4.5, 3.0, 3.5]
    train(
        tmp_path,
        workload=regression_workload(scores),
        training__num_steps=21,
        training__checkpoint_every_steps=9,
        evaluation__every_steps=4,
    )
    assert train.saves == [4, 8, 9, 18, 20, 21]
    assert checkpoints.steps(tmp_path) == [20, 21]  # the best and the latest
    progress = checkpoints.restore(tmp_path / "checkpoints" / "21").progress
    assert (progress["best_step"], progress["best_score"], progress["stalled"]) == (20, 3.0, 1)
    assert progress["validation"] == {"nats_per_token": 3.5}


@pytest.mark.parametrize("patience", [0, 1, 2])
def test_a_run_out_of_patience_ends_and_reports_its_best_step(train, tmp_path, patience):
    scores = [3.0, 2.0, 2.0, 2.5, 1.0, 1.5]
    stops_at = {0: 24, 1: 12, 2: 16}[patience]
    log = train(
        tmp_path,
        workload=regression_workload(scores),
        training__num_steps=24,
        evaluation__every_steps=4,
        evaluation__patience=patience,
    )
    assert train.calls[-1][0] + train.calls[-1][1] == stops_at
    best = {0: 20, 1: 8, 2: 8}[patience]
    assert checkpoints.steps(tmp_path) == sorted({best, stops_at})
    assert log[-3].startswith(f"best step {best}, validation: score ")


def test_the_report_is_of_the_best_parameters(train, tmp_path):
    workload = regression_workload([1.0, 2.0])
    train(tmp_path, workload=workload)
    seen = []

    class Watching(RegressionWorkload):
        def sample(self, params, seed):
            seen.append(np.asarray(params["weight"]))
            return ""

    log = train(tmp_path, workload=regression_workload([3.0], kind=Watching))
    np.testing.assert_allclose(seen[0], descend(6)[-1][2], rtol=1e-5)
    assert not log.having("sample")


def test_a_finished_run_only_reports(train, tmp_path):
    train(tmp_path)
    metrics, bits = read_metrics(tmp_path), saved_bits(tmp_path, 12)
    train.calls.clear()
    train.saves.clear()
    log = train(tmp_path)
    assert (train.calls, train.saves) == ([], [])
    assert log[1] == "3 parameters; step 12 of 12"
    assert log[3].startswith("best step 12, ")
    assert read_metrics(tmp_path) == metrics
    assert saved_bits(tmp_path, 12) == bits


def test_every_session_that_took_steps_is_noted(train, tmp_path, monkeypatch):
    words = ["/x/zoo/__main__.py", "train", "mine", "--workdir=a b"]
    monkeypatch.setattr(sys, "argv", words)
    train(tmp_path, log=Log(stop_at="step 4/"))
    train(tmp_path)
    train(tmp_path)  # which only reports
    lines = (tmp_path / "sessions.jsonl").read_text().splitlines()
    sessions = [json.loads(line) for line in lines]
    assert [session["step"] for session in sessions] == [4, 12]
    assert all(0 <= session["seconds"] < 600 for session in sessions)
    assert sessions[0]["command"] == "python -m zoo train mine '--workdir=a b'"


def test_a_finished_run_without_a_report_has_a_summary(train, tmp_path):
    train(tmp_path)
    summary = read_sealed(tmp_path / "summary.json")
    assert (summary["best_step"], summary["figures"]) == (12, [])
    assert not (tmp_path / "report.html").exists()


def test_a_finished_run_goes_on_with_more_steps_if_a_change_is_allowed(train, tmp_path):
    train(tmp_path)
    with pytest.raises(UserError, match=r"\(training.num_steps: 12 -> 20\)"):
        train(tmp_path, training__num_steps=20)
    assert max(step for step, _ in train.calls) < 12
    train(tmp_path, training__num_steps=20, allow_config_change=True)
    train(tmp_path / "other", training__num_steps=20)
    assert saved_bits(tmp_path, 20)["params"] == saved_bits(tmp_path / "other", 20)["params"]


def test_fewer_steps_than_were_taken_report_the_latest(train, tmp_path):
    train(tmp_path, evaluation__every_steps=100, log=Log(stop_at="step 4/"))
    assert checkpoints.steps(tmp_path) == [4]
    log = train(
        tmp_path, evaluation__every_steps=100, training__num_steps=2, allow_config_change=True
    )
    assert log.having("best step 4, validation: score ")


def test_a_bad_config_and_a_bad_corpus_leave_nothing_behind(train, tmp_path, monkeypatch):
    workdir = tmp_path / "run"
    with pytest.raises(UserError, match=r"training.log_every_steps is 0"):
        train(workdir, training__log_every_steps=0)

    def fail(config):
        raise UserError("no such corpus")

    monkeypatch.setattr(loop, "build_workload", fail)
    with pytest.raises(UserError, match="no such corpus"):
        loop.train(make_config(), str(workdir))
    assert not workdir.exists()


def test_a_call_ends_where_a_batch_has_another_shape():
    batches = PointBatches(rows=(5, 5, 7, 5))
    cuts, step = [], 0
    while step < 12:
        stacked, count = loop.stack_batches(batches, step, most=12 - step, capacity=3)
        rows = batches.rows[step % 4]
        assert stacked.x.shape == (3, rows, 3)
        for place in range(3):
            real = batches.batch(*divmod(step + min(place, count - 1), 4))
            np.testing.assert_array_equal(stacked.x[place], real.x)
            np.testing.assert_array_equal(stacked.y[place], real.y)
        cuts.append(count)
        step += count
    assert cuts == [2, 1, 3, 1, 3, 1, 1]
    assert loop.stack_batches(PointBatches(), 0, most=2, capacity=3)[1] == 2


def test_batches_of_many_shapes_are_trained_on(train, tmp_path):
    rows = (5, 2, 7, 7)
    train(tmp_path, workload=regression_workload(rows=rows), training__log_every_steps=6)
    weight, sums = START.astype(np.float64), []
    for step in range(12):
        batch = points(*divmod(step, 4), rows=rows[step % 4])
        residual = batch.x @ weight - batch.y
        sums.append((residual @ residual, len(residual)))
        weight = weight - 0.05 * 2 * batch.x.T @ residual / len(residual)
    for line, part in zip(metrics_of(tmp_path, "train"), (sums[:6], sums[6:]), strict=True):
        total, count = np.sum(part, axis=0)
        assert line["loss_nats"] == pytest.approx(total / count, rel=1e-5)


def test_the_seed_chooses_the_parameters_and_the_noise(train, tmp_path, monkeypatch):
    class Random(RegressionWorkload):
        def init_params(self, key):
            return {"weight": jax.random.normal(key, (3,))}

    def params_and_key(seed):
        workload = regression_workload(kind=Random)
        mesh = make_mesh(MeshConfig(), num_rows=1)
        state = initial_state(make_config(training__seed=seed), workload, mesh)
        return array_bits((state.params, state.key))

    assert params_and_key(0) == params_and_key(0)
    assert params_and_key(0) != params_and_key(1)
    log = train(tmp_path, training__seed=5)
    assert log.having("a sample of seed 5")


def test_a_run_is_on_the_mesh_and_has_the_microbatches_of_its_config(train, tmp_path):
    mesh = make_mesh(MeshConfig(), num_rows=1)
    config = make_config(training__num_microbatches=4)
    state = initial_state(config, regression_workload(), mesh)
    assert (state.num_microbatches, state.mesh) == (4, mesh)
    assert state.params["weight"].sharding.mesh == mesh
    with pytest.raises(UserError, match=r"mesh.data=64 and mesh.model=1 need 64 devices"):
        train(tmp_path, mesh__data=64)


def test_tensorboard_gets_the_metrics_too(train, tmp_path):
    pytest.importorskip("tensorboardX")
    train(tmp_path / "without")
    assert not (tmp_path / "without" / "tensorboard").exists()
    train(tmp_path / "with", training__tensorboard=True)
    (events,) = (tmp_path / "with" / "tensorboard").iterdir()
    content = events.read_bytes()
    for name in (b"train/loss_nats", b"train/learning_rate", b"validation/nats_per_token"):
        assert name in content
    assert read_metrics(tmp_path / "with") == read_metrics(tmp_path / "without")


def test_tensorboard_that_is_not_installed_is_told_with_what_to_type(train, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UserError, match=r"pip install 'recurrent-zoo\[tensorboard\]'"):
        train(tmp_path, training__tensorboard=True)


# Each setting of the loop -> a change, and where it is seen. Base: see SETTINGS; scores get worse.
CHANGES = {
    "training.num_steps": (8, lambda train, workdir, log: train.calls[-1]),
    "training.seed": (1, lambda train, workdir, log: log.having("sample")),
    "training.steps_per_call": (2, lambda train, workdir, log: train.calls),
    "training.log_every_steps": (3, lambda train, workdir, log: log.having("tokens/s")),
    "training.checkpoint_every_steps": (5, lambda train, workdir, log: train.saves),
    "training.averaging": (
        "first_step",
        lambda train, workdir, log: saved_bits(workdir, 12)["params"],
    ),
    "training.tensorboard": (True, lambda train, workdir, log: len(list(workdir.iterdir()))),
    "evaluation.every_steps": (4, lambda train, workdir, log: len(log.having(": validation"))),
    "evaluation.report": (True, lambda train, workdir, log: (workdir / "report.html").exists()),
    "evaluation.patience": (1, lambda train, workdir, log: train.calls[-1]),
}
# See tests/tasks, test_averaged_runs.py, test_devices.py, test_init_from.py, test_length.py,
# test_word_vectors.py, test_metrics_services.py.
ELSEWHERE = {
    "num_epochs",
    "checkpoint_every_epochs",
    "every_epochs",
    "init_from",
    "averaging_decay",
    "averaging_patience",
    "num_microbatches",
    "num_seeds",
    "learning_rate_factors",
    "reset_at_sentences",
    "freeze_word_vectors",
    "wandb",
    "mode",
    "num_streams",
    "sample_tokens",
}


def test_the_table_has_every_setting_of_the_loop():
    fields = {
        f"{name}.{field}"
        for name in ("training", "evaluation")
        for field in make_config()[name]
        if field not in ELSEWHERE
    }
    assert fields == CHANGES.keys()


@pytest.mark.parametrize("field", CHANGES)
def test_every_setting_of_the_loop_changes_what_it_says(train, tmp_path, field):
    value, observe = CHANGES[field]
    seen = []
    for name, settings in (("before", {}), ("after", {field: value})):
        train.calls.clear()
        train.saves.clear()
        workload = regression_workload([1.0, 2.0, 3.0])
        settings = {"evaluation.every_steps": 3, **settings}
        log = train(tmp_path / name, workload=workload, **settings)
        seen.append(str(observe(train, tmp_path / name, log)))
    assert seen[0] != seen[1]


def test_the_rate_is_that_of_training_without_the_time_of_evaluations(train, tmp_path, monkeypatch):
    now = [0.0]

    class Slow(RegressionWorkload):
        def evaluate(self, params):
            now[0] += 1000
            return super().evaluate(params)

    class Timed(PointBatches):
        def batch(self, epoch, index):
            now[0] += 1
            return super().batch(epoch, index)

    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
    workload = dataclasses.replace(regression_workload(kind=Slow), batches=Timed())
    train(tmp_path, workload=workload)
    lines = map(json.loads, (tmp_path / "metrics.jsonl").read_text("utf-8").splitlines())
    rates = [line["tokens_per_second"] for line in lines if line["split"] == "train"]
    assert rates == [5, 5, 5]  # a step a second
