"""What stays on the machine: the commands store what they compile, and delete what nobody uses."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_checkpoints
from tiny_run import ROOT

from zoo import kept


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment that names the cache of the zoo, and says nothing to JAX."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.delenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", raising=False)
    monkeypatch.setattr(kept, "_tell_jax", lambda name, value: None)
    return monkeypatch


def programs_of(cache: Path) -> list[Path]:
    return sorted((cache / kept.COMPILED).glob("*/*-cache"))


def test_a_command_stores_what_it_compiles_and_takes_what_is_stored(tmp_path):
    checkpoint = tiny_checkpoints.save(tmp_path, "lstm")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    environment |= {
        "ZOO_CACHE": str(tmp_path / "cache"),
        "JAX_PLATFORMS": "cpu",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }

    def generate(*flags: str) -> str:
        command = [sys.executable, "-m", "zoo", "generate", str(checkpoint), "--max_tokens=3"]
        done = subprocess.run(
            [*command, *flags], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    plain = generate("--no_compilation_cache")
    assert programs_of(tmp_path / "cache") == []
    assert generate() == plain
    stored = programs_of(tmp_path / "cache")
    assert stored
    for path in stored:
        path.write_bytes(b"no program")  # damaged, which costs a compilation and no word
    assert generate() == plain


def test_programs_that_nobody_uses_are_deleted(variables, tmp_path):
    directory = tmp_path / kept.COMPILED / "jax-0.0.1-other"
    directory.mkdir(parents=True)
    for name, days in (("old", 31), ("young", 29)):
        (directory / name).write_bytes(b"")
        then = time.time() - days * 24 * 3600
        os.utime(directory / name, (then, then))
    kept.keep_compiled_programs()
    assert [path.name for path in directory.iterdir()] == ["young"]


def test_the_directory_is_that_of_the_version_and_the_processor(variables, tmp_path):
    kept.keep_compiled_programs()
    chosen = Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    assert chosen.parent == tmp_path / kept.COMPILED
    variables.delenv("JAX_COMPILATION_CACHE_DIR")
    variables.setattr(kept, "version", lambda package: "0.0.2")
    kept.keep_compiled_programs()
    other = Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    assert other.name == "jax-0.0.2-" + chosen.name.rpartition("-")[2]
    variables.delenv("JAX_COMPILATION_CACHE_DIR")
    variables.setattr(kept, "_processor", lambda: "another")
    kept.keep_compiled_programs()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(other.parent / "jax-0.0.2-another")


def test_what_the_user_set_stays(variables, tmp_path):
    variables.setenv("JAX_COMPILATION_CACHE_DIR", "mine")
    kept.keep_compiled_programs()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "mine"
    assert not (tmp_path / kept.COMPILED).exists()


def test_a_directory_that_cannot_be_made_changes_nothing(variables, tmp_path):
    variables.setenv("ZOO_CACHE", str(tmp_path / "a_file" / "cache"))
    (tmp_path / "a_file").write_bytes(b"")
    kept.keep_compiled_programs()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ
