"""Bad values of every field of every config: refused in a line, or trained with in bounded room.

    CAMPAIGN_SEED=7 CAMPAIGN_TRIALS=10 python -m pytest -m slow tests/campaign/test_config_fields.py

Fields of each architecture get some of `VALUES`, whatever their type, and the config is checked.
From CAMPAIGN_TRIALS=4 on every field gets every value. With some of the values that pass a few
steps are trained: a UserError is right there too, as where a batch is larger than the corpus, but
anything else is a fault.
"""

import contextlib
import math
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from campaign.attempts import fault_of
from campaign.tally import Attack, draw, trials
from labeled_texts import labeled_texts
from ml_collections import ConfigDict
from tiny_run import write_corpus

from zoo.models.registry import list_models, task_of
from zoo.training import config as configs
from zoo.training.loop import train

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("optax_dtypes")]
CHECKS, TRAININGS = 900, 8  # of each architecture
SECONDS_OF_TRAINING = 4.0  # then it is stopped, as by Ctrl-C
VALUES: tuple[Any, ...] = (
    *(-1, 0, 1, 2, 3, 7, 1000, 2**31 - 1, 2**31, 2**32 - 1, 10**20, -(10**20), 10**400),
    *(math.nan, math.inf, -math.inf, 1e308, 1e-308, -1e-9, 0.5, 1.0, 1.5),
    *("", " ", "x", "X" * 5000, "\x1b[2J", "../..", "/dev/zero", "~nosuchuser/x", "\0"),
    *("http://127.0.0.1:9/x", "tfds:", "tfds:../x", "None", "\ud800", "gs://x/y", "subword"),
    *(None, True, False, (), [], {}, (0,), (-1,), (1,), (2**31,), (10**20,), (math.nan,), ("x",)),
    *((1,) * 10_000, tuple(range(1, 10_000)), ((1,),), (None,), (True,), (0.1, 0.2), (1.0, 1e308)),
    *(b"x", {"a": 1}, complex(1, 1), range(3), {1}),
)
TINY = {
    "model": {"embedding_size": 6, "hidden_size": 6, "hidden_sizes": (6,), "order": 2},
    "training": {"num_steps": 4, "log_every_steps": 2, "steps_per_call": 2},
    "evaluation": {"every_steps": 2, "sample_tokens": 4, "report": False},
    "data": {"batch_size": 4, "sequence_length": 8},
}
TINY["model"] |= {"head_size": 6, "inner_size": 8, "num_heads": 2}
CORPORA = {
    "classification": "table_file",
    "tagging": "conll_file",
    "translation": "parallel_text",
}


class Stopped(BaseException):
    """SIGTERM came outside the loop that heeds it."""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A corpus of each kind."""
    root = tmp_path_factory.mktemp("corpora")
    rows = "".join(f"{text},{label}\n" for text, label in labeled_texts(60))
    (root / "table.csv").write_text(f"text,label\n{rows}")
    pairs = [f"ein Haus {number}\ta house {number}\n" for number in range(80)]
    (root / "pairs.tsv").write_text("".join(pairs))
    (root / "names.conll").write_text("in O\nUlm B-loc\n\nAnna B-per\nMay I-per\n\n" * 60)
    return {
        "text_file": write_corpus(root),
        "conll_file": root / "names.conll",
        "table_file": root / "table.csv",
        "parallel_text": root / "pairs.tsv",
    }


def tiny(architecture: str, places: dict[str, Path]) -> ConfigDict:
    """A config of an architecture with which training takes a second or two."""
    config = configs.base_config(architecture)
    corpus = CORPORA.get(task_of(architecture), "text_file")
    data = {"corpus": corpus, "directory": str(places[corpus])}
    data |= {"cache_directory": str(places[corpus].parent / "cache")}
    for section, fields in {**TINY, "data": {**TINY["data"], **data}}.items():
        for field, value in fields.items():
            if field in config[section]:
                config[section][field] = value
    return config


def cases(architecture: str, places: dict[str, Path]) -> Iterator[tuple[str, str, Any]]:
    """Every section, field and bad value."""
    for section, fields in tiny(architecture, places).items():
        for field in fields:
            for value in VALUES:
                yield section, field, value


def changed(config: ConfigDict, section: str, field: str, value: Any) -> ConfigDict:
    """The config with a value of any type, as a Python program may set it."""
    with config.ignore_type(), contextlib.suppress(OverflowError):  # a float field and 10**400
        config[section][field] = value
    return config


@contextlib.contextmanager
def stopped_soon() -> Iterator[None]:
    """Sends SIGTERM to this process after a while; where nothing heeds it, it raises Stopped."""

    def stop(number: int, frame: Any) -> None:
        raise Stopped

    before = signal.signal(signal.SIGTERM, stop)
    timer = threading.Timer(SECONDS_OF_TRAINING, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGTERM, before)


def train_a_little(config: ConfigDict, workdir: Path) -> None:
    """A run of at most a few seconds."""
    with contextlib.suppress(Stopped), stopped_soon():
        train(config, str(workdir), log=lambda line: None)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("architecture", list_models())
def test_a_bad_field_is_refused_in_a_line_or_trained_with(
    architecture, places, tmp_path, monkeypatch
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")  # where a cache directory named " " is made
    sound = tiny(architecture, places)
    assert fault_of(lambda: train_a_little(sound, tmp_path / "sound")) == ("", False)
    accepted = []
    with Attack(f"config fields: {architecture}") as attack:
        chosen = list(cases(architecture, places))
        draw(architecture).shuffle(chosen)
        for section, field, value in chosen[: trials(CHECKS)]:
            config = changed(tiny(architecture, places), section, field, value)
            fault, refused = fault_of(lambda: configs.check(config))  # noqa: B023
            attack.tried()
            told = f"{section}.{field} = {str(value)[:40]!r}"
            if fault:
                attack.failed("tracebacks", f"{told}: {fault}")
            elif not refused:
                accepted.append((section, field, value))
    with Attack(f"training with odd fields: {architecture}") as attack:
        for index, (section, field, value) in enumerate(accepted[: trials(TRAININGS)]):
            config = changed(tiny(architecture, places), section, field, value)
            workdir = tmp_path / str(index)
            fault, _ = fault_of(lambda: train_a_little(config, workdir))  # noqa: B023
            attack.tried()
            if fault:
                attack.failed("tracebacks", f"{section}.{field} = {str(value)[:40]!r}: {fault}")
