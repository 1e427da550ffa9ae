"""Processes are killed, terminated and interrupted at random moments, and start again.

Run it by `python -m pytest -m slow tests/campaign/test_kills.py`; see `tally.py` for its seed and
its size. A run that was stopped again and again ends bit for bit as one that was not; a save, a
release, an export and a preparation leave all or nothing; SIGTERM and Ctrl-C end in one line at
most, with the usual exit code.
"""

import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_checkpoints
from campaign import tally
from campaign.forks import REPORT_REQUEST, Ended, ForkServer
from campaign.judging import judge_end, judge_leftovers, judge_run, judge_saves, pass_a_minute
from campaign.tally import Attack
from tiny_run import tiny_flags, tiny_settings, write_corpus
from train_process import TrainProcess

import zoo
from zoo.training import checkpoints

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("optax_dtypes")]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
IMPORT_SECONDS = 1.0  # more than train.py takes until it handles signals itself
# Whatever a run has to remember: dropout, offsets, momentum, a carry, sums, a plateau's best step.
SETTINGS = {
    "data.random_offset": True,
    "model.embedding_dropout_rate": 0.1,
    "model.output_dropout_rate": 0.2,
    "optimizer.name": "momentum",
    "optimizer.learning_rate": 3.0,
    "optimizer.clip_norm": 1.0,
    "optimizer.schedule": "plateau",
    "training.num_steps": 240,
    "training.log_every_steps": 15,
    "training.checkpoint_every_steps": 20,
    "evaluation.every_steps": 30,
    "evaluation.sample_tokens": 8,
}


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with ForkServer() as started:
        yield started


def test_saves_are_killed(server: ForkServer, tmp_path: Path) -> None:
    draw = tally.draw("saves")
    with Attack("SIGKILL while steps are saved") as attack:
        for number in range(tally.trials(4)):
            root, newest = tmp_path / str(number), 0
            for _ in range(8):
                after = draw.uniform(0.0, 0.25)
                ended = server.run(
                    "save", root, newest + 1, newest + 9, number=9, after=after, log="saved"
                )
                name = f"root {number}, {after:.3f} s after step {newest + 1}"
                judge_end(attack, ended, name)
                judge_saves(attack, root, least=newest + ended.out.count("\n"), name=name)
                newest = checkpoints.steps(root)[-1]
            shutil.rmtree(root)


@pytest.fixture(scope="module")
def whole(server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, float]:
    """A run that nothing disturbed, its settings, and its seconds."""
    root = tmp_path_factory.mktemp("whole")
    settings = tiny_settings(write_corpus(root), **SETTINGS)
    ended = server.run("train", root / "run", settings)
    assert ended.code == 0, ended
    return root / "run", settings, ended.seconds


def judge_stop(attack: Attack, ended: Ended, number: int, name: str) -> None:
    """Demands of a stopped process its usual exit code and at most a line of error."""
    judge_end(attack, ended, name)
    usual = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[signal.Signals(number)]
    if ended.code not in (0, usual, -number) or ended.err.count("\n") > 1:
        attack.failed("tracebacks", f"{name}: code {ended.code}, {ended.err[-300:]}")


def test_runs_are_stopped_again_and_again(
    server: ForkServer, whole: tuple[Path, dict, float], tmp_path: Path
) -> None:
    expected, settings, seconds = whole
    with Attack("a run stopped at random moments, by three signals") as attack:
        for trial in range(tally.trials(1)):
            draw, place = tally.draw(f"runs {trial}"), tmp_path / str(trial)
            for _ in range(7):
                number, after = draw.choice(SIGNALS), draw.uniform(0.0, seconds)
                log = draw.choice(("", "step "))  # from the start on, or from the first step on
                after *= 0.2 if log else 1.0
                ended = server.run("train", place, settings, number=number, after=after, log=log)
                judge_stop(attack, ended, number, f"run {trial}, {number} after {after:.2f} s")
            ended = server.run("train", place, settings)
            judge_end(attack, ended, f"run {trial}, its last start")
            judge_run(attack, place, expected, f"run {trial}")


