"""Batches of texts: texts of several requests that arrive together run in one call of a model."""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from typing import Any, Generic, NamedTuple, TypeVar

from zoo.serve.limits import Refused

Result = TypeVar("Result")

BUSY = "the server is busy; try again in a moment"


class _Item(NamedTuple, Generic[Result]):
    text: str
    how: Hashable
    answer: asyncio.Future[Result]


class Batches(Generic[Result]):
    """Collects texts for a moment and gives them to a function together.

    While a batch runs, the next batch is collected. A text waits for others only if other texts
    wait already or the batch before had several texts: somebody who is alone would wait in vain.
    All texts of a batch have
    the same settings, such as the same beam size. Texts with other settings wait for another
    batch. `run` must be running in the event loop.

    Args:
        work: takes texts and their settings, and returns a result for each text.
        thread: the executor in which the work is done.
        sizes: the sizes of a batch in rising order. A batch is filled up to the next size with
            empty texts, so that few programs are compiled.
        patience: seconds that the first text waits for other texts, if there were others before.
        most_waiting: the largest number of texts that may wait; further texts are refused.
        watch: is called with the number of texts in each batch.
    """

    def __init__(
        self,
        work: Callable[[Sequence[str], Any], Sequence[Result]],
        thread: Executor,
        *,
        sizes: Sequence[int],
        patience: float,
        most_waiting: int,
        watch: Callable[[int], None] = lambda count: None,
    ):
        self._work, self._thread, self._sizes, self._watch = work, thread, sizes, watch
        self._patience, self._most_waiting = patience, most_waiting
        self._items: deque[_Item[Result]] = deque()
        self._changed = asyncio.Event()
        self._was_shared = False  # whether the last batch had several texts

    @property
    def num_waiting(self) -> int:
        """The number of texts that wait."""
        return len(self._items)

    async def ask(self, texts: Sequence[str], how: Hashable = None) -> list[Result]:
        """Returns the results for texts. If the call is cancelled, waiting texts are dropped.

        Raises:
            Refused: Too many texts wait.
        """
        if len(self._items) + len(texts) > self._most_waiting:
            raise Refused(503, BUSY)
        loop = asyncio.get_running_loop()
        items = [_Item(text, how, loop.create_future()) for text in texts]
        self._items.extend(items)
        self._changed.set()
        try:
            return list(await asyncio.gather(*(item.answer for item in items)))
        finally:
            for item in items:
                item.answer.cancel()
            self._items = deque(item for item in self._items if not item.answer.done())

    async def run(self) -> None:
        """Answers until the call is cancelled."""
        while True:
            while not self._items:
                self._changed.clear()
                await self._changed.wait()
            if self._was_shared or len(self._items) > 1:
                await self._be_patient()
            if batch := self._next_batch():
                await self._answer(batch)

    async def _be_patient(self) -> None:
        """Waits until the largest batch is full, or for the patience of the first text."""
        try:
            async with asyncio.timeout(self._patience):
                while len(self._items) < self._sizes[-1]:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass

    def _next_batch(self) -> list[_Item[Result]]:
        """Takes the first text that is still wanted, and further texts with the same settings."""
        batch: list[_Item[Result]] = []
        left: deque[_Item[Result]] = deque()
        for item in self._items:
            if item.answer.done():
                continue
            fits = not batch or item.how == batch[0].how
            (batch if fits and len(batch) < self._sizes[-1] else left).append(item)
        self._items = left
        return batch

    async def _answer(self, batch: list[_Item[Result]]) -> None:
        self._watch(len(batch))
        self._was_shared = len(batch) > 1
        size = next(size for size in self._sizes if size >= len(batch))
        texts = [item.text for item in batch] + [""] * (size - len(batch))
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._thread, self._work, texts, batch[0].how)
        try:
            results = await work
        except Exception as fault:  # all texts of the batch failed; the next batch may succeed
            for item in batch:
                if not item.answer.done():
                    item.answer.set_exception(fault)
            return
        for item, result in zip(batch, results, strict=False):
            if not item.answer.done():
                item.answer.set_result(result)
