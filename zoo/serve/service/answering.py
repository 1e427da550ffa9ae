"""Answers checked requests to generate, classify, tag and translate with JSON."""

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
        models: the served models.
        engine: runs the models.
        settings: the limits of the service.
    """

    def __init__(self, models: ServedModels, engine: Engine, settings: ServiceSettings):
        self._models, self._engine, self._settings = models, engine, settings
        self._forms = request_forms(settings)

    def read(self, use: str, body: bytes) -> Json:
        """Returns the values of a request, with the name of a model that has this use.

        Raises:
            Refused: A field or the name is wrong.
        """
        values = read_form(body, self._forms[use], self._settings)
        values["model"] = values["model"] or self._only_model(use)
        self._models.check(values["model"], use)
        return values

    def _only_model(self, use: str) -> str:
        fitting = [str(one["name"]) for one in self._models.listing() if one["use"] == use]
        if not fitting:
            raise Refused(404, f"no served model can {use}; start the service with such a model")
        if len(fitting) > 1:
            raise Refused(400, f"the field model is missing; choose one of {', '.join(fitting)}")
        return fitting[0]

    async def generate(self, values: Json) -> Json:
        """Returns all texts of a request; each text is a prompt with its continuation."""
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
        """Returns the stream of a request's texts when the first piece is generated.

        An error before the first piece still gets a status of its own.
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
        """Returns the labels of each text, as the command prints them."""
        check_bounds(values, self._forms["classify"])
        results = await self._engine.ask(values["model"], values["texts"])
        dropped = () if values["tokens"] else ("tokens", "weights")
        return {"model": values["model"], "results": [_without(one, dropped) for one in results]}

    async def tag(self, values: Json) -> Json:
        """Returns the tags and spans of each text, as the command prints them."""
        check_bounds(values, self._forms["tag"])
        results = await self._engine.ask(values["model"], values["texts"])
        return {"model": values["model"], "results": results}

    async def translate(self, values: Json) -> Json:
        """Returns the translation of each text, as the command prints it."""
        settings = search_settings(values, self._forms["translate"])
        results = await self._engine.ask(values["model"], values["texts"], settings)
        dropped = ("others",) if values["attention"] else ("others", "attention")
        return {"model": values["model"], "results": [_without(one, dropped) for one in results]}


def _without(record: Json, names: tuple[str, ...]) -> Json:
    return {name: value for name, value in record.items() if name not in names}


class TextStream(NamedTuple):
    """The pieces of a request's texts.

    Attributes:
        head: the record that is sent before the pieces.
        first: the first piece.
        rest: the other pieces. The generator must be closed in the end.
    """

    head: Json
    first: Piece
    rest: AsyncGenerator[Piece, None]


async def server_sent_events(stream: TextStream, deadline: float) -> AsyncIterator[str]:
    """Yields pieces of texts as server-sent events: start, text and end.

    After the start, a fault becomes an event named error.

    Args:
        stream: the pieces.
        deadline: the time of the event loop at which the stream ends with an error.
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
    """Returns one event, see the HTML Living Standard, section 9.2."""
    return f"event: {name}\ndata: {json.dumps(record)}\n\n"
