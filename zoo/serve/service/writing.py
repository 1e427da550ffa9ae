"""Texts of several requests that a language model writes side by side, see `zoo.decoding.slots`."""

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
    """What one text of a request grows by.

    Attributes:
        index: the text's number in the request.
        text: what comes next; it may be empty.
        num_tokens: how many tokens were drawn for it, those of earlier pieces not counted.
        finished: whether the text ends here.
    """

    index: int
    text: str
    num_tokens: int
    finished: bool


@dataclasses.dataclass(eq=False)
class _Text:
    """A text that is wanted, and how much of it has been made."""

    index: int
    inputs: list[int]
    settings: GenerationSettings
    stream: TextStream
    pieces: asyncio.Queue[Piece | Exception]
    is_wanted: bool = True


class Writer:
    """Writes the texts of all requests in the slots of one model.

    A text that arrives while others are written begins with the next block, if there is a free
    slot. `run` has to be running in the event loop.

    Args:
        checkpoint: a language model.
        thread: where it computes.
        num_slots: texts side by side.
        most_waiting: texts that may wait for a slot; further ones are refused.
        watch: is told how many slots are in use, and how many tokens they gave to texts.
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
        self._written: dict[int, _Text] = {}  # by their slots
        self._changed = asyncio.Event()

    @property
    def num_waiting(self) -> int:
        """How many texts wait for a slot."""
        return len(self._waiting)

    def compile(self) -> None:
        """Compiles the programs: they are the same for every text."""
        self._slots.add(encode_prompt(self._vocabulary, "\n"), GenerationSettings())
        self._slots.advance()
        self._slots.clear()

    async def write(
        self, prompts: Sequence[str], settings: GenerationSettings
    ) -> AsyncGenerator[Piece, None]:
        """The pieces of some texts as they are made; when their reader leaves, no more are made.

        Text number i is that of `zoo.generate` with these prompts. A reader who is slow holds
        nobody up: what was made waits for him in memory.

        Raises:
            Refused: too many wait.
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

    async def run(self) -> None:
        """Writes for ever, until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._fill()
            if not self._written:
                self._changed.clear()
                await self._changed.wait()
                continue
            try:
                drawn = await loop.run_in_executor(self._thread, self._slots.advance)
            except Exception as fault:  # it is every reader's, and the next text may be better
                for text in self._written.values():
                    text.pieces.put_nowait(fault)
                self._written.clear()
                self._slots.clear()
                continue
            num_texts = len(self._written)
            self._watch(num_texts, self._give(drawn))

    def _fill(self) -> None:
        """Begins texts in the free slots, and ends those that nobody wants any more."""
        for slot, text in list(self._written.items()):
            if not text.is_wanted:
                self._end(slot)
        while self._waiting and self._slots.num_free:
            text = self._waiting.popleft()
            if text.is_wanted:
                slot = self._slots.add(text.inputs, text.settings, text.index)
                self._written[slot] = text

    def _give(self, drawn: dict[int, list[int]]) -> int:
        """Gives each text what was drawn for it, and returns how many tokens they took."""
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
