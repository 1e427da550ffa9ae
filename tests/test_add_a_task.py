"""The page docs/add_a_task.md: its task, in a module of its own, does what every task does."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from labeled_texts import write_csv
from pages import code_of, known_module
from tiny_run import saved_bits

import zoo
from zoo.__main__ import main
from zoo.errors import UserError
from zoo.models import registry as models
from zoo.tasks import registry as tasks
from zoo.training.config import base_config
from zoo.training.loop import train

pytestmark = pytest.mark.usefixtures("optax_dtypes")
TASK, LINES = code_of("add_a_task.md")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The task is known, and there is a table of films: good ones have three stars, others none."""
    monkeypatch.setattr(tasks, "TASKS", dict(tasks.TASKS))
    monkeypatch.setattr(models, "ARCHITECTURES", dict(models.ARCHITECTURES))
    names = {"Architecture": models.Architecture}
    names |= {"TASKS": tasks.TASKS, "ARCHITECTURES": models.ARCHITECTURES}
    lines = LINES.replace("zoo.tasks.rating", "user_rating")
    rows = [("good " * (n % 2) + "film " * (n % 3 + 1), "03"[n % 2]) for n in range(120)]
    with known_module(tmp_path / "user_rating.py", TASK, lines, names, monkeypatch):
        yield write_csv(tmp_path / "films.csv", rows, ("text", "label"))


def rate(table: Path, workdir: Path, num_steps: int) -> None:
    config = base_config("rater")
    config.update_from_flattened_dict(
        {
            "data.corpus": "table_file",
            "data.directory": str(table),
            "data.cache_directory": str(table.parent / "cache"),
            "data.batch_size": 8,
            "data.bucket_lengths": (8,),
            "model.embedding_size": 6,
            "model.hidden_sizes": (5,),
            "model.head_size": 4,
            "model.activation": "tanh",  # four rectified units may all be dead
            "optimizer.learning_rate": 0.05,
            "training.num_steps": num_steps,
            "training.checkpoint_every_steps": 20,
            "evaluation.every_steps": 20,
        }
    )
    train(config, str(workdir), allow_config_change=True, log=lambda line: None)


def test_the_task_trains_resumes_loads_and_is_measured(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rate(table, tmp_path / "whole", 60)
    rate(table, tmp_path / "cut", 20)
    rate(table, tmp_path / "cut", 60)
    assert saved_bits(tmp_path / "cut", 60) == saved_bits(tmp_path / "whole", 60)
    assert main(
        ["evaluate", str(tmp_path / "whole"), "--split=test", "--json", f"--data_directory={table}"]
    ) in (0, None)
    found = json.loads(capsys.readouterr().out)
    assert found["mean_error"] < 0.5  # always saying 1.5 is wrong by 1.5
    checkpoint = zoo.load(tmp_path / "whole")
    assert checkpoint.kind.noun == "rater"
    with pytest.raises(UserError, match="this is a rater, not a classifier; use evaluate"):
        zoo.classify(checkpoint, ["good"])
    with pytest.raises(UserError, match="this is a rater, not a language model; use evaluate"):
        zoo.generate(checkpoint)
