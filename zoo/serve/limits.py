"""Limits of a server: one computation at a time, and a rate of requests for each client."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from starlette.requests import Request

Given = ParamSpec("Given")
Result = TypeVar("Result")

MOST_WAITING = 8
MOST_ADDRESSES = 1024


class Refused(Exception):
    """A refused request: an HTTP status, and one line with the reason."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status = status
        self.reason = reason


class RateLimit:
    """A bucket of tokens for each client address. A request takes a token; time adds tokens.

    Args:
        burst: the number of tokens that a bucket holds. At first it is full.
        per_second: the number of tokens that are added per second.
        clock: returns the time in seconds.

    Example:
        >>> limit = RateLimit(burst=1, per_second=0.5, clock=lambda: 0.0)
        >>> limit.wait_seconds("here"), limit.wait_seconds("here"), limit.wait_seconds("there")
        (0.0, 2.0, 0.0)
    """

    def __init__(
        self,
        burst: int = 20,
        per_second: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, address: str) -> float:
        """Takes a token and returns 0, or returns the time until there is a token.

        Args:
            address: the address of the client. Only the addresses that were seen last are kept.
        """
        now = self._clock()
        tokens, before = self._buckets.pop(address, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - before) * self._per_second)
        is_allowed = tokens >= 1
        self._buckets[address] = (tokens - is_allowed, now)
        if len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return 0.0 if is_allowed else (1 - tokens) / self._per_second


class Turns:
    """Runs one computation at a time in a thread of its own; other computations wait in line.

    Args:
        most_waiting: the largest number of computations that may wait.
    """

    def __init__(self, most_waiting: int = MOST_WAITING):
        self._thread = ThreadPoolExecutor(1, "zoo-serve")
        self._places = threading.Semaphore(most_waiting + 1)

    async def run(
        self, function: Callable[Given, Result], *args: Given.args, **options: Given.kwargs
    ) -> Result:
        """Runs a function when it is its turn, and returns its result.

        If the call is cancelled before this turn, the function is not called, and its place in
        line is free again.

        Raises:
            Refused: Too many computations wait.
        """
        if not self._places.acquire(blocking=False):
            raise Refused(503, "the server is busy; try again in a moment")
        future = self._thread.submit(function, *args, **options)
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    async def stream(self, items: Iterator[Result]) -> AsyncGenerator[Result, None]:
        """Yields items as they are made. When the reader goes away, no more items are made.

        A slow reader delays nobody, because its items wait in memory.

        Raises:
            Refused: Too many computations wait.
        """
        loop = asyncio.get_running_loop()
        made: asyncio.Queue[Result | None] = asyncio.Queue()
        stopped = threading.Event()

        def make() -> None:
            while not stopped.is_set() and (item := next(items, None)) is not None:
                loop.call_soon_threadsafe(made.put_nowait, item)

        def end(task: asyncio.Task[None]) -> None:
            made.put_nowait(None)
            if not task.cancelled():
                task.exception()  # marks the exception as seen, since the reader may be gone

        making = asyncio.create_task(self.run(make))
        making.add_done_callback(end)
        try:
            while (item := await made.get()) is not None:
                yield item
            await making
        finally:
            stopped.set()
            making.cancel()  # it may be waiting for its turn

    def close(self) -> None:
        """Drops the computations that wait."""
        self._thread.shutdown(wait=False, cancel_futures=True)


async def while_awaited(request: Request, work: Awaitable[Result]) -> Result:
    """Returns the result of some work, which is cancelled when the client goes away.

    Args:
        request: the request of the client. Its body must have been read.
        work: the work that the client waits for.

    Raises:
        Refused: The client has gone. Nobody reads this error.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Refused(499, "the client has gone")
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait((working, leaving))


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
