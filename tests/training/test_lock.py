"""One process at a time in a run's directory."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_run import environment_with, tiny_flags

from zoo.errors import UserError
from zoo.training.lock import NAME, locked

HOLD = """
import sys, time
from pathlib import Path
from zoo.training.lock import locked
with locked(Path(sys.argv[1]), print):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that uses the directory."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment_with(1)) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_in_one_line_that_names_the_first(holder, tmp_path):
    with pytest.raises(UserError) as told, locked(tmp_path, pytest.fail):
        pass
    message = str(told.value)
    assert message.startswith(f"{tmp_path} is in use by process {holder.pid} on ")
    assert "\n" not in message


def test_the_lock_ends_with_its_process_however_it_dies(holder, tmp_path):
    holder.kill()
    holder.wait()
    with locked(tmp_path, pytest.fail):
        assert (tmp_path / NAME).exists()


def test_train_refuses_a_directory_in_use_and_changes_nothing_in_it(
    holder, corpus, tmp_path, monkeypatch
):
    root = Path(__file__).parents[2]
    command = [sys.executable, str(root / "train.py"), *tiny_flags(corpus), f"--workdir={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment_with(1))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"in use by process {holder.pid}" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_one_process_may_use_a_directory_again(tmp_path):
    for _ in range(2):
        with locked(tmp_path, pytest.fail):
            time.sleep(0)
