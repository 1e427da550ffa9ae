"""A prepared corpus that is damaged in the cache is noticed and prepared again."""

import contextlib
import fcntl
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zoo.data.config import DataConfig
from zoo.data.loading import load_corpus
from zoo.data.prepared import _alone, _clear_leftovers, _staging, _try_lock, make_once
from zoo.errors import UserError

LINES = ["red blue", "green", ""] * 30


@pytest.fixture
def config(tmp_path):
    (tmp_path / "texts").mkdir()
    for split in ("train", "valid", "test"):
        (tmp_path / "texts" / f"{split}.txt").write_text("\n".join(LINES) + "\n")
    return DataConfig(
        corpus="text_file",
        directory=str(tmp_path / "texts"),
        cache_directory=str(tmp_path / "cache"),
    )


def prepared(config):
    """The directory of the prepared dataset."""
    (found,) = Path(config.cache_directory).glob("**/dataset_info.json")
    return found.parent


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "empty info": lambda place: (place / "dataset_info.json").write_bytes(b""),
    "cut info": lambda place: cut_in_half(place / "dataset_info.json"),
    "no features": lambda place: (place / "features.json").unlink(),
    "emptied": lambda place: [path.unlink() for path in place.iterdir()],
    "cut records": lambda place: cut_in_half(next(place.glob("*train*array_record*"))),
    "a bit of the info": lambda place: flip_a_bit(place / "dataset_info.json"),
    "a bit of the records": lambda place: flip_a_bit(next(place.glob("*train*array_record*"))),
    "no sums": lambda place: (place / "sums.json").unlink(),
    "damaged sums": lambda place: (place / "sums.json").write_bytes(b"\xff["),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_dataset_is_prepared_again(config, damage):
    expected = load_corpus(config)
    assert expected["train"] == LINES
    DAMAGE[damage](prepared(config))
    assert load_corpus(config) == expected
    before = sorted((path.name, path.stat().st_mtime_ns) for path in prepared(config).iterdir())
    assert load_corpus(config) == expected  # and then it is left as it is
    after = sorted((path.name, path.stat().st_mtime_ns) for path in prepared(config).iterdir())
    assert before == after


def test_a_preparation_leaves_nothing_outside_the_cache(config, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for _ in range(2):
        load_corpus(config)
    assert not list((tmp_path / "temporary").iterdir())


def test_what_killed_preparations_left_is_cleared_but_not_what_others_just_began(config):
    cache = Path(config.cache_directory)
    old, young = cache / "preparing-old", cache / "preparing-young"
    for place in (old, young):
        place.mkdir(parents=True)
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    load_corpus(config)
    assert not old.exists()
    assert young.exists()


def test_what_a_killed_preparation_left_is_cleared_at_the_next_start(config):
    cache = Path(config.cache_directory)
    load_corpus(config)
    killed, living = cache / "preparing-killed", cache / "preparing-living"
    for place in (killed, living):
        place.mkdir()
        (place / "in_use").write_text("")
    with (living / "in_use").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        load_corpus(config)
        assert not killed.exists()
        assert living.exists()


def test_what_another_host_prepares_is_left(config):
    """The file system may keep locks on each host, so that they tell nothing here."""
    theirs = Path(config.cache_directory) / "preparing-theirs"
    theirs.mkdir(parents=True)
    (theirs / "in_use").write_text("another-host")
    load_corpus(config)
    assert theirs.exists()
    os.utime(theirs, (time.time() - 2 * 24 * 3600,) * 2)
    load_corpus(config)
    assert not theirs.exists()


def test_what_others_clear_away_is_never_a_preparation_that_has_just_begun(tmp_path, monkeypatch):
    """Another process clears the cache between the making of the locked file and its lock."""
    cleared = []

    def clear_and_lock(descriptor):
        monkeypatch.undo()
        cleared.append(_clear_leftovers(tmp_path))
        return _try_lock(descriptor)

    monkeypatch.setattr("zoo.data.prepared._try_lock", clear_and_lock)
    with _staging(tmp_path) as staging:
        assert cleared
        assert staging.exists()


def test_a_lock_on_a_file_that_its_owner_has_removed_is_none(tmp_path, monkeypatch):
    """Its owner leaves between our opening of the file and our lock, and a third one is alone."""
    lock = tmp_path / "lock"
    third = contextlib.ExitStack()

    def leave_and_lock(descriptor, operation):
        monkeypatch.undo()
        lock.unlink()
        assert third.enter_context(_alone(lock))
        fcntl.flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", leave_and_lock)
    with third, _alone(lock) as alone:
        assert not alone


def make_at_once(cache, fails=()):
    """Three threads need a dataset at the same time; those that make it, and what each gets."""
    makers, got = [], []

    def make(staging):
        makers.append(number := len(makers))
        time.sleep(0.2)
        if number in fails:
            raise UserError("this text is no text")
        (staging / "made").mkdir()
        (staging / "made" / "tokens").write_text("3 4 2")
        return staging / "made"

    with ThreadPoolExecutor(3) as pool:
        for each in [pool.submit(make_once, str(cache), Path("text/one"), make) for _ in range(3)]:
            got.append(each.exception() or (each.result() / "tokens").read_text())
    assert [path.name for path in (cache / "text").iterdir()] == ["one"]
    assert not list(cache.glob("preparing-*"))
    return len(makers), got


def test_who_needs_a_dataset_that_is_being_made_waits_for_it(tmp_path):
    assert make_at_once(tmp_path) == (1, ["3 4 2"] * 3)


def test_who_waits_makes_the_dataset_if_the_first_one_fails(tmp_path):
    num_makers, got = make_at_once(tmp_path, fails=[0])
    assert num_makers == 2
    assert sorted(map(str, got)) == ["3 4 2", "3 4 2", "this text is no text"]


def test_without_locks_each_makes_a_dataset_and_one_is_kept(tmp_path, monkeypatch):
    def refuse(descriptor, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert make_at_once(tmp_path) == (3, ["3 4 2"] * 3)


def test_a_full_disk_is_one_line_and_keeps_what_was_there(config, monkeypatch):
    load_corpus(config)
    place = prepared(config)
    flip_a_bit(place / "features.json")

    def fill(self, **options):
        raise RuntimeError("write() failed: No space left on device")

    monkeypatch.setattr("tensorflow_datasets.core.DatasetBuilder.download_and_prepare", fill)
    with pytest.raises(UserError, match=r"^cannot write .* \S+cache: write\(\) failed: No space"):
        load_corpus(config)
    assert place.exists()
    assert not list(Path(config.cache_directory).glob("preparing-*"))


def test_a_split_of_any_size_is_written_without_tensorflow(config, monkeypatch):
    """TFDS' own writer would open files with TensorFlow for a split above its limit of 1 GB."""
    monkeypatch.setattr("tensorflow_datasets.core.shuffle.MAX_MEM_BUFFER_SIZE", 10)
    assert load_corpus(config)["train"] == LINES
