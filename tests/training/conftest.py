"""A training run without a model to compile."""

from functools import cache

import pytest
from tiny_regression import Log, make_config, regression_workload

from zoo.training import loop, start
from zoo.training.optimizers import make_optimizer
from zoo.training.run import Run

# The optimizer is a part of the compiled program: the same one again compiles nothing.
make_optimizer_once = cache(make_optimizer)


@pytest.fixture
def train(monkeypatch, optax_dtypes):
    """zoo.training.train on the regression; `calls` and `saves` tell what it did."""

    def run(workdir, *, workload=None, log=None, allow_config_change=False, **more):
        monkeypatch.setattr(
            loop, "build_workload", lambda config: workload or regression_workload()
        )
        log = Log() if log is None else log
        loop.train(
            make_config(**more), str(workdir), allow_config_change=allow_config_change, log=log
        )
        return log

    run.calls, run.saves = [], []
    original_steps, original_save = loop.train_steps, Run.save_behind

    def train_steps(state, batches, count):
        run.calls.append((int(state.step), count))
        return original_steps(state, batches, count)

    def save(self, state, vocabulary, progress):
        run.saves.append(int(state.step))
        return original_save(self, state, vocabulary, progress)

    monkeypatch.setattr(start, "make_optimizer", make_optimizer_once)
    monkeypatch.setattr(loop, "train_steps", train_steps)
    monkeypatch.setattr(Run, "save_behind", save)
    return run
