"""The models of a service, which are compiled for all batch sizes and run in one thread."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from zoo.decoding import translation
from zoo.decoding.settings import GenerationSettings
from zoo.decoding.translation import SearchSettings, TrainedTranslator, translate
from zoo.errors import UserError
from zoo.evaluation import classifying, tagger
from zoo.evaluation.classifying import TrainedClassifier, classify
from zoo.evaluation.tagger import TrainedTagger
from zoo.models.trained import TrainedModel, require
from zoo.serve.failing import LOGGER
from zoo.serve.models import ServedModels
from zoo.serve.service.batches import Batches
from zoo.serve.service.metrics import Metrics
from zoo.serve.service.settings import ServiceSettings
from zoo.serve.service.writing import Piece, Writer
from zoo.special_tokens import END_ID
from zoo.types import Json

CLASSIFY_SIZES = (1, 16)
TAG_SIZES = (1, 16)
TRANSLATE_SIZES = (1, 8)


class Engine:
    """Runs the models in a thread of its own. Its methods are called in the event loop.

    Args:
        models: the served models.
        settings: the settings of the service.
        metrics: count what is computed.

    Attributes:
        is_ready: whether all programs are compiled.

    Raises:
        UserError: A model has a use that the service does not offer.
    """

    def __init__(self, models: ServedModels, settings: ServiceSettings, metrics: Metrics):
        self.is_ready = False
        self._models, self._settings, self._metrics = models, settings, metrics
        self._thread = ThreadPoolExecutor(1, "zoo-service")
        self._writers: dict[str, Writer] = {}
        self._batches: dict[str, Batches[Json]] = {}
        self._compilations: list[Callable[[], object]] = []
        self._tasks: list[asyncio.Task[None]] = []
        adders = {
            "generate": self._add_writer,
            "classify": self._add_classifier,
            "tag": self._add_tagger,
            "translate": self._add_translator,
        }
        for model in models.listing():
            name, use = str(model["name"]), str(model["use"])
            if use not in adders:
                raise UserError(
                    f"{name} is a model to {use} with, which the service does not offer; leave the "
                    f"model out, and use python -m zoo {use} for it"
                )
            adders[use](name, models.load(name))

    def _add_writer(self, name: str, checkpoint: TrainedModel) -> None:
        def watch(num_texts: int, num_tokens: int) -> None:
            self._metrics.batches.labels(model=name).observe(num_texts)
            self._metrics.tokens.labels(model=name).inc(num_tokens)

        writer = Writer(
            checkpoint,
            self._thread,
            num_slots=self._settings.slots,
            most_waiting=self._settings.max_waiting,
            watch=watch,
        )
        self._writers[name] = writer
        self._compilations.append(writer.compile)

    def _add_classifier(self, name: str, checkpoint: TrainedModel) -> None:
        trained = require(checkpoint, TrainedClassifier)
        self._batches[name] = self._make_batches(name, partial(_label, trained), CLASSIFY_SIZES)
        longest = self._settings.max_characters + 1
        if trained.max_tokens:
            longest = min(longest, trained.max_tokens + 1)
        for length in lengths_to(longest, classifying.SHAPES.lengths):
            for size in CLASSIFY_SIZES:
                rows = [np.full(length, END_ID, np.int32)] * size
                self._compilations.append(
                    partial(
                        classifying.predict,
                        trained.model,
                        trained.params,
                        rows,
                        multiple=trained.labels.multiple,
                    )
                )

    def _add_tagger(self, name: str, checkpoint: TrainedModel) -> None:
        trained = require(checkpoint, TrainedTagger)
        self._batches[name] = self._make_batches(name, partial(_tag, trained), TAG_SIZES)
        longest = self._settings.max_characters
        sentences = [["a"] * length for length in lengths_to(longest, tagger.WORD_SHAPES.lengths)]
        if trained.readers:  # language models read characters, in batches of other lengths
            lengths = lengths_to(longest, tagger.TEXT_SHAPES.lengths)
            sentences += [["a" * length] for length in lengths]
        batches = [[sentence] * size for sentence in sentences for size in TAG_SIZES]
        if trained.characters:  # different words are spelled together
            most = min(longest * TAG_SIZES[-1], tagger.WORDS_A_CALL)
            words = [str(number) for number in range(most)]
            batches += [[words[: 2**power]] for power in range((most - 1).bit_length() + 1)]
        self._compilations += [partial(tagger.predict, trained, batch) for batch in batches]

    def _add_translator(self, name: str, checkpoint: TrainedModel) -> None:
        trained = require(checkpoint, TrainedTranslator)
        self._batches[name] = self._make_batches(
            name, partial(_translate, trained), TRANSLATE_SIZES
        )
        longest = min(self._settings.max_characters, translation.MAX_SOURCE_TOKENS) + 1
        for length in lengths_to(longest, translation.BUCKET_LENGTHS):
            for beam_size in self._settings.beam_sizes:
                for size in TRANSLATE_SIZES:
                    settings = SearchSettings(beam_size=beam_size)
                    self._compilations.append(
                        partial(translation.compile_search, trained, length, size, settings)
                    )

    def _make_batches(
        self, name: str, work: Callable[..., list[Json]], sizes: Sequence[int]
    ) -> Batches[Json]:
        return Batches(
            work,
            self._thread,
            sizes=sizes,
            patience=self._settings.patience_ms / 1000,
            most_waiting=self._settings.max_waiting,
            watch=self._metrics.batches.labels(model=name).observe,
        )

    async def compile(self) -> None:
        """Compiles all programs one after the other. Then the engine is ready."""
        loop = asyncio.get_running_loop()
        for compilation in self._compilations:
            await loop.run_in_executor(self._thread, compilation)
        self.is_ready = True
        self._metrics.tell_ready(True)

    def start(self) -> None:
        """Starts the tasks that answer requests."""
        runs = [writer.run() for writer in self._writers.values()]
        runs += [batches.run() for batches in self._batches.values()]
        self._tasks = [asyncio.create_task(run) for run in runs]
        for task in self._tasks:
            task.add_done_callback(self._tell_end)

    def _tell_end(self, task: asyncio.Task[None]) -> None:
        """Logs the fault that ended a task; without the task, the service is not ready."""
        if not task.cancelled() and (fault := task.exception()):
            LOGGER.error("a model answers no more", exc_info=fault)
            self.is_ready = False
            self._metrics.tell_ready(False)

    async def close(self) -> None:
        """Ends all tasks and drops the requests that are not answered yet."""
        self.is_ready = False
        self._metrics.tell_ready(False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def tell_waiting(self) -> None:
        """Tells the metrics the number of texts that wait for each model."""
        for name, writer in self._writers.items():
            self._metrics.tell_waiting(name, writer.num_waiting)
        for name, batches in self._batches.items():
            self._metrics.tell_waiting(name, batches.num_waiting)

    def write(
        self, name: str, prompts: Sequence[str], settings: GenerationSettings
    ) -> AsyncGenerator[Piece, None]:
        """Yields the pieces of texts, see `Writer.write`."""
        self._metrics.texts.labels(model=name).inc(len(prompts))
        return self._writers[name].write(prompts, settings)

    async def ask(
        self, name: str, texts: Sequence[str], how: SearchSettings | None = None
    ) -> list[Json]:
        """Returns the labels, tags or translations of texts, see `Batches.ask`.

        Args:
            name: the name of a classifier, a tagger or a translator.
            texts: the texts.
            how: the SearchSettings of a translator; None for others.
        """
        self._metrics.texts.labels(model=name).inc(len(texts))
        return await self._batches[name].ask(texts, how)


def lengths_to(longest: int, buckets: Sequence[int]) -> Iterator[int]:
    """Yields all lengths to which a batch is padded whose longest text has up to `longest` tokens.

    Example:
        >>> list(lengths_to(5, (8, 16))), list(lengths_to(40, (8, 16)))
        ([8], [8, 16, 32, 48])
    """
    for length in buckets:
        yield length
        if length >= longest:
            return
    while length < longest:
        length += buckets[-1]
        yield length


def _label(checkpoint: TrainedClassifier, texts: Sequence[str], how: None) -> list[Json]:
    return [found.to_json() for found in classify(checkpoint, texts)]


def _tag(checkpoint: TrainedTagger, texts: Sequence[str], how: None) -> list[Json]:
    def work(texts: Sequence[str]) -> list[Json]:
        return [found.to_json() for found in tagger.tag(checkpoint, texts)]

    return _with_blank_texts(work, texts, "text")


def _translate(
    checkpoint: TrainedTranslator, texts: Sequence[str], how: SearchSettings
) -> list[Json]:
    def work(texts: Sequence[str]) -> list[Json]:
        return [found.to_json() for found in translate(checkpoint, texts, **vars(how))]

    return _with_blank_texts(work, texts, "source")


def _with_blank_texts(
    work: Callable[[Sequence[str]], list[Json]], texts: Sequence[str], field: str
) -> list[Json]:
    """Returns a record for each text, with the text in a field.

    The work leaves blank texts out of its batch, which then has another size. So another text
    takes their places.
    """
    filler = next((text for text in texts if text.strip()), "")
    found = work([text if text.strip() else filler for text in texts])
    (blank,) = work([""])
    return [
        record if text.strip() else blank | {field: text}
        for text, record in zip(texts, found, strict=True)
    ]
