"""Files that are written whole: what is no regular file is never replaced."""

import os

import pytest

from zoo.errors import UserError
from zoo.whole_file import whole_file


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
