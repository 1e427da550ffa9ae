"""A thread that writes the steps of a run while its training goes on, one step at a time.

With several processes a step takes two actions: each process writes its share; once all of them
have, the first process completes the step. Failures of either are raised on all processes.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from zoo.training import hosts

Action = Callable[[], None]
_LOW_PRIORITY = 10  # as of the command nice


class Behind:
    """A thread that does one group of actions at a time, one after the other.

    All processes of a run call the same methods in the same order. As a context, it waits at its
    end until nothing is left to do.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint", initializer=_give_way)
        self._running: Future[None] | None = None
        self._next: list[Action] = []

    def start(self, *actions: Action) -> None:
        """Starts actions, each of which begins once all processes have ended the one before.

        Waits for the actions that were started before, and raises their error.
        """
        self.wait()
        first, *self._next = actions
        self._running = self._thread.submit(first)

    def look(self) -> None:
        """Begins the next action if all processes have ended theirs, and raises their error."""
        if self._running is not None and not hosts.any_of_all(not self._running.done()):
            self._end()

    def wait(self) -> None:
        """Waits until nothing is left to do, and raises the error of an action that failed.

        Raises:
            UserError: a file cannot be written, here or on another process.
        """
        while self._running is not None:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Waits for all actions; if the block ended with an error, theirs are dropped."""
        if kind is None:
            self.wait()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Waits for this process alone and drops its error, where another error ends the run."""
        self._thread.shutdown(wait=True)
        self._running, self._next = None, []

    def _end(self) -> None:
        assert self._running is not None
        running, self._running = self._running, None
        waiting, self._next = self._next, []
        hosts.together(running.result)
        if waiting:
            self._running, self._next = self._thread.submit(waiting[0]), waiting[1:]


def _give_way() -> None:
    """Lets training go first where it and this thread want the same core; Linux knows how."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOW_PRIORITY)
