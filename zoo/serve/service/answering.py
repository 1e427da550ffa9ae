"""The answers to requests to generate, classify and translate: from a checked form to JSON."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

from zoo.decoding.text import unknown_parts
from zoo.serve.failing import LOGGER
from zoo.serve.limits import Refused
from zoo.serve.models import ServedModels
from zoo.serve.service.engine import Engine
from zoo.serve.service.forms import (
    check_bounds,
    generation_settings,
    read_form,
    request_forms,
    search_settings,
)
from zoo.serve.service.settings import ServiceSettings
from zoo.serve.service.writing import Piece
from zoo.types import Json

FAULT = "the server failed; its log says why"


class Answers:
    """Answers requests with the models of an engine.

    Args:
        models: what is served.
        engine: computes.
        settings: the limits of the service.
    """

    def __init__(self, models: ServedModels, engine: Engine, settings: ServiceSettings):
        self._models, self._engine, self._settings = models, engine, settings
        self._forms = request_forms(settings)

    def read(self, use: str, body: bytes) -> Json:
        """The values of a request, with the name of a model that is for this use.

        Raises:
            Refused: a field or the name is wrong.
        """
        values = read_form(body, self._forms[use], self._settings)
        values["model"] = values["model"] or self._only_model(use)
        self._models.check(values["model"], use)
        return values

    def _only_model(self, use: str) -> str:
        fitting = [str(one["name"]) for one in self._models.listing() if one["use"] == use]
        if not fitting:
            raise Refused(404, f"no model to {use} with is served here")
        if len(fitting) > 1:
            raise Refused(400, f"the field model is missing; use one of {', '.join(fitting)}")
        return fitting[0]

    async def generate(self, values: Json) -> Json:
        """All texts of a request at once: each a prompt and its continuation."""
        pieces, _ = self._write(values)
        texts, counts = list(values["prompts"]), [0] * len(values["prompts"])
        async for piece in pieces:
            texts[piece.index] += piece.text
            counts[piece.index] += piece.num_tokens
        unknown = self._unknown(values)
        return {
            "model": values["model"],
            "results": [
                {"text": text, "num_tokens": count, "unknown": lacks}
                for text, count, lacks in zip(texts, counts, unknown, strict=True)
            ],
        }

    async def stream(self, values: Json) -> "TextStream":
        """The texts of a request as they are written, once the first piece is made.

        Until then, what goes wrong still has a status of its own.
        """
        pieces, model = self._write(values)
        head = {"model": model, "unknown": self._unknown(values)}
        return TextStream(head, await anext(pieces), pieces)

    def _write(self, values: Json) -> tuple[AsyncGenerator[Piece, None], str]:
        settings = generation_settings(values, self._forms["generate"])
        name = values["model"]
        return self._engine.write(name, values["prompts"], settings), name

    def _unknown(self, values: Json) -> list[list[str]]:
        vocabulary = self._models.load(values["model"]).vocabulary
        return [unknown_parts(vocabulary, prompt) for prompt in values["prompts"]]

    async def classify(self, values: Json) -> Json:
        """The labels of each text, as the command prints them."""
        check_bounds(values, self._forms["classify"])
        results = await self._engine.ask(values["model"], values["texts"])
        dropped = () if values["tokens"] else ("tokens", "weights")
        return {"model": values["model"], "results": [_without(one, dropped) for one in results]}

    async def translate(self, values: Json) -> Json:
        """The translation of each text, as the command prints it."""
        settings = search_settings(values, self._forms["translate"])
        results = await self._engine.ask(values["model"], values["texts"], settings)
        dropped = ("others",) if values["attention"] else ("others", "attention")
        return {"model": values["model"], "results": [_without(one, dropped) for one in results]}


def _without(record: Json, names: tuple[str, ...]) -> Json:
    return {name: value for name, value in record.items() if name not in names}


class TextStream(NamedTuple):
    """The pieces of a request's texts.

    Attributes:
        head: what is told before them.
        first: the first piece.
        rest: the others, which have to be closed in the end.
    """

    head: Json
    first: Piece
    rest: AsyncGenerator[Piece, None]


async def server_sent_events(stream: TextStream, deadline: float) -> AsyncIterator[str]:
    """Pieces of texts as server-sent events: start, text, end; too late for a status, error.

    Args:
        stream: the pieces.
        deadline: the time of the event loop at which they end.
    """
    yield _event("start", stream.head)
    piece: Piece | None = stream.first
    num_tokens = 0
    try:
        while piece is not None:
            num_tokens += piece.num_tokens
            yield _event("text", vars(piece))
            async with asyncio.timeout_at(deadline):
                piece = await anext(stream.rest, None)
        yield _event("end", {"num_tokens": num_tokens})
    except TimeoutError:
        yield _event("error", {"error": "the text took too long; ask for fewer tokens"})
    except Exception as fault:
        LOGGER.error("a text was not finished", exc_info=fault)
        yield _event("error", {"error": FAULT})


def _event(name: str, record: Json) -> str:
    """One event, see the HTML Living Standard, section 9.2."""
    return f"event: {name}\ndata: {json.dumps(record)}\n\n"
