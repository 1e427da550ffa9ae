"""Generates the texts of several requests at the same time, see `zoo.decoding.slots`."""

import asyncio
import dataclasses
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor

from zoo.decoding.settings import GenerationSettings
from zoo.decoding.slots import Slots
from zoo.decoding.text import TextStream, default_stop, encode_prompt
from zoo.models.trained import TrainedModel
from zoo.serve.limits import Refused
from zoo.serve.service.batches import BUSY


@dataclasses.dataclass(frozen=True)
class Piece:
    """The next piece of a text.

    Attributes:
        index: the number of the text in its request.
        text: the piece, which may be empty.
        num_tokens: the number of tokens that were drawn for this piece.
        finished: whether the text ends with this piece.
    """

    index: int
    text: str
    num_tokens: int
    finished: bool


@dataclasses.dataclass(eq=False)
class _Text:
    """A text that is being generated, or waits for it."""

    index: int
    inputs: list[int]
    settings: GenerationSettings
    stream: TextStream
    pieces: asyncio.Queue[Piece | Exception]
    is_wanted: bool = True


class Writer:
    """Generates the texts of all requests in the slots of one model.

    A text that arrives while other texts are generated begins with the next block of steps, if a
    slot is free. `run` must be running in the event loop.

    Args:
        checkpoint: a language model.
        thread: the executor in which the model runs.
        num_slots: the number of texts that are generated at the same time.
        most_waiting: the largest number of texts that may wait for a slot; further texts are
            refused.
        watch: is called with the number of slots in use and the number of tokens of a block.
    """

    def __init__(
        self,
        checkpoint: TrainedModel,
        thread: Executor,
        *,
        num_slots: int,
        most_waiting: int,
        watch: Callable[[int, int], None] = lambda num_texts, num_tokens: None,
    ):
        self._vocabulary = checkpoint.vocabulary
        self._slots = Slots(checkpoint.model, checkpoint.params, num_slots)
        self._thread, self._most_waiting, self._watch = thread, most_waiting, watch
        self._waiting: deque[_Text] = deque()
        self._written: dict[int, _Text] = {}  # by slot
        self._changed = asyncio.Event()

    @property
    def num_waiting(self) -> int:
        """The number of texts that wait for a slot."""
        return len(self._waiting)

    def compile(self) -> None:
        """Compiles the programs, which are the same for every text."""
        self._slots.add(encode_prompt(self._vocabulary, "\n"), GenerationSettings())
        self._slots.advance()
        self._slots.clear()

    async def write(
        self, prompts: Sequence[str], settings: GenerationSettings
    ) -> AsyncGenerator[Piece, None]:
        """Yields the pieces of texts as they are generated.

        Text number i is the text that `zoo.generate` returns for the same prompts. When the reader
        closes the generator, no more pieces are generated. A slow reader delays nobody, because
        its pieces wait in memory.

        Raises:
            Refused: Too many texts wait.
        """
        if len(self._waiting) + len(prompts) > self._most_waiting:
            raise Refused(503, BUSY)
        pieces: asyncio.Queue[Piece | Exception] = asyncio.Queue()
        stop = settings.stop or default_stop(self._vocabulary)
        texts = []
        for index, prompt in enumerate(prompts):
            inputs = encode_prompt(self._vocabulary, prompt)
            stream = TextStream(self._vocabulary, prompt, stop=stop, max_tokens=settings.max_tokens)
            texts.append(_Text(index, inputs, settings, stream, pieces))
        self._waiting.extend(texts)
        self._changed.set()
        num_left = len(texts)
        try:
            while num_left:
                piece = await pieces.get()
                if isinstance(piece, Exception):
                    raise piece
                num_left -= piece.finished
                yield piece
        finally:
            for text in texts:
                text.is_wanted = False
            self._waiting = deque(text for text in self._waiting if text.is_wanted)

    async def run(self) -> None:
        """Generates until the call is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._fill()
            if not self._written:
                self._changed.clear()
                await self._changed.wait()
                continue
            try:
                drawn = await loop.run_in_executor(self._thread, self._slots.advance)
            except Exception as fault:  # all texts failed; the next texts may succeed
                for text in self._written.values():
                    text.pieces.put_nowait(fault)
                self._written.clear()
                self._slots.clear()
                continue
            num_texts = len(self._written)
            self._watch(num_texts, self._give(drawn))

    def _fill(self) -> None:
        """Ends the texts that nobody wants any more, and begins waiting texts in free slots."""
        for slot, text in list(self._written.items()):
            if not text.is_wanted:
                self._end(slot)
        while self._waiting and self._slots.num_free:
            text = self._waiting.popleft()
            slot = self._slots.add(text.inputs, text.settings, text.index)
            self._written[slot] = text

    def _give(self, drawn: dict[int, list[int]]) -> int:
        """Gives each text its drawn tokens, and returns the number of tokens that were used."""
        total = 0
        for slot, tokens in drawn.items():
            text = self._written[slot]
            before = text.stream.num_tokens
            piece = text.stream.write(tokens)
            num_tokens = text.stream.num_tokens - before
            total += num_tokens
            finished = text.stream.finished
            text.pieces.put_nowait(Piece(text.index, piece, num_tokens, finished))
            if finished:
                self._end(slot)
        return total

    def _end(self, slot: int) -> None:
        del self._written[slot]
        self._slots.free(slot)
