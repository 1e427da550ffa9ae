"""The file system fails, or the process ends, at every call of whatever writes files.

Run it by `python -m pytest -m slow tests/campaign/test_crashes.py`; see `tally.py` for its seed and
its size. Calls of a save, a release, an export, a report, a preparation and a run fail in one of
three ways that the seed chooses: the disk is full from there on (ENOSPC), this call alone fails
(EIO), or the process ends there. CAMPAIGN_TRIALS=3 tries all three. Afterwards what was sound is
still sound, the same command works, and nothing half is left.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_checkpoints
from campaign import faults, tally
from campaign.forks import Ended, ForkServer
from campaign.judging import judge_end, judge_leftovers, judge_run, judge_saves, pass_a_minute
from campaign.tally import Attack
from tiny_run import tiny_settings, write_corpus

import zoo
from zoo.training import checkpoints

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("optax_dtypes")]
KINDS = (faults.FULL, faults.BROKEN, faults.CRASH)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with ForkServer() as started:
        yield started


def failures(name: str, num_calls: int, most: int = 10**6) -> list[tuple[str, int]]:
    """Which call fails how: every call in one way, or in more if CAMPAIGN_TRIALS is larger."""
    draw, chosen = tally.draw(name), []
    for at in range(1, num_calls + 1):
        chosen += [(kind, at) for kind in draw.sample(KINDS, min(3, tally.trials(1)))]
    draw.shuffle(chosen)
    return chosen[: tally.trials(most)]


def limits(name: str, usual: int) -> list[tuple[str, int]]:
    """Sizes in bytes, small ones more often, beyond which no file can grow."""
    draw = tally.draw(name)
    return [(faults.LIMIT, int(2 ** draw.uniform(0, 15))) for _ in range(tally.trials(usual))]


def attack_each(
    attack: Attack,
    base: Path,
    start: Callable[[Path, tuple[Any, ...]], Ended],
    judge: Callable[[Path, Ended, str], None],
    *,
    most: int = 10**6,
    num_limits: int = 10,
) -> None:
    """Lets one process after another fail, each in a copy of a directory of its own.

    Args:
        attack: counts.
        base: what is copied.
        start: runs a process in a copy, with the arguments of `faults.FileSystem`.
        judge: looks at the copy afterwards.
        most: the most failures of calls that are tried by default.
        num_limits: how many limits of the files' size are tried by default.
    """
    place = base.with_name("trial")
    shutil.copytree(base, place)
    calls = start(place, (place,)).calls
    assert len(calls) >= 3, calls
    tries = failures(attack.name, len(calls), most) + limits(attack.name, num_limits)
    for kind, at in tries:
        shutil.rmtree(place)
        shutil.copytree(base, place)
        ended = start(place, (place, kind, at))
        call = calls[at - 1] if kind != faults.LIMIT and at <= len(calls) else ""
        name = f"{kind} {at} ({call})"
        judge_end(attack, ended, name)
        judge(place, ended, name)
    shutil.rmtree(place)


def test_a_save(server: ForkServer, tmp_path: Path) -> None:
    base = tmp_path / "base"
    assert server.run("save", base, 1, 2).code == 0

    def judge(place: Path, ended: Ended, name: str) -> None:
        judge_saves(attack, place, least=3 if ended.code == 0 else 2, name=name)

    with Attack("failure at each call of a save") as attack:
        attack_each(
            attack, base, lambda place, watch: server.run("save", place, 3, 3, watch=watch), judge
        )


def test_a_step_saved_again(server: ForkServer, tmp_path: Path) -> None:
    base = tmp_path / "base"
    assert server.run("save", base, 1, 2).code == 0

    def judge(place: Path, ended: Ended, name: str) -> None:
        judge_saves(attack, place, least=2 if ended.code == 0 else 1, name=name)

    with Attack("failure at each call of a replacing save") as attack:
        attack_each(
            attack,
            base,
            lambda place, watch: server.run("save", place, 2, 2, watch=watch),
            judge,
            most=30,
            num_limits=0,
        )


def test_a_release(server: ForkServer, tmp_path: Path) -> None:
    run, base = tiny_checkpoints.save(tmp_path, "lstm"), tmp_path / "base"
    card = ROOT / "checkpoints" / "trec" / "card.json"
    base.mkdir()

    def start(place: Path, watch: tuple[Any, ...] = ()) -> Ended:
        return server.run("command", "release", run, place / "mine", f"--card={card}", watch=watch)

    def judge(place: Path, ended: Ended, name: str) -> None:
        if ended.code == 0 or (place / "mine").exists():
            judge_released(attack, place / "mine", name)
        elif (again := start(place)).code != 0:
            attack.failed("lost", f"{name}: the same command says {again.err}")
        judge_leftovers(attack, place, name)

    with Attack("failure at each call of a release") as attack:
        attack_each(attack, base, start, judge, most=30, num_limits=4)


def judge_released(attack: Attack, place: Path, name: str) -> None:
    """Demands that a released directory is whole, with its card."""
    try:
        zoo.load(place)
    except ValueError as error:
        attack.failed("unnoticed", f"{name}: {error}")
    listed = json.loads((place / "checksums.json").read_bytes())
    if not {"card.json", "card.md"} <= listed.keys():
        attack.failed("unnoticed", f"{name}: it has no card")


@pytest.mark.parametrize(
    ("kind", "file"), [("lstm", "m.safetensors"), ("counts", "m.arpa"), ("lstm", "m.stablehlo")]
)
def test_an_export(server: ForkServer, tmp_path: Path, kind: str, file: str) -> None:
    run, base = tiny_checkpoints.save(tmp_path, kind), tmp_path / "base"
    base.mkdir()
    whole = tmp_path / "whole"
    shutil.copytree(base, whole)

    def start(place: Path, watch: tuple[Any, ...] = ()) -> Ended:
        return server.run("command", "export", run, place / file, watch=watch)

    assert start(whole).code == 0
    (base / file).write_bytes(b"old")

    def judge(place: Path, ended: Ended, name: str) -> None:
        expected = b"old" if ended.code == 2 else (whole / file).read_bytes()
        found = (place / file).read_bytes()
        if found != expected and not (ended.code == 137 and found == b"old"):
            attack.failed("unnoticed", f"{name}: code {ended.code}, but the file is another")
        if ended.code != 0 and (again := start(place)).code != 0:
            attack.failed("lost", f"{name}: the same command says {again.err}")
        judge_leftovers(attack, place, name)

    with Attack(f"failure at each call of an export, {file.partition('.')[2]}") as attack:
        attack_each(attack, base, start, judge, num_limits=3)


def test_a_preparation(server: ForkServer, tmp_path: Path) -> None:
    base, text = tmp_path / "base", write_corpus(tmp_path)
    base.mkdir()
    expected = server.run("prepare", text, tmp_path / "elsewhere").out

    def start(place: Path, watch: tuple[Any, ...] = ()) -> Ended:
        return server.run("prepare", text, place / "cache", watch=watch)

    def judge(place: Path, ended: Ended, name: str) -> None:
        pass_a_minute(place / "cache")
        again = start(place)
        if again.out != expected or (ended.code == 0 and ended.out != expected):
            attack.failed("unnoticed", f"{name}: {ended.out}{again.out}{again.err}")
        judge_leftovers(attack, place, name)

    with Attack("failure at each call of a preparation") as attack:
        attack_each(attack, base, start, judge, num_limits=5)


@pytest.fixture(scope="module")
def runs(server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A directory with a run that nothing disturbed and one that was killed, and their settings."""
    root = tmp_path_factory.mktemp("runs")
    settings = tiny_settings(write_corpus(root), evaluation__report=True)
    server.run("train", root / "whole", settings)
    assert checkpoints.steps(root / "whole") == [6, 12]
    for number in range(60):  # a thread writes step 6, sooner or later
        after = 0.01 * number
        server.run("train", root / "base", settings, number=9, after=after, log="step 8/12")
        if checkpoints.steps(root / "base") == [6]:
            return root, settings
        shutil.rmtree(root / "base")
    raise AssertionError("no run was killed between its two saves")


