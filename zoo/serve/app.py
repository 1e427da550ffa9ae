"""The server of one page: its three files, and the API that the page uses.

    GET  /               the page; /page.css and /page.js beside it
    GET  /api/models     {"models": [{"name", "use": "generate" | "classify" | "translate" | "tag",
                         "architecture", "has_gradients", "mixes_with": [names], "summary",
                         "language", "example", "passage"}], "limits": {...}}
    POST /api/generate   {"model"} or {"mixture": {name: weight}}, {"prompt", "temperature",
                         "top_p", "max_tokens", "seed"} -> JSON lines, as the tokens are drawn:
                         {"models", "unknown"}, then for each token {"text", "token", "probability",
                         "runners_up": [{"token", "probability"}]}, of a mixture with {"parts":
                         [probability by each model], "winner"}, then {"num_tokens"}
    POST /api/classify   {"model", "text"} -> {"labels": [{"label", "probability", "chosen"}],
                         "tokens": [{"token", "weight"}], "unknown"}
    POST /api/translate  {"model", "text", "beam_size", "length_penalty"} -> {"text",
                         "source_tokens", "tokens", "attention": [T][S] or null,
                         "beam": [{"text", "score"}], "is_cut", "unknown"}
    POST /api/tag        {"model", "text"} -> {"tokens": [{"before": text in front of it, "token",
                         "tag", "probability"}], "rest": text behind the last, "marks": [{"start",
                         "end": the token behind it, "label"}], of plain tags one for each token,
                         "unknown"}
    POST /api/gradients  {"model", "text", "steps"} -> {"title", "svg", "curves", "reach",
                         "num_rows"}

"unknown" holds the words or characters of the text that the model does not know.

A body is JSON and says so in its Content-Type, which a page of another site cannot send unasked.
The answer to a wrong request is {"error": one line} with a status of 4xx. 503 means that too many
requests wait. Work for a client that goes away is not begun, and a text that is being generated
stops at the next token. A translation, a classification, the tags of a text and a chart of
gradients are one compiled call each, which nothing stops. The call is short, because a text has at
most MAX_CHARACTERS, and a beam search at most 520 steps.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from zoo import report
from zoo.decoding.settings import GenerationSettings
from zoo.decoding.translation import SearchSettings
from zoo.serve import answers
from zoo.serve.bodies import read_body
from zoo.serve.failing import LOGGER, ClosingStream, exception_handlers
from zoo.serve.fields import MAX_BODY_BYTES, MAX_CHARACTERS, Fields
from zoo.serve.guard import Guard
from zoo.serve.limits import RateLimit, Refused, Turns, while_awaited
from zoo.serve.models import ServedModels
from zoo.types import Json

_FAULT = "the server failed; its terminal says why"

MAX_TOKENS = 500
MAX_TEMPERATURE = 5.0
MAX_BEAM_SIZE = 8
MAX_LENGTH_PENALTY = 4.0
GRADIENT_STEPS = (10, 20, 50, 100)  # each number has compiled programs of its own


def make_app(
    models: ServedModels, *, host: str = "127.0.0.1", rate_limit: RateLimit | None = None
) -> ASGIApp:
    """Returns the server as an ASGI application.

    Args:
        models: the served models.
        host: the address that the server is bound to. Requests for another host are refused.
        rate_limit: the limit of each client's requests; None for the default limit.
    """
    handlers = _Handlers(models)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        handlers.close()

    app = Starlette(
        lifespan=lifespan,
        routes=[
            *(Route(path, _file(*what)) for path, what in _FILES.items()),
            Route("/favicon.ico", _no_icon),
            Route("/api/models", handlers.models),
            Route("/api/generate", handlers.generate, methods=["POST"]),
            Route("/api/classify", handlers.classify, methods=["POST"]),
            Route("/api/translate", handlers.translate, methods=["POST"]),
            Route("/api/tag", handlers.tag, methods=["POST"]),
            Route("/api/gradients", handlers.gradients, methods=["POST"]),
        ],
        exception_handlers=exception_handlers(_FAULT),
    )
    return Guard(app, host=host, rate_limit=rate_limit or RateLimit())


_HERE, _REPORT = Path(__file__).parent, Path(report.__file__).parent
_FILES = {  # for each path the files that it is made of, and their media type
    "/": ([_HERE / "page.html"], "text/html"),
    "/page.css": ([_REPORT / "style.css", _HERE / "page.css"], "text/css"),
    "/page.js": ([_HERE / "page.js"], "text/javascript"),
}


def _file(parts: list[Path], media_type: str) -> Callable[[Request], Awaitable[Response]]:
    """Returns a handler that answers with files, one after the other."""
    content = "\n".join(part.read_text("utf-8") for part in parts)

    async def answer(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return answer


async def _no_icon(request: Request) -> Response:
    return Response(status_code=204)


class _Handlers:
    """The handlers of the API. Each handler checks the request and then waits for its turn."""

    def __init__(self, models: ServedModels):
        self._models = models
        self._turns = Turns()

    def close(self) -> None:
        """Drops the requests that wait."""
        self._turns.close()

    async def models(self, request: Request) -> Response:
        """Answers GET /api/models."""
        limits = {
            "characters": MAX_CHARACTERS,
            "max_tokens": MAX_TOKENS,
            "temperature": MAX_TEMPERATURE,
            "beam_size": MAX_BEAM_SIZE,
            "length_penalty": MAX_LENGTH_PENALTY,
            "steps": GRADIENT_STEPS,
        }
        return JSONResponse({"models": self._models.listing(), "limits": limits})

    async def generate(self, request: Request) -> Response:
        """Answers POST /api/generate."""
        fields = await _read_fields(request)
        if "mixture" in fields:
            weights = fields.weights("mixture")
            self._models.check_mixture(list(weights))
        else:
            weights = {fields.name("model"): 1.0}
            self._models.check(next(iter(weights)), "generate")
        prompt = fields.text("prompt", "")
        default = GenerationSettings
        settings = GenerationSettings(
            temperature=fields.number("temperature", default.temperature, 0, MAX_TEMPERATURE),
            top_p=fields.number("top_p", default.top_p),
            max_tokens=fields.whole("max_tokens", default.max_tokens, 1, MAX_TOKENS),
            seed=fields.whole("seed", default.seed, 0, 2**32 - 1),
        )
        fields.finish()
        lines = answers.generated(self._models, weights, prompt, settings)
        stream = self._turns.stream(lines)
        # An error before the first line still gets a status of its own.
        first = await while_awaited(request, anext(stream))
        return ClosingStream(_json_lines(first, stream), stream, "application/x-ndjson")

    async def classify(self, request: Request) -> Response:
        """Answers POST /api/classify."""
        return await self._answer_text(request, "classify", answers.classified)

    async def translate(self, request: Request) -> Response:
        """Answers POST /api/translate."""
        fields = await _read_fields(request)
        name, text = fields.name("model"), fields.text("text")
        default = SearchSettings
        beam_size = fields.whole("beam_size", default.beam_size, 1, MAX_BEAM_SIZE)
        length_penalty = fields.number(
            "length_penalty", default.length_penalty, 0, MAX_LENGTH_PENALTY
        )
        fields.finish()
        self._models.check(name, "translate")
        if not text.strip():
            raise Refused(400, "the field text is empty; give a sentence to translate")
        sizes = {"beam_size": beam_size, "length_penalty": length_penalty}
        return await self._answer(request, answers.translated, name, text, **sizes)

    async def tag(self, request: Request) -> Response:
        """Answers POST /api/tag."""
        return await self._answer_text(request, "tag", answers.tagged)

    async def gradients(self, request: Request) -> Response:
        """Answers POST /api/gradients."""
        fields = await _read_fields(request)
        name, text = fields.name("model"), fields.text("text")
        steps = fields.choice("steps", GRADIENT_STEPS[1], GRADIENT_STEPS)
        fields.finish()
        self._models.check(name, "generate")
        return await self._answer(request, answers.gradients, name, text, steps=steps)

    async def _answer_text(
        self, request: Request, use: str, function: Callable[[ServedModels, str, str], Json]
    ) -> Response:
        """Answers a request whose fields are a model and a text."""
        fields = await _read_fields(request)
        name, text = fields.name("model"), fields.text("text")
        fields.finish()
        self._models.check(name, use)
        return await self._answer(request, function, name, text)

    async def _answer(
        self, request: Request, function: Callable[..., Json], *args: str, **options: float
    ) -> Response:
        """Returns what a function of `answers` returns, after the function had its turn."""
        work = self._turns.run(function, self._models, *args, **options)
        return JSONResponse(await while_awaited(request, work))


async def _json_lines(first: object, rest: AsyncIterator[object]) -> AsyncIterator[str]:
    """Yields records as lines. After the first line, a fault becomes a line with an error."""
    yield json.dumps(first) + "\n"
    try:
        async for record in rest:
            yield json.dumps(record) + "\n"
    except Exception as fault:
        LOGGER.error("a text was not finished", exc_info=fault)
        yield json.dumps({"error": _FAULT}) + "\n"


async def _read_fields(request: Request) -> Fields:
    """Returns the fields of a request."""
    return Fields(await read_body(request, MAX_BODY_BYTES))
