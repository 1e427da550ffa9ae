"""Bars are for people: on a terminal, and for what takes long."""

import io
import sys

import pytest

from zoo import progress
from zoo.progress import track


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "delay", "shown"),
    [(Terminal, 0.0, True), (Terminal, 60.0, False), (io.StringIO, 0.0, False)],
)
def test_a_bar_is_shown_on_a_terminal_once_work_takes_long(monkeypatch, stream, delay, shown):
    monkeypatch.setattr(sys, "stderr", stream())
    monkeypatch.setattr(progress, "DELAY_SECONDS", delay)
    assert list(track([1, 2, 3], "scoring")) == [1, 2, 3]
    written = sys.stderr.getvalue()
    assert ("scoring" in written) == shown
    assert not shown or "/3" in written