def test_a_run_that_goes_on(server: ForkServer, runs: tuple[Path, dict]) -> None:
    root, settings = runs

    def start(place: Path, watch: tuple[Any, ...] = ()) -> Ended:
        return server.run("train", place, settings, watch=watch)

    def judge(place: Path, ended: Ended, name: str) -> None:
        if (again := start(place)).code != 0:
            attack.failed("lost", f"{name}: the same command says {again.err}")
        judge_run(attack, place, root / "whole", name)

    with Attack("failure at a call of a run that goes on") as attack:
        attack_each(attack, root / "base", start, judge, most=5, num_limits=1)


def test_a_report(server: ForkServer, runs: tuple[Path, dict]) -> None:
    root, _ = runs
    old = (root / "whole" / "report.html").read_bytes()

    def start(place: Path, watch: tuple[Any, ...] = ()) -> Ended:
        return server.run("command", "report", place, watch=watch)

    def judge(place: Path, ended: Ended, name: str) -> None:
        page = place / "report.html"
        if len(page.read_bytes()) < len(old) // 2:
            attack.failed("lost", f"{name}: the page that was there is gone")
        if (again := start(place)).code != 0:
            attack.failed("lost", f"{name}: the same command says {again.err}")
        judge_leftovers(attack, place, name)

    with Attack("failure at each call of a report") as attack:
        attack_each(attack, root / "whole", start, judge)
