"""Damaged bytes for everything that reads a file: a line that names the file, or a sound result.

    CAMPAIGN_SEED=7 CAMPAIGN_TRIALS=9 python -m pytest -m slow tests/campaign/test_fuzzed_readers.py

Each reader gets a few hundred files that `mutations.py` makes of the sound ones in `samples.py`.
The last line of a failure holds the damaged bytes, or where they were kept.
"""

import bz2
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from campaign import samples
from campaign.attempts import fault_of
from campaign.mutations import mutate
from campaign.tally import Attack, draw, trials

import zoo
from zoo.exchange.arpa import read_arpa
from zoo.exchange.torch_weights import stack_from_torch

pytestmark = pytest.mark.slow
EACH = 400  # files a reader


def fuzz(
    name: str,
    directory: Path,
    suffix: str,
    read: Callable[[Path], Any],
    sound: list[bytes],
    *,
    number: int = EACH,
    pack: Callable[[bytes], bytes] = bytes,
) -> None:
    """Gives a reader damaged files; every fault keeps its file."""
    chance = draw(name)
    others = [*sound, samples.TEXT, samples.CSV, samples.GLOVE]
    path = directory / f"damaged{suffix}"
    with Attack(f"fuzz: {name}") as attack:
        for _ in range(trials(number)):
            content = pack(mutate(chance, chance.choice(sound), others))
            path.write_bytes(content)
            fault, _ = fault_of(lambda: read(path), names=path.stem)
            attack.tried()
            if fault:
                attack.failed("tracebacks", f"{fault}; bytes {content[:200]!r} ({len(content)})")


@pytest.mark.parametrize("name", samples.READERS)
def test_a_damaged_file_is_refused_in_a_line_or_read(tmp_path, name):
    suffix, read, sound = samples.READERS[name]
    for content in sound:
        path = tmp_path / f"sound{suffix}"
        path.write_bytes(content)
        read(path)
    fuzz(name, tmp_path, suffix, read, sound)


@pytest.mark.parametrize("suffix", [".arpa", ".arpa.gz", ".lm.bz2"])
def test_a_damaged_arpa_file(tmp_path, suffix):
    pack = {".gz": samples.packed, ".bz2": bz2.compress}.get(Path(suffix).suffix, bytes)
    sound = samples.arpa_samples(tmp_path)
    fuzz(f"ARPA {suffix}", tmp_path, suffix, read_arpa, sound, pack=pack)
    if pack is not bytes:  # damage to the packed bytes themselves
        fuzz(f"packed ARPA {suffix}", tmp_path, suffix, read_arpa, list(map(pack, sound)))


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_safetensors_file(tmp_path):
    sound = [samples.safetensors_sample(tmp_path)]
    fuzz("safetensors", tmp_path, ".safetensors", zoo.load, sound, number=100)
    header = sound[0][8 : 8 + int.from_bytes(sound[0][:8], "little")]

    def whole(damaged: bytes) -> bytes:
        """The same arrays behind a damaged header of the right length."""
        return len(damaged).to_bytes(8, "little") + damaged + sound[0][8 + len(header) :]

    fuzz("safetensors header", tmp_path, ".safetensors", zoo.load, [header], pack=whole)


def test_a_damaged_state_dict():
    chance, sound = draw("state dict"), samples.state_dict_sample()
    names = list(samples.state_dict_of(sound))
    with Attack("fuzz: torch state dict") as attack:
        for _ in range(trials(EACH)):
            state = samples.state_dict_of(sound)
            for _ in range(chance.choice((1, 1, 2))):
                damage_array(chance, state, chance.choice(names))
            fault, _ = fault_of(lambda: stack_from_torch(state))  # noqa: B023
            attack.tried()
            if fault:
                told = {name: getattr(value, "shape", value) for name, value in state.items()}
                attack.failed("tracebacks", f"{fault}: {told}")


def damage_array(chance: Any, state: dict[str, Any], name: str) -> None:
    """Changes one entry of a state dict: its name, its shape, its kind or its numbers."""
    import numpy as np

    array = state.pop(name, np.zeros((4, 4), "f4"))
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        array = np.zeros((4, 4), "f4")
    other = chance.choice(
        (
            *(array.T, array[:-1], array[..., :0], array[None], array.ravel(), np.float32(1)),
            *(array.astype("f8") * 1e300, array.astype("f2"), array.astype(complex)),
            *(np.ones((4, 4), "i8"), array == 0, np.full((4, 4), b"x"), np.full((4, 4), None)),
            *(array + np.nan, array + np.inf, np.broadcast_to(np.float32(0), (2**20, 2**20))),
            *(None, "text", [], [[1, 2], [3]], {}, b"\0", 3, object(), np.zeros((0, 0)), len),
            *(np.array("2020-01-01", "M8[D]"), np.zeros((0, 4), "f4"), np.zeros((5, 4), "f4")),
        )
    )
    names = (name, name, name, name.upper(), f"{name}_reverse", name.replace("l0", "l7"), "", 3)
    names += (name.replace("l0", "l" + "9" * 30), f"\x1b{name}", name.replace("_l0", ""), None)
    state[chance.choice(names)] = other


def test_what_unpacks_to_far_too_much_is_refused(tmp_path):
    readers = {
        ".gz": [samples.READERS["packed text"][1], samples.READERS["packed vectors"][1], read_arpa],
        ".bz2": [read_arpa],
        ".csv.gz": [samples.READERS["csv"][1]],
    }
    with Attack("compression bombs") as attack:
        for suffix, content in samples.bombs().items():
            path = tmp_path / f"bomb{suffix}"
            path.write_bytes(content)
            for read in readers[suffix]:
                fault, refused = fault_of(lambda: read(path), names="bomb")  # noqa: B023
                attack.tried()
                if fault or not refused:
                    attack.failed("tracebacks" if fault else "unnoticed", f"{suffix}: {fault}")


def test_a_damaged_sentencepiece_model(tmp_path):
    """In a process of its own: what reads it is C++, and might end more than a test."""
    chance, sound = draw("sentencepiece"), samples.subword_sample()
    with Attack("fuzz: sentencepiece model") as attack:
        for index in range(number := trials(2 * EACH)):
            (tmp_path / str(index)).write_bytes(mutate(chance, sound, [sound, samples.TEXT]))
        worker = Path(__file__).with_name("subword_worker.py")
        tests = Path(__file__).parents[1]
        ended = subprocess.run(
            [sys.executable, str(worker), str(tmp_path)],
            env=os.environ | {"PYTHONPATH": f"{tests}{os.pathsep}{tests.parent}"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        attack.tried(number)
        for line in ended.stdout.splitlines():
            attack.failed("tracebacks", line)
        if ended.returncode:
            attack.failed("tracebacks", f"exit code {ended.returncode}: {ended.stderr[-300:]}")
