"""Several processes that answer at one address; each process has models of its own.

The first process opens the address and forks the workers before it loads JAX, because a process
that uses JAX cannot be forked. It starts another worker if a worker ends by itself, and passes
signals on to the workers.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress

from zoo.errors import UserError
from zoo.terminal import EXIT_UNEXPECTED, run_program

_SHORTEST_LIFE = 30.0  # seconds; a new worker would soon end as well


def run_workers(work: Callable[[], None], count: int) -> None:
    """Runs a function in several processes until a signal ends them.

    Args:
        work: the function of each worker, which serves until a signal.
        count: the number of workers.

    Raises:
        UserError: A worker ended soon after its start or by a fault that another worker would meet
            too, such as a model that cannot be compiled; or this system cannot fork.
    """
    if not hasattr(os, "fork"):
        raise UserError("this system cannot fork processes; use --workers=1")
    with tempfile.TemporaryDirectory(prefix="recurrent-zoo-") as shared:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
        workers: dict[int, float] = {}
        try:
            for _ in range(count):
                workers[_start(work)] = time.monotonic()
            while True:
                number, status = os.wait()
                started = workers.pop(number, None)
                if started is None:
                    continue
                _forget_metrics(shared, number)
                code = os.waitstatus_to_exitcode(status)
                is_young = time.monotonic() - started < _SHORTEST_LIFE
                if is_young or code == EXIT_UNEXPECTED:
                    when = "soon after its start" if is_young else "by a fault"
                    raise UserError(
                        f"a worker ended {when}, with code {code}; the lines above say why"
                    )
                workers[_start(work)] = time.monotonic()
        finally:
            _stop(workers)


def _start(work: Callable[[], None]) -> int:
    """Starts a worker and returns its number."""
    sys.stdout.flush()
    sys.stderr.flush()
    if number := os.fork():
        return number
    code = EXIT_UNEXPECTED
    try:
        code = run_program(work)
    finally:
        os._exit(code)  # a worker must not continue the work of its parent


def _stop(workers: dict[int, float]) -> None:
    """Sends SIGTERM to the workers and waits until they have ended."""
    for number in workers:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
    for number in workers:
        with suppress(ChildProcessError):
            os.waitpid(number, 0)


def _forget_metrics(shared: str, number: int) -> None:
    """Removes the gauges of a worker that has ended; its counts stay."""
    for name in os.listdir(shared):
        if name.startswith("gauge_live") and name.endswith(f"_{number}.db"):
            os.remove(os.path.join(shared, name))
