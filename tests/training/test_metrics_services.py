"""Metrics beside the run's own files: W&B, which is only imported where it is asked for."""

import builtins
import sys
import types

import pytest
from tiny_run import metrics_of, tiny_config

import zoo
from zoo.errors import UserError

pytestmark = pytest.mark.usefixtures("optax_dtypes")


class Service:
    """What wandb.init gives, with all that it was told."""

    def __init__(self, options):
        self.options, self.logged, self.exit_code, self.axes = options, [], None, []

    def define_metric(self, name, step_metric):
        self.axes.append((name, step_metric))

    def log(self, values):
        self.logged.append(values)

    def finish(self, exit_code):
        self.exit_code = exit_code


@pytest.fixture
def services(monkeypatch):
    """The runs that a W&B of our own opened."""
    opened = []

    def init(**options):
        opened.append(Service(options))
        return opened[-1]

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    return opened


def test_it_gets_what_the_metrics_have_and_the_same_run_goes_on(corpus, tmp_path, services):
    config = tiny_config(corpus, training__wandb=True, training__num_steps=6)
    zoo.train(config, tmp_path / "run", log=lambda line: None)
    config.training.num_steps = 12
    zoo.train(config, tmp_path / "run", allow_config_change=True, log=lambda line: None)
    first, second = services
    assert first.options["id"] == second.options["id"]
    assert first.options["resume"] == "allow"
    assert first.options["name"] == "run"
    assert first.options["config"]["model"]["cell"] == "elman"
    assert first.axes == [("*", "step")]
    assert (first.exit_code, second.exit_code) == (0, 0)
    told = [one for service in services for one in service.logged]
    losses = [(one["step"], one["train/loss_nats"]) for one in told if "train/loss_nats" in one]
    records = metrics_of(tmp_path / "run", "train")
    assert losses == [(one["step"], one["loss_nats"]) for one in records]
    assert any("validation/perplexity" in one for one in told)


def test_a_run_that_fails_is_told_as_failed(corpus, tmp_path, services):
    def stop(line):
        if line.startswith("step 4/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        zoo.train(tiny_config(corpus, training__wandb=True), tmp_path, log=stop)
    assert services[0].exit_code == 1


def test_without_the_package_it_is_one_line(corpus, tmp_path, monkeypatch):
    imported = builtins.__import__

    def refuse(name, *rest):
        if name == "wandb":
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UserError, match=r"training.wandb needs wandb; type: pip install 'recurr"):
        zoo.train(tiny_config(corpus, training__wandb=True), tmp_path, log=lambda line: None)


def test_it_is_off_unless_asked(corpus, tmp_path, services):
    zoo.train(tiny_config(corpus, training__num_steps=2), tmp_path, log=lambda line: None)
    assert services == []