def test_train_py_is_stopped_while_it_starts(
    whole: tuple[Path, dict, float], tmp_path: Path
) -> None:
    """Real processes: Python starts, imports, compiles, trains, and ends."""
    expected, settings, _ = whole
    draw = tally.draw("train.py")
    more = {name.replace(".", "__"): value for name, value in settings.items()}
    flags = [*tiny_flags(Path(settings["data.directory"]), **more), f"--workdir={tmp_path}"]
    flags = [flag.replace("[", "(").replace("]", ")") for flag in flags]
    with Attack("train.py stopped from its very start on, by three signals") as attack:
        for _ in range(tally.trials(7)):
            number, after = draw.choice(SIGNALS), draw.choice((0.5, 6.0)) * draw.random()
            if number == signal.SIGINT:  # sooner: see the next test
                after = max(after, IMPORT_SECONDS)
            with TrainProcess(*flags) as process:
                time.sleep(after)
                process.stop(number)
                code, err = process.finish()
            ended = Ended(code, "", err, after, [])
            judge_stop(attack, ended, number, f"{number} after {after:.2f} s")
        with TrainProcess(*flags) as process:
            code, err = process.finish()
        assert (code, REPORT_REQUEST in err) == (0, False), err
        judge_run(attack, tmp_path, expected, "train.py")


def test_train_py_is_interrupted_while_it_imports(
    whole: tuple[Path, dict, float], tmp_path: Path
) -> None:
    draw = tally.draw("imports")
    flags = tiny_flags(Path(whole[1]["data.directory"]))
    with Attack("train.py interrupted while it imports") as attack:
        for number in range(tally.trials(6)):
            after = draw.uniform(0.02, IMPORT_SECONDS)
            with TrainProcess(*flags, f"--workdir={tmp_path / str(number)}") as process:
                time.sleep(after)
                process.stop(signal.SIGINT)
                code, err = process.finish()
            ended = Ended(code, "", err, after, [])
            judge_stop(attack, ended, signal.SIGINT, f"after {after:.2f} s")


def stop_each(
    attack: Attack,
    start: Callable[..., Ended],
    judge: Callable[[Ended, str], None],
    draw: random.Random,
    usual: int,
) -> None:
    """Stops one process after another at random moments.

    Args:
        attack: counts.
        start: starts the process anew, takes `number` and `after`.
        judge: looks at what it left.
        draw: chooses signals and moments.
        usual: how many by default.
    """
    seconds = start().seconds
    for _ in range(tally.trials(usual)):
        number, after = draw.choice(SIGNALS), draw.uniform(0.0, seconds)
        ended = start(number=number, after=after)
        name = f"{number} after {after:.3f} s"
        judge_stop(attack, ended, number, name)
        judge(ended, name)


def test_preparations_are_stopped(server: ForkServer, tmp_path: Path) -> None:
    text, cache = write_corpus(tmp_path), tmp_path / "cache"
    expected = server.run("prepare", text, tmp_path / "elsewhere").out

    def start(**options: Any) -> Ended:
        shutil.rmtree(cache, ignore_errors=True)
        return server.run("prepare", text, cache, **options)

    def judge(ended: Ended, name: str) -> None:
        pass_a_minute(cache)
        again = server.run("prepare", text, cache)
        if again.out != expected or again.code != 0:
            attack.failed("lost", f"{name}: {again}")
        judge_leftovers(attack, tmp_path, name)

    with Attack("a preparation stopped at random moments") as attack:
        stop_each(attack, start, judge, tally.draw("preparations"), usual=20)


@pytest.mark.parametrize(
    ("command", "kind", "target"),
    [
        ("release", "lstm", "mine"),
        ("export", "lstm", "m.safetensors"),
        ("export", "counts", "m.arpa"),
    ],
)
def test_commands_are_stopped(
    server: ForkServer, tmp_path: Path, command: str, kind: str, target: str
) -> None:
    run, place = tiny_checkpoints.save(tmp_path, kind), tmp_path / "place"

    def start(**options: Any) -> Ended:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return server.run("command", command, run, place / target, **options)

    def judge(ended: Ended, name: str) -> None:
        if not (place / target).exists():
            again = server.run("command", command, run, place / target)
            if again.code != 0:
                attack.failed("lost", f"{name}: the same command says {again.err}")
        try:
            zoo.load(place / target)
        except ValueError as error:
            attack.failed("unnoticed", f"{name}: what is there is not whole: {error}")
        judge_leftovers(attack, place, name)

    with Attack(f"zoo {command}, {target}, stopped at random moments") as attack:
        stop_each(attack, start, judge, tally.draw(f"{command} {target}"), usual=8)
