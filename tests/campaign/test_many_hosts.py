"""Two processes that train one model are killed at random moments, and start again.

The model is split over the rows of its batches, or over its matrices. Its run lies on a disk that
both processes see, or in a bucket, of which each process has a copy of its own.
"""

import os
import shutil
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from campaign import tally
from campaign.judging import judge_run
from campaign.tally import Attack
from test_many_hosts import SETTINGS, start_both
from tiny_run import ROOT, write_corpus
from train_process import TrainProcess

pytestmark = pytest.mark.slow
MORE = {"training.num_steps": 300, "model.hidden_sizes": (6,), "evaluation.every_steps": 50}


class Runs:
    """Starts two processes at a time, on one corpus.

    Args:
        root: a directory for all that they need.
        on_disk: whether the run lies on a disk; else it lies in a bucket.
        parts: the number of parts of each matrix.
    """

    def __init__(self, root: Path, *, on_disk: bool, parts: int):
        self.on_disk, self.bucket = on_disk, root / "bucket"
        self.bucket.mkdir()
        self.corpus = write_corpus(root)
        self.settings = SETTINGS | MORE | {"mesh.model": parts}
        self.how = {"BUCKET": str(self.bucket)}
        if not on_disk:
            self.how["program"] = os.path.relpath(ROOT / "tests" / "train_in_bucket.py", ROOT)

    def start(self, stack: ExitStack, name: str) -> list[TrainProcess]:
        """Starts both processes of a run."""
        workdir = self.place(name) if self.on_disk else f"gs://{name}/run"
        return start_both(stack, self.corpus, workdir, how=self.how, **self.settings)

    def place(self, name: str) -> Path:
        """The run's directory on disk."""
        return self.bucket / name / "run"

    def found(self, name: str) -> Path:
        """The run as it is read; a bucket has objects, and no empty directories."""
        if self.on_disk:
            return self.place(name)
        copy = self.bucket.with_name("copies") / name
        for file in filter(Path.is_file, self.place(name).rglob("*")):
            target = copy / file.relative_to(self.place(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        return copy


def end(processes: list[TrainProcess]) -> float:
    """Waits for both, which must end well; returns the seconds."""
    started = time.monotonic()
    for process in processes:
        code, errors = process.finish()
        assert code == 0, errors
    return time.monotonic() - started


@pytest.mark.parametrize("parts", [1, 2], ids=["data", "model"])
@pytest.mark.parametrize("on_disk", [True, False], ids=["disk", "bucket"])
def test_two_processes_are_killed(tmp_path: Path, *, on_disk: bool, parts: int) -> None:
    runs = Runs(tmp_path, on_disk=on_disk, parts=parts)
    draw = tally.draw(f"hosts {on_disk} {parts}")
    with ExitStack() as stack:
        seconds = end(runs.start(stack, "whole"))
    kind = f"two processes, {'rows' if parts == 1 else 'matrices'} split, "
    with Attack(kind + ("on disk" if on_disk else "in a bucket")) as attack:
        for _ in range(tally.trials(13)):
            attack.tried()
            with ExitStack() as stack:
                both = runs.start(stack, "cut")
                if draw.random() < 0.8:  # else while they start
                    both[0].wait_for("step |.* parameters; step")
                time.sleep(draw.uniform(0.0, 0.5 * seconds))
                draw.choice(both).stop(signal.SIGKILL)
        with ExitStack() as stack:
            end(runs.start(stack, "cut"))
        judge_run(attack, runs.found("cut"), runs.found("whole"), kind)
