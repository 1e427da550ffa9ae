"""The page docs/add_a_model.md: its model, in a module of its own, does what ours do."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pages import code_of, known_module
from tiny_run import tiny_config

import zoo
from zoo.models import registry
from zoo.training.config import base_config
from zoo.training.loop import train

pytestmark = pytest.mark.usefixtures("optax_dtypes")
MODEL, LINE = code_of("add_a_model.md")


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's model is an architecture until the test ends."""
    monkeypatch.setattr(registry, "ARCHITECTURES", dict(registry.ARCHITECTURES))
    names = {"Architecture": registry.Architecture, "ARCHITECTURES": registry.ARCHITECTURES}
    line = LINE.replace("zoo.models.bigram_lm", "user_bigram")
    with known_module(tmp_path / "user_bigram.py", MODEL, line, names, monkeypatch):
        yield


@pytest.mark.usefixtures("known")
def test_the_model_trains_loads_generates_and_is_scored(corpus: Path, tmp_path: Path) -> None:
    config = base_config("bigram_lm")
    tiny = tiny_config(corpus)
    for section in set(config) - {"model"}:
        config[section].update(tiny[section])
    config.model.hidden_size = 8
    workdir = tmp_path / "run"
    progress = train(config, str(workdir), log=lambda line: None)
    checkpoint = zoo.load(workdir)
    assert zoo.generate(checkpoint, "a", max_tokens=5, seed=1).startswith("a")
    # Each token depends on the one before it alone, so lines score as they do apart.
    lines = corpus.read_text("utf-8").splitlines()[:3]
    whole = zoo.evaluate(checkpoint, lines, mode="sentence")
    apart = [zoo.evaluate(checkpoint, line, mode="sentence").nats for line in lines]
    np.testing.assert_allclose(whole.nats, sum(apart), rtol=1e-5)
    assert np.isfinite(progress.best_score)
