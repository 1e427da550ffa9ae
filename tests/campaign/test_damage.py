"""Every file of a checkpoint, of a run and of a prepared corpus is damaged in every way.

Run it by `python -m pytest -m slow tests/campaign/test_damage.py`; see `tally.py` for its seed and
its size. A file gets a flipped bit, is cut in half, emptied, deleted, or replaced by a directory,
and beside it lies a file that no sum covers. Whoever reads it then says so in one line, or gets
what it would have got from the sound one.

The sums cover checkpoints, prepared corpora, and of a run `config.json` and `summary.json`. The
rest of what a run writes for people, its files of JSON lines and `report.html`, has none: there a
changed digit can't be noticed, and what is demanded is that nothing ends with a traceback and that
the parameters stay the same.
"""

import contextlib
import io
import logging
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_checkpoints
from campaign import tally
from campaign.forks import Ended
from campaign.judging import judge_end, judge_run
from campaign.tally import Attack
from tiny_run import array_bits, tiny_config, write_corpus

import zoo
from zoo.__main__ import main
from zoo.data.config import DataConfig
from zoo.data.loading import load_corpus
from zoo.errors import UserError
from zoo.training import checkpoints
from zoo.training.loop import train

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("optax_dtypes")]


def flip(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(bytes(content) or b"x")


def halve(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path, draw: random.Random) -> None:
    path.write_bytes(b"")


def delete(path: Path, draw: random.Random) -> None:
    path.unlink()


def replace(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


def accompany(path: Path, draw: random.Random) -> None:
    path.with_name(f"{path.name}{draw.randrange(10)}").write_bytes(path.read_bytes())


WAYS: tuple[Callable[[Path, random.Random], None], ...]
WAYS = (flip, halve, empty, delete, replace, accompany)


@contextlib.contextmanager
def damaged(sound: Path, place: Path) -> Iterator[Path]:
    """A copy of a directory that is gone afterwards."""
    shutil.copytree(sound, place)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def damages(sound: Path, name: str, most: int) -> list[tuple[str, Any, random.Random]]:
    """File, way and random numbers of each damage that is tried, in the order of a shuffle."""
    files = sorted(str(path.relative_to(sound)) for path in sound.rglob("*") if path.is_file())
    draw = tally.draw(name)
    repeated = [(file, way) for file in files for way in WAYS] * max(1, tally.trials(1))
    draw.shuffle(repeated)
    chosen = repeated[: tally.trials(most)]
    return [(*one, random.Random(draw.random())) for one in chosen]


def attempt(attack: Attack, name: str, call: Callable[[], Any]) -> Any:
    """The result of a call, or None where it was refused in one line; else a failure is counted."""
    attack.tried()
    try:
        return call()
    except UserError as error:
        if "\n" in str(error):
            attack.failed("tracebacks", f"{name}: more than a line: {error}")
    except Exception as error:  # what the campaign looks for
        attack.failed("tracebacks", f"{name}: {type(error).__name__}: {str(error)[:200]}")
    return None


def loaded(place: Path) -> tuple:
    """Everything that using a checkpoint depends on."""
    found = zoo.load(place)
    return array_bits(found.params), found.config, found.vocabulary_record, found.progress


@pytest.mark.parametrize("kind", ["lstm", "counts", "topics", "german"])
def test_a_checkpoint(tmp_path: Path, kind: str) -> None:
    run = tiny_checkpoints.save(tmp_path, kind)
    sound = Path(checkpoints.step_directory(run, 1))
    expected = loaded(sound)
    with Attack(f"damage to each file of a checkpoint, {kind}") as attack:
        for file, way, draw in damages(sound, attack.name, most=100):
            with damaged(sound, tmp_path / "copy") as place:
                way(place / file, draw)
                name = f"{way.__name__} {file}"
                found = attempt(attack, name, lambda place=place: loaded(place))
                if found is not None and found != expected:
                    attack.failed("unnoticed", f"{name}: it loads, and is another")


def run_command(*arguments: str) -> Ended:
    """Runs `python -m zoo` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    return Ended(code, out.getvalue(), err.getvalue(), 0.0, [])


@pytest.mark.parametrize(
    "command", [("list",), ("verify", "mine"), ("evaluate", "mine", "--text=TEXT", "--json")]
)
def test_commands_on_a_released_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    run, sound = tiny_checkpoints.save(tmp_path, "lstm"), tmp_path / "sound"
    card = Path(__file__).parents[2] / "checkpoints" / "trec" / "card.json"
    assert run_command("release", str(run), str(sound / "mine"), f"--card={card}").code == 0
    text = tmp_path / "text.txt"
    text.write_text("a net reads the next word\n")
    arguments = tuple(one.replace("TEXT", str(text)) for one in command)
    monkeypatch.setenv("ZOO_CHECKPOINTS", str(tmp_path / "copy"))
    with damaged(sound, tmp_path / "copy"):
        expected = run_command(*arguments)
    assert expected.code == 0, expected
    assert "mine" in expected.out
    with Attack(f"damage to a released checkpoint, zoo {command[0]}") as attack:
        for file, way, draw in damages(sound, attack.name, most=200):
            with damaged(sound, tmp_path / "copy") as place:
                way(place / file, draw)
                name = f"{way.__name__} {file}"
                ended = run_command(*arguments)
                judge_end(attack, ended, name)
                told = ended.code == 2 or "damaged" in ended.out + ended.err
                gone = "mine" not in ended.out  # without sums and arrays it is no checkpoint
                if ended.out != expected.out and not told and not gone:
                    attack.failed("unnoticed", f"{name}: {ended.out[-200:]}")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A directory with a whole run and one that was stopped before its end, and its corpus."""
    import jax

    root = tmp_path_factory.mktemp("runs")
    corpus = write_corpus(root)
    config = tiny_config(corpus, evaluation__report=True, evaluation__sample_tokens=8)
    config.training.num_steps = 18
    with jax.numpy_dtype_promotion("standard"):
        train(config, str(root / "whole"), log=lambda line: None)
        with contextlib.suppress(_Stopped):
            train(config, str(root / "cut"), log=_stop_after_two_steps)
    assert checkpoints.steps(root / "cut") == [6, 12]
    return root, corpus


class _Stopped(BaseException):
    pass


def _stop_after_two_steps(line: str) -> None:
    if line.startswith("step 16/"):
        raise _Stopped


def test_a_run_is_loaded(runs: tuple[Path, Path], caplog: pytest.LogCaptureFixture) -> None:
    root, _ = runs
    expected = loaded(root / "whole")
    others = [loaded(Path(checkpoints.step_directory(root / "whole", step))) for step in (12, 18)]
    with Attack("damage to a file of a run, zoo.load") as attack:
        for file, way, draw in damages(root / "whole", attack.name, most=60):
            with damaged(root / "whole", root / "copy") as place:
                way(place / file, draw)
                caplog.clear()
                name = f"{way.__name__} {file}"
                with caplog.at_level(logging.WARNING):
                    found = attempt(attack, name, lambda place=place: loaded(place))
                told = "is damaged" in caplog.text and found in others
                if found is not None and found != expected and not told:
                    attack.failed("unnoticed", f"{name}: it loads, and is another")


def test_a_run_goes_on(runs: tuple[Path, Path]) -> None:
    root, corpus = runs
    config = tiny_config(corpus, evaluation__report=True, evaluation__sample_tokens=8)
    config.training.num_steps = 18
    with Attack("damage to a file of a run, and it goes on") as attack:
        for file, way, draw in damages(root / "cut", attack.name, most=8):
            with damaged(root / "cut", root / "copy") as place:
                way(place / file, draw)
                name, log = f"{way.__name__} {file}", []

                def go_on(place: Path = place, log: list[str] = log) -> Any:
                    return train(config, str(place), log=log.append)

                if attempt(attack, name, go_on) is None:
                    continue
                without = file in ("metrics.jsonl", "samples.jsonl")
                judge_run(attack, place, root / "whole", name, with_metrics=not without)


def test_a_run_is_reported(runs: tuple[Path, Path]) -> None:
    root, _ = runs
    files = ("config.json", "summary.json", "report.html")
    files += ("metrics.jsonl", "samples.jsonl", "sessions.jsonl")
    draw = tally.draw("reports")
    with Attack("damage to a file of a run, zoo report") as attack:
        for _ in range(tally.trials(60)):
            file, way = draw.choice(files), draw.choice(WAYS)
            with damaged(root / "whole", root / "copy") as place:
                way(place / file, draw)
                ended = run_command("report", str(place))
                judge_end(attack, ended._replace(err=_errors(ended)), f"{way.__name__} {file}")


def _errors(ended: Ended) -> str:
    """Standard error without notes, such as of a line that is damaged and left out."""
    lines = ended.err.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("note: "))


def test_a_prepared_corpus(tmp_path: Path) -> None:
    text, cache = write_corpus(tmp_path), tmp_path / "cache"
    sound = tmp_path / "sound"

    def read(place: Path) -> dict[str, list[str]]:
        config = DataConfig(corpus="text_file", directory=str(text), cache_directory=str(place))
        return {split: list(lines) for split, lines in load_corpus(config).items()}

    expected = read(sound)
    with Attack("damage to a file of a prepared corpus") as attack:
        for file, way, draw in damages(sound, attack.name, most=40):
            with damaged(sound, cache) as place:
                way(place / file, draw)
                name = f"{way.__name__} {file}"
                found = attempt(attack, name, lambda place=place: read(place))
                if found is not None and found != expected:
                    attack.failed("unnoticed", f"{name}: it is another text")
                if found is not None and len(list(place.rglob("dataset_info.json"))) != 1:
                    attack.failed("lost", f"{name}: no whole corpus is left")
