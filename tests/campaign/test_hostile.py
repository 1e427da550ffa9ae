"""Checkpoints that somebody means harm with: sound sums, and content that is none of a model.

    CAMPAIGN_SEED=7 CAMPAIGN_TRIALS=10 python -m pytest -m slow tests/campaign/test_hostile.py

Each is loaded, and used by a command. It must end with exit code 0, or with 2 and one line. While
it is used, `watching.py` sees every file that Python opens: nothing may be read of the directory
that the checkpoint names, nothing written but where the user said, and nothing started or imported.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from campaign import hostile
from campaign.attempts import fault_of
from campaign.running import command_fault
from campaign.tally import Attack, draw, trials
from campaign.watching import Watch, watched

import zoo

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
LOADS, USES_OF_RECORDS = 500, 200
OF_ALL = ("list", "verify mine", "export {c} {out}.safetensors", "release {c} {out}")
OF_LM = (
    "generate {c} --max_tokens=4",
    "generate {c} --prompt=a --num_samples=2 --max_tokens=3 --json",
    "evaluate {c} --text={text}",
    "evaluate {c} --split=test --data_directory={corpus} --mode=sentence",
    "evaluate {c} --split=test",
    "mix {c} --tune={text} --text={text}",
)
OF_NEURAL = (
    "diagnose {c} --steps=2 --text={text} --fresh",
    "evaluate {c} --text={text} --cache=5 --json",
    "evaluate {c} --text={text} --dynamic --data_directory={corpus}",
)
USES: dict[str, tuple[str, ...]] = {
    "lstm": (*OF_ALL, *OF_LM, *OF_NEURAL, "export {c} {out}.stablehlo"),
    "counts": (*OF_ALL, *OF_LM, "export {c} {out}.arpa"),
    "topics": (
        *(*OF_ALL, "classify {c} a_net_reads --tokens", "evaluate {c} --text={table} --json"),
        *("evaluate {c} --split=test --data_directory={table}", "evaluate {c} --split=train"),
    ),
    "names": (
        *(*OF_ALL, "tag {c} a_net_reads", "tag {c} a_net --format=conll --split=spaces"),
        *("evaluate {c} --split=test --data_directory={columns}", "evaluate {c} --split=train"),
    ),
    "german": (
        *(*OF_ALL, "translate {c} ein_Netz --json --n_best=2", "translate {c} Zeile --beam_size=1"),
        *("evaluate {c} --source={source} --target={target}", "evaluate {c} --split=test"),
        "evaluate {c} --split=test --data_directory={pairs} --beam_size=1",
    ),
}


class Room:
    """Sound checkpoints, corpora, a directory that nobody may look into, and one to work in."""

    def __init__(self, root: Path):
        self.number = 0  # of the next output
        self.secret = root / "secret"
        self.secret.mkdir()
        for name in ("key.txt", "train.txt", "valid.txt", "test.txt", "vectors", "evil.py"):
            (self.secret / name).write_text("a secret line\n")
        self.work = root / "work"
        self.released = self.work / "released"
        self.released.mkdir(parents=True)
        self.places = hostile.make_places(root / "places")
        self.sound = {n: hostile.make_sound(root / "s", n, self.secret) for n in hostile.NAMES}

    def fresh(self, name: str) -> Path:
        """A copy of a sound checkpoint, which is released as `mine`."""
        return hostile.copy(self.sound[name], self.released / "mine")

    def use(self, directory: Path, use: str) -> tuple[str, int]:
        """Uses a checkpoint by a command; returns what is wrong, and the exit code."""
        self.number += 1
        out = self.work / f"out{self.number}"
        words = [word.format(c=directory, out=out, **self.places) for word in use.split()]
        with watched(Watch([self.secret], [self.work])) as watch:
            fault, code = command_fault(words, allowed=(0, 1, 2) if "verify" in use else (0, 2))
        return fault or "; ".join(watch.faults[:3]), code


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    root = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        made = Room(root)
        patch.setenv("ZOO_CACHE", str(made.work / "cache"))
        patch.setenv("ZOO_CHECKPOINTS", str(made.released))
        patch.chdir(made.work)
        patch.syspath_prepend(str(made.secret))
        yield made


def load(directory: Path) -> tuple[str, bool]:
    """What is wrong with how a checkpoint loads, and whether it was refused."""
    return fault_of(lambda: zoo.load(directory))


@pytest.mark.parametrize("name", hostile.NAMES)
def test_sound_checkpoints_can_be_used(room, name):
    for use in USES[name]:
        fault, code = room.use(room.fresh(name), use)
        on_split = use.startswith("evaluate") and "--split" in use
        needs_place = on_split and "--data_directory" not in use
        assert (fault, code) == ("", 2 if needs_place else code), use
        assert needs_place or code in (0, 1, 2 if use.startswith("verify") else 0), use


@pytest.mark.parametrize("name", hostile.NAMES)
def test_whole_records_of_another_form(room, name):
    with Attack(f"whole records: {name}") as attack:
        for file in hostile.FILES[:3]:
            for content in hostile.WHOLE:
                directory = room.fresh(name)
                (directory / file).write_bytes(content)
                fault, refused = load(hostile.seal(directory))
                attack.tried()
                told = f"{file} = {content[:20]!r}: {fault}"
                if fault:
                    attack.failed("tracebacks", told)
                elif not refused and not (file == "progress.json" and content == b"{}"):
                    attack.failed("unnoticed", told)


def test_one_value_of_a_record_is_loaded(room):
    chance = draw("values loaded")
    with Attack("hostile values, loaded") as attack:
        for _ in range(trials(LOADS)):
            name = chance.choice(hostile.NAMES)
            directory = room.fresh(name)
            file = directory / chance.choice(hostile.FILES[:3])
            told = hostile.change_a_value(chance, file, room.secret)
            with watched(Watch([room.secret], [room.work])) as watch:
                fault, _ = load(hostile.seal(directory))
            attack.tried()
            if fault := fault or "; ".join(watch.faults[:3]):
                attack.failed("tracebacks", f"{name}, {told}: {fault}")


def test_one_value_of_a_record_is_used(room):
    chance = draw("values used")
    with Attack("hostile values, used by commands") as attack:
        for _ in range(trials(USES_OF_RECORDS)):
            name = chance.choice(hostile.NAMES)
            directory, use = room.fresh(name), chance.choice(USES[name])
            file = "card.json" if use.startswith("verify") else chance.choice(hostile.FILES)
            told = hostile.change_a_value(chance, directory / file, room.secret)
            fault, _ = room.use(hostile.seal(directory), use)
            attack.tried()
            if fault:
                attack.failed("tracebacks", f"{name}, {use}, {told}: {fault}")


@pytest.mark.parametrize("name", hostile.NAMES)
def test_parameters_of_no_model_are_refused(room, name):
    with Attack(f"hostile parameters: {name}") as attack:
        for what, change in hostile.PARAMETERS.items():
            try:
                directory = hostile.with_parameters(room.fresh(name), change)
            except Exception:  # Orbax refuses to write some; an enemy could not either
                continue
            fault, refused = load(directory)
            attack.tried()
            if fault or not refused:
                attack.failed("tracebacks" if fault else "unnoticed", f"{name}, {what}: {fault}")
    assert not (room.work / "escaped").exists()


def test_parameters_of_another_model_are_refused(room):
    with Attack("parameters of another model") as attack:
        for name in hostile.NAMES:
            for other in set(hostile.NAMES) - {name}:
                directory = room.fresh(name)
                hostile.copy(room.sound[other] / "params", directory / "params")
                fault, refused = load(hostile.seal(directory))
                attack.tried()
                if fault or not refused:
                    kind = "tracebacks" if fault else "unnoticed"
                    attack.failed(kind, f"{name} with {other}: {fault}")


def test_no_corpus_that_a_checkpoint_names_is_opened(room):
    names: list[Any] = [
        "tfds:ds",
        f"tfds:{room.secret}",
        "tfds:..",
        str(room.secret),
        "..",
        "",
        "x",
    ]
    names += [
        "tfds:evil",
        "tfds:ds:1.0.0",
        "tfds:ds/evil",
        "http://127.0.0.1:9",
        "~root",
        "evil.py",
    ]
    with Attack("corpora that a checkpoint names") as attack:
        for corpus in names:
            for name in hostile.NAMES:
                directory = room.fresh(name)
                record = json.loads((directory / "config.json").read_text())
                record["data"] |= {"corpus": corpus}
                (directory / "config.json").write_text(json.dumps(record))
                hostile.seal(directory)
                for place in ("", " --data_directory={corpus}"):
                    use = "evaluate {c} --split=validation" + place
                    fault, code = room.use(directory, use)
                    attack.tried()
                    if fault or code != 2:
                        attack.failed("tracebacks", f"{name}, {corpus!r}{place}: {code} {fault}")


def test_cards_and_names_are_shown_not_obeyed(room):
    texts = [b"# \x1b[2J\x9b red", b"\xff", b"", b"#" * 100_000, "# \u202e\n".encode(), b"# \0\r\n"]
    with Attack("hostile cards, listed") as attack:
        for content in texts:
            directory = room.fresh("counts")
            (directory / "card.md").write_bytes(content)
            fault, code = room.use(hostile.seal(directory), "list")
            attack.tried()
            if fault or code:
                attack.failed("tracebacks", f"card.md = {content[:20]!r}: {fault}")


def test_pipes_devices_and_links_are_not_followed(room):
    inside = ("config.json", "vocabulary.json", "progress.json", "card.json", "card.md", "params")
    inside += ("params/more", "more")
    targets = ("/dev/zero", "pipe", str(room.secret / "key.txt"), str(room.secret), "loop", "dir")
    targets += ("/", ".")
    uses = ("list", "generate {c} --max_tokens=2", "verify mine", "export {c} {out}.safetensors")
    with Attack("pipes, devices and links in a checkpoint") as attack:
        for file in (*inside, "checksums.json"):
            for target, use in itertools.product(targets, uses):
                directory = room.fresh("lstm")
                hostile.link(directory / file, target)
                fault, code = room.use(directory, use)
                attack.tried()
                if fault or (use.startswith("export") and file in inside[:3] and code != 2):
                    kind = "tracebacks" if fault else "unnoticed"
                    attack.failed(kind, f"{file} -> {target}, {use}: {code} {fault}")


def test_the_page_of_a_hostile_run_is_harmless(room):
    """What a run's records say is shown as text: no script, no address of another place."""
    chance = draw("page")
    with Attack("pages of hostile runs") as attack:
        for number in range(trials(150)):
            run = room.work / f"run{number}"
            told = hostile.make_run(chance, run, room.secret)
            with watched(Watch([room.secret], [room.work])) as watch:
                fault, code = command_fault(["report", str(run)])
            page = (run / "report.html").read_text("utf-8") if code == 0 else ""
            attack.tried()
            if fault := fault or "; ".join(watch.faults) or hostile.fault_of_page(page):
                attack.failed("tracebacks", f"{told}: {fault}")
