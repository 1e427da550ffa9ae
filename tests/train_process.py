"""train.py as a process of its own, to be watched and to be stopped."""

import os
import queue
import re
import subprocess
import sys
import threading

from tiny_run import ROOT

PATIENCE_SECONDS = 240  # for one line; a busy machine takes long to import and compile


class TrainProcess:
    """A running train.py, whose lines can be waited for.

    As a context: on leaving it, a process that is still there is killed.

    Args:
        *flags: of the command line.
        program: what runs train.py.
        **variables: of the environment.
    """

    def __init__(self, *flags: str, program: str = "train.py", **variables: str):
        environment = os.environ | {"JAX_PLATFORMS": "cpu", **variables}
        environment.pop("PYTHONUNBUFFERED", None)
        self.process = subprocess.Popen(
            [sys.executable, program, *flags],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_lines),
            threading.Thread(target=lambda: self._errors.append(self.process.stderr.read())),
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> "TrainProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.finish()

    def _read_lines(self) -> None:
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def _next_line(self) -> str | None:
        line = self._queue.get(timeout=PATIENCE_SECONDS)
        if line is not None:
            self.lines.append(line)
        return line

    def wait_for(self, pattern: str) -> str | None:
        """The next line that matches, None if the process ends before."""
        while (line := self._next_line()) is not None:
            if re.match(pattern, line):
                return line
        return None

    def stop(self, number: int) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def finish(self) -> tuple[int, str]:
        """Waits for the end: the exit code and what was written to stderr."""
        code = self.process.wait(timeout=PATIENCE_SECONDS)
        for reader in self._readers:
            reader.join()
        while not self._queue.empty():
            self._next_line()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, "".join(self._errors)


def run_train(*flags: str) -> tuple[int, list[str], str]:
    """From start to end: exit code, lines, stderr."""
    with TrainProcess(*flags) as process:
        code, errors = process.finish()
        return code, process.lines, errors
