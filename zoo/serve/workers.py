"""Several processes that answer at one address, each with models of its own.

The first process opens the address and forks the workers before anything of JAX is loaded, which
could not be forked. It starts a worker again that ends by itself, and passes signals on.
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

_SHORTEST_LIFE = 30.0  # seconds; a worker that ends sooner would end again


def run_workers(work: Callable[[], None], count: int) -> None:
    """Runs a function in several processes until a signal ends them.

    Args:
        work: serves until a signal; it runs in each worker.
        count: how many workers.

    Raises:
        UserError: a worker ended soon after its start, or this system can't fork.
    """
    if not hasattr(os, "fork"):
        raise UserError("this system has no fork; use --workers=1")
    with tempfile.TemporaryDirectory(prefix="recurrent-zoo-") as shared:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
        workers = {_start(work): time.monotonic() for _ in range(count)}
        try:
            while True:
                number, status = os.wait()
                started = workers.pop(number, None)
                if started is None:
                    continue
                _forget_metrics(shared, number)
                if time.monotonic() - started < _SHORTEST_LIFE:
                    code = os.waitstatus_to_exitcode(status)
                    raise UserError(f"a worker ended soon after its start, with code {code}")
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
        os._exit(code)  # a worker must not go on with what its parent was doing


def _stop(workers: dict[int, float]) -> None:
    """Asks the workers to end as they do on SIGTERM, and waits until they have."""
    for number in workers:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
    for number in workers:
        with suppress(ChildProcessError):
            os.waitpid(number, 0)


def _forget_metrics(shared: str, number: int) -> None:
    """Removes what a worker that is gone said of the present; what it counted stays."""
    for name in os.listdir(shared):
        if name.startswith("gauge_live") and name.endswith(f"_{number}.db"):
            os.remove(os.path.join(shared, name))
