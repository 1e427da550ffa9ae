"""A release is whole, with all that is added to it, or not there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import tiny_checkpoints
from tiny_run import environment_with

import zoo
from zoo.__main__ import main
from zoo.errors import UserError
from zoo.training import checkpoints
from zoo.training.arrays import write_arrays
from zoo.training.compact import compact, widen
from zoo.training.release import release
from zoo.whole_file import incomplete_name

CARD = Path(__file__).parents[2] / "checkpoints" / "trec" / "card.json"


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    run = tiny_checkpoints.save(tmp_path_factory.mktemp("runs"), "lstm")
    return checkpoints.step_directory(run, 1)


def test_a_card_is_in_it_from_the_first_moment_and_has_its_sum(step, tmp_path):
    assert main(["release", str(step), str(tmp_path / "mine"), f"--card={CARD}"]) == 0
    listed = json.loads((tmp_path / "mine" / "checksums.json").read_bytes())
    assert {"card.json", "card.md"} <= listed.keys()
    checkpoints.verify(tmp_path / "mine")


@pytest.mark.parametrize("precision", ["half", "int8", "int6"])
def test_the_flag_of_a_precision_stores_it(step, tmp_path, precision):
    assert main(["release", str(step), str(tmp_path / "mine"), f"--{precision}"]) == 0
    found = zoo.load(tmp_path / "mine").params
    expected = widen(compact(zoo.load(step).params, precision))
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_compressed_integers_take_less_room_than_a_byte(tmp_path):
    kernel = np.random.default_rng(0).normal(size=(400, 400)).astype(np.float32)
    for precision, bits in [("int8", 7.7), ("int6", 5.7)]:
        stored = compact({"kernel": kernel}, precision)
        write_arrays(checkpoints.epath.Path(tmp_path / precision), stored, compress=True)
        files = [path for path in (tmp_path / precision).rglob("*") if path.is_file()]
        room = sum(path.stat().st_size for path in files) - stored["kernel"]["scales"].nbytes
        assert room * 8 < bits * kernel.size


def test_a_full_disk_is_one_line_and_leaves_nothing(step, tmp_path):
    def fill(directory):
        assert directory.name == incomplete_name("mine")
        raise OSError(28, "No space left on device")

    target = tmp_path / "mine"
    with pytest.raises(UserError, match=rf"^cannot write {target}: No space left on device; "):
        release(step, target, add=fill)
    assert os.listdir(tmp_path) == []


def test_of_two_that_release_to_one_place_the_first_to_end_has_it(step, tmp_path):
    """The other is told in a line, and its files go; the place is whole all the time."""
    target, other = tmp_path / "mine", (str(step), str(tmp_path / "mine"), "--half")
    command = [sys.executable, "-m", "zoo", "release", *other]

    def overtake(directory):
        done = subprocess.run(command, capture_output=True, text=True, env=environment_with(1))
        assert (done.returncode, done.stderr) == (0, "")

    with pytest.raises(UserError, match=rf"^cannot write {target}: it exists already; choose"):
        release(step, target, add=overtake)
    checkpoints.verify(target)
    kernels = checkpoints.restore(target).params.values()
    assert {leaf.dtype.name for leaf in jax.tree.leaves(list(kernels))} == {"float16"}
    assert os.listdir(tmp_path) == ["mine"]


def test_a_damaged_step_is_told(tmp_path):
    step = tmp_path / "step"
    (step / "params").mkdir(parents=True)
    with pytest.raises(UserError, match=r"step is damaged: checksums.json is missing; copy it"):
        release(step, tmp_path / "mine")


def test_a_step_that_its_run_deletes_meanwhile_is_passed_over(tmp_path, monkeypatch, capsys):
    run, restore = tiny_checkpoints.save(tmp_path / "run", "lstm"), checkpoints.restore
    first, second = (checkpoints.step_directory(run, step) for step in (1, 2))

    def save_and_restore(step, **templates):
        if first.exists():
            first.rename(second)
        return restore(step, **templates)

    monkeypatch.setattr(checkpoints, "restore", save_and_restore)
    assert main(["release", str(run), str(tmp_path / "mine")]) == 0
    assert capsys.readouterr().err == ""
    checkpoints.verify(tmp_path / "mine")


@pytest.mark.parametrize("file", ["card.md", "card.json"])
@pytest.mark.parametrize("content", [None, b"", b"# Another title\n"])
def test_a_card_that_is_not_the_one_released_is_told(
    step, tmp_path, monkeypatch, capsys, file, content
):
    place = tmp_path / "mine"
    assert main(["release", str(step), str(place), f"--card={CARD}"]) == 0
    monkeypatch.setenv("ZOO_CHECKPOINTS", str(tmp_path))
    assert main(["verify", "mine"]) == 0  # compares nothing: its corpus is not at hand
    (place / file).unlink() if content is None else (place / file).write_bytes(content)
    capsys.readouterr()
    assert main(["verify", "mine"]) == 2
    assert f"{place} is damaged: {file} " in capsys.readouterr().err
    assert main(["list"]) == 0
    damaged = capsys.readouterr().out.count("its card is damaged")
    assert damaged == (file == "card.md")
