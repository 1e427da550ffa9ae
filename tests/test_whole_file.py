"""Files that are written whole: what is no regular file is never replaced."""

import os
import subprocess
import sys

import pytest

from zoo.errors import UserError
from zoo.whole_file import incomplete_name, whole_file

OTHER = """
import sys
from zoo.whole_file import whole_file
with whole_file(sys.argv[1]) as incomplete:
    incomplete.write_text("other")
"""


@pytest.mark.parametrize("name", ["", ".", "..", "/"])
def test_what_names_no_file_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="cannot write"), whole_file(name):
        pass
    assert not list(tmp_path.iterdir())


def test_a_pipe_or_a_device_stays_what_it_is(tmp_path):
    """As root a device would be replaced: /dev/null by a page of a run."""
    os.mkfifo(tmp_path / "pipe")
    os.symlink(os.devnull, tmp_path / "device")
    (tmp_path / "directory").mkdir()
    before = sorted(tmp_path.iterdir())
    for path in before:
        with pytest.raises(UserError, match="it is no regular file"), whole_file(path) as other:
            other.write_text("new")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "device").is_symlink()


def test_two_that_write_one_file_do_not_mix(tmp_path):
    """The last to end has the path, whole, whoever began first."""
    with whole_file(tmp_path / "a") as first:
        other = subprocess.run(
            [sys.executable, "-c", OTHER, str(tmp_path / "a")], capture_output=True, text=True
        )
        assert (other.returncode, other.stderr) == (0, "")
        assert (tmp_path / "a").read_text() == "other"
        first.write_text("first")
    assert (tmp_path / "a").read_text() == "first"
    assert os.listdir(tmp_path) == ["a"]


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    begun, of_b = (
        incomplete_name(name).replace(str(os.getpid()), str(gone.pid)) for name in ("a", "b")
    )
    for name in (begun, of_b):
        (tmp_path / name).write_text("half")
    with whole_file(tmp_path / "a") as incomplete:
        incomplete.write_text("whole")
    assert sorted(os.listdir(tmp_path)) == [of_b, "a"]


def test_what_another_machine_writes_is_left_alone(tmp_path, monkeypatch):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = incomplete_name("a")
    monkeypatch.setattr("platform.node", lambda: "another")
    there = incomplete_name("a").replace(str(os.getpid()), str(gone.pid))
    monkeypatch.undo()
    assert there != here.replace(str(os.getpid()), str(gone.pid))
    (tmp_path / there).write_text("half")
    with whole_file(tmp_path / "a") as incomplete:
        incomplete.write_text("whole")
    assert sorted(os.listdir(tmp_path)) == [there, "a"]
