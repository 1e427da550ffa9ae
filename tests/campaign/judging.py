"""What the campaign demands of a run's directory after an attack."""

import os
import time
from pathlib import Path

from campaign.actions import arrays
from campaign.forks import Ended
from campaign.tally import Attack
from tiny_run import array_bits, read_metrics, saved_bits

from zoo.errors import UserError
from zoo.training import checkpoints
from zoo.training.checksums import DamagedCheckpoint


def judge_end(attack: Attack, ended: Ended, name: str) -> None:
    """Counts a try, and a process that ended with a traceback or with more than one line."""
    attack.tried()
    if fault := ended.fault():
        attack.failed("tracebacks", f"{name}: {fault}")


def judge_saves(attack: Attack, root: Path, *, least: int, name: str) -> None:
    """Demands that every step that `actions.save` made is sound and has its own arrays.

    Args:
        attack: counts what is not so.
        root: the run's directory.
        least: the newest step that must be there, or a later one.
        name: of the try.
    """
    found = checkpoints.steps(root)
    if not found or found[-1] < least:
        attack.failed("lost", f"{name}: step {least} is gone, {found} are there")
    for step in found:
        directory = checkpoints.step_directory(root, step)
        try:
            checkpoints.verify(directory)
        except DamagedCheckpoint as error:
            attack.failed("lost", f"{name}: {error}")
            continue
        params, state = arrays(step)
        try:
            restored = checkpoints.restore(directory, params_template=params, state_template=state)
        except (DamagedCheckpoint, UserError) as error:
            attack.failed("unnoticed", f"{name}: {error}")
            continue
        kept = (restored.params, restored.state, restored.config)
        if array_bits(kept[:2]) != array_bits((params, state)) or kept[2] != {"step": step}:
            attack.failed("unnoticed", f"{name}: step {step} has other arrays")
    checkpoints.latest_sound(root, log=lambda line: None, set_aside=True)
    judge_leftovers(attack, root, name)


def judge_leftovers(attack: Attack, root: Path, name: str) -> None:
    """Demands that nothing that is incomplete lies below a directory."""
    marks = (".incomplete", ".replaced", "preparing-")
    left = [path for path in root.rglob("*") if any(mark in path.name for mark in marks)]
    if left:
        attack.failed("unnoticed", f"{name}: {left[0]} is left")


def judge_run(
    attack: Attack, found: Path, whole: Path, name: str, *, with_metrics: bool = True
) -> None:
    """Demands that a run ended bit for bit as one that nothing disturbed."""
    steps = checkpoints.steps(whole)
    if checkpoints.steps(found) != steps:
        attack.failed("lost", f"{name}: steps {checkpoints.steps(found)} instead of {steps}")
        return
    if with_metrics and read_metrics(found) != read_metrics(whole):
        attack.failed("unnoticed", f"{name}: it ended with other metrics")
    for step in steps:
        if saved_bits(found, step) != saved_bits(whole, step):
            attack.failed("unnoticed", f"{name}: it ended with another step {step}")
    judge_leftovers(attack, found, name)


def pass_a_minute(cache: Path) -> None:
    """Makes what stopped preparations left older than a preparation that has just begun."""
    for leftover in cache.glob("preparing-*"):
        os.utime(leftover, (time.time() - 120,) * 2)
