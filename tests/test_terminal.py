"""A signal ends a program quietly, wherever the program is."""

import os
import signal
import subprocess
import sys

import pytest
from tiny_run import ROOT

COMPILED = """
import os, signal, sys, traceback
try:
    os.kill(os.getpid(), signal.{name})
except BaseException as error:  # as ml_dtypes does
    traceback.print_exc()
    raise ImportError("Encountered an error while initializing the extension.") from None
"""
HALF_MADE = """
class Loop:
    def __init__(self):
        os.kill(os.getpid(), signal.{name})
        self.socket = 1

    def __del__(self):
        self.socket
"""
PROGRAM = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
from zoo.terminal import run_script
{made}
def main():
    {does}
run_script(main)
"""


def end_of(tmp_path, made, does):
    """The exit code and the standard error of a program."""
    program = PROGRAM.format(made=made, does=does)
    paths = os.pathsep.join((str(ROOT), str(tmp_path)))
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_during_an_import_ends_the_program_at_once(tmp_path, name):
    (tmp_path / "compiled.py").write_text(COMPILED.format(name=name))
    code, told = end_of(tmp_path, "", "import compiled")
    assert (code, told) == (-getattr(signal, name), "")


@pytest.mark.parametrize(
    ("name", "code", "told"), [("SIGINT", 130, "interrupted\n"), ("SIGTERM", 143, "terminated\n")]
)
def test_what_a_stop_leaves_half_made_is_not_printed(tmp_path, name, code, told):
    assert end_of(tmp_path, HALF_MADE.format(name=name), "Loop()") == (code, told)


def test_other_errors_that_python_ignores_are_printed(tmp_path):
    made = HALF_MADE.replace("os.kill(os.getpid(), signal.{name})", "return")
    code, told = end_of(tmp_path, made, "Loop()")
    assert code == 0
    assert "object has no attribute 'socket'" in told
