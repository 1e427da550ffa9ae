"""A prepared corpus that is damaged in the cache is noticed and prepared again."""

import os
import time
from pathlib import Path

import pytest

from zoo.data.corpora import DataConfig, load_corpus

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


DAMAGE = {
    "empty info": lambda place: (place / "dataset_info.json").write_bytes(b""),
    "cut info": lambda place: cut_in_half(place / "dataset_info.json"),
    "no features": lambda place: (place / "features.json").unlink(),
    "emptied": lambda place: [path.unlink() for path in place.iterdir()],
    "cut records": lambda place: cut_in_half(next(place.glob("*train*array_record*"))),
    "no sizes": lambda place: (place / "sizes.json").unlink(),
    "damaged sizes": lambda place: (place / "sizes.json").write_bytes(b"\xff["),
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


def test_what_killed_preparations_left_is_cleared_but_not_what_others_just_began(config):
    cache = Path(config.cache_directory)
    old, young = cache / "preparing-old", cache / "preparing-young"
    for place in (old, young):
        place.mkdir(parents=True)
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    load_corpus(config)
    assert not old.exists()
    assert young.exists()
