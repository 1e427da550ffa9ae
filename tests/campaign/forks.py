"""Processes that start in no time: a server has imported everything and forks for each request.

A run of train.py takes seconds to import; a fork of a process that has imported all, and started no
thread yet, takes milliseconds. So hundreds of processes can be killed in a minute. The file is both
the client, `ForkServer`, and, run as a program, the server: a JSON object a line in and out.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120
REPORT_REQUEST = "please report it"  # of the last net under all commands


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        code: its exit code, or minus the signal that killed it.
        out: its standard output.
        err: its standard error.
        seconds: how long it took.
        calls: what it did with files below the directory that was watched.
    """

    code: int
    out: str
    err: str
    seconds: float
    calls: list[str]

    def fault(self) -> str:
        """Returns what is wrong with the end of a process that ended by itself, or ""."""
        if "Traceback" in self.err or REPORT_REQUEST in self.err or self.code == 1:
            return f"exit code {self.code}: {self.err.strip()[-500:]}"
        lines = self.err.splitlines()
        if self.code == 2 and not (len(lines) == 1 and lines[0].startswith("error: ")):
            return f"{len(lines)} lines of error: {self.err.strip()[-500:]}"
        return "" if self.code in (0, 2, 130, 137, 143) or self.code < 0 else f"code {self.code}"


class ForkServer:
    """A server; as a context it ends with its block."""

    def __enter__(self) -> Self:
        path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
        quick = {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": path, "JAX_ENABLE_COMPILATION_CACHE": "0"} | quick,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=PATIENCE_SECONDS)
        self._process.stdout.close()

    def run(
        self,
        action: str,
        *arguments: Any,
        watch: tuple[Any, ...] = (),
        number: int = 0,
        after: float = 0.0,
        log: str = "",
    ) -> Ended:
        """Runs one of `actions` in a process of its own.

        Args:
            action: its name.
            arguments: what it takes, as JSON can hold them.
            watch: the arguments of `faults.FileSystem`.
            number: a signal to send; 0 for none.
            after: seconds until then.
            log: send it so many seconds after standard output has this text, not after the start.
        """
        request = {
            "action": action,
            "arguments": [str(one) if isinstance(one, Path) else one for one in arguments],
            "watch": [str(one) if isinstance(one, Path) else one for one in watch],
            "number": int(number),
            "after": after,
            "log": log,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


def _serve() -> None:
    """Answers requests until standard input ends."""
    import warnings

    import jax  # noqa: F401
    import orbax.checkpoint  # noqa: F401
    import tensorflow_datasets  # noqa: F401
    from absl import logging

    import zoo.__main__
    import zoo.training.loop  # noqa: F401

    logging.set_verbosity(logging.WARNING)  # as train.py has it
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), file=answers, flush=True)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    ends = {name: os.pipe() for name in ("out", "err", "calls")}  # no limit of files' sizes holds
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _run(request, {name: writing for name, (_, writing) in ends.items()})
    texts = {}
    for name, (reading, writing) in ends.items():
        os.close(writing)
        os.set_blocking(reading, False)
        texts[name] = bytearray()
    code = _wait(child, request, {name: ends[name][0] for name in ends}, texts)
    seconds = time.monotonic() - started
    for reading, _ in ends.values():
        os.close(reading)
    found = {name: text.decode(errors="replace") for name, text in texts.items()}
    return found | {"code": code, "seconds": seconds, "calls": found["calls"].splitlines()}


def _wait(
    child: int, request: dict[str, Any], ends: dict[str, int], texts: dict[str, bytearray]
) -> int:
    """Reads what the child says, sends the signal when it is due, and gives the exit code."""
    due = None if request["log"] else time.monotonic() + request["after"]
    sent, limit = not request["number"], time.monotonic() + PATIENCE_SECONDS
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        for name, end in ends.items():
            with contextlib.suppress(BlockingIOError):
                while piece := os.read(end, 65536):
                    texts[name] += piece
        if ended:
            return os.waitstatus_to_exitcode(status)
        now = time.monotonic()
        if due is None and request["log"].encode() in texts["out"]:
            due = now + request["after"]
        if not sent and due is not None and now >= due:
            os.kill(child, request["number"])
            sent = True
        if now > limit:  # it hangs, and the code -9 says so
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)


def _run(request: dict[str, Any], ends: dict[str, int]) -> None:
    """The child: never returns."""
    from campaign import actions
    from campaign.faults import FileSystem

    code = 1
    try:
        for name, number in (("out", 1), ("err", 2)):
            os.dup2(ends[name], number)
        sys.stdout, sys.stderr = (os.fdopen(end, "w", closefd=False) for end in (1, 2))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        system = FileSystem(*request["watch"]) if request["watch"] else None
        if system:
            system.install()
        code = getattr(actions, request["action"])(*request["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
        if system:
            os.write(ends["calls"], "\n".join(system.calls).encode())
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()
