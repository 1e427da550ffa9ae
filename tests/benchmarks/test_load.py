"""The load script asks only this computer, and its table has all that was measured."""

import sys

import pytest

pytest.importorskip("httpx")

from benchmarks import load


def test_another_computer_is_not_asked(monkeypatch, capsys):
    for url in ("http://192.0.2.1:80", "http://example.org"):
        monkeypatch.setattr(sys, "argv", ["load.py", f"--url={url}"])
        with pytest.raises(SystemExit) as ended:
            load.main()
        assert ended.value.code == 2
        assert "this script may only load this one" in capsys.readouterr().err


def test_the_table_has_every_number():
    row = load.Load("classify", 8, 3, 1, 2, 30.5, 4.0, 50.0, 60.0, 7.5, 800.0, 0.25)
    line = load.table([row]).splitlines()[-1]
    assert line == ("| classify | 8 | 3 | 30.5 | 4.0 | 50.0 | 60.0 | 1 | 2 | 7.5 | 800 | 0.25 |")
