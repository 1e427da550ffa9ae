"""The service as an ASGI application.

    POST /v1/generate, /v1/classify, /v1/tag, /v1/translate    see /docs
    GET  /v1/models       {"models": [{"name", "use", "architecture"}]}
    GET  /health          200 while the process answers
    GET  /ready           200 when all programs are compiled, 503 before and while it stops
    GET  /metrics         counts and times in Prometheus' text format
    GET  /openapi.json    the service in OpenAPI 3.1; /docs shows it, / leads there

The answer to a wrong request is {"error": one line} with a status of 4xx. 503 means that the
service is not ready or that too many texts wait, 504 that an answer took too long.
"""

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from zoo.serve.bodies import read_body
from zoo.serve.failing import LOGGER, ClosingStream, error, exception_handlers
from zoo.serve.guard import Guard
from zoo.serve.limits import Refused, while_awaited
from zoo.serve.models import ServedModels
from zoo.serve.service.answering import FAULT, Answers, server_sent_events
from zoo.serve.service.engine import Engine
from zoo.serve.service.metrics import Metrics
from zoo.serve.service.observing import Observer, tell
from zoo.serve.service.openapi import OPEN_PATHS, docs_page, docs_style, openapi
from zoo.serve.service.settings import ServiceSettings
from zoo.types import Json

Result = TypeVar("Result")

_NOT_READY = "the models are being compiled; try again in a moment"


def make_service(
    models: ServedModels,
    settings: ServiceSettings,
    *,
    host: str,
    version: str,
    give_up: Callable[[], None],
) -> ASGIApp:
    """Returns the service as an ASGI application.

    Args:
        models: the served models.
        settings: the limits of the service.
        host: the address that the service is bound to. Requests for another host are refused.
        version: the version of the package, which the description of the service tells.
        give_up: ends the process. It is called if a model cannot be compiled.

    Raises:
        UserError: A model has a use that the service does not offer.
    """
    metrics = Metrics()
    service = _Service(models, settings, metrics, version, give_up)
    routes = service.routes()
    app = Starlette(
        lifespan=service.lifespan,
        routes=routes,
        exception_handlers=exception_handlers(FAULT),
    )
    guarded = Guard(
        _TokenGate(app, settings.token),
        host=host,
        rate_limit=settings.make_rate_limit(),
        more_hosts=settings.allow_host,
    )
    return Observer(guarded, metrics, [route.path for route in routes])


class _TokenGate:
    """An ASGI application around another one, which asks for a token except at the open paths."""

    def __init__(self, app: ASGIApp, token: str):
        self._app, self._expected = app, f"bearer {token}".encode() if token else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers with the status 401."""
        if scope["type"] != "http" or not self._expected or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        kind, _, token = given.partition(b" ")
        if hmac.compare_digest(kind.lower() + b" " + token.strip(), self._expected):
            await self._app(scope, receive, send)
            return
        reason = "the token is missing or wrong; send the header Authorization: Bearer TOKEN"
        answer = JSONResponse({"error": reason}, 401, {"WWW-Authenticate": "Bearer"})
        await answer(scope, receive, send)


class _Service:
    """The handlers of the service's paths."""

    def __init__(
        self,
        models: ServedModels,
        settings: ServiceSettings,
        metrics: Metrics,
        version: str,
        give_up: Callable[[], None],
    ):
        self._models, self._settings, self._metrics = models, settings, metrics
        self._give_up = give_up
        self._engine = Engine(models, settings, metrics)
        self._answers = Answers(models, self._engine, settings)
        self._openapi = openapi(settings, models.listing(), version)
        self._page = docs_page(self._openapi)

    def routes(self) -> list[Route]:
        """Returns a route for each path."""
        return [
            Route("/", self._to_docs),
            Route("/health", self._health),
            Route("/ready", self._ready),
            Route("/metrics", self._tell_metrics),
            Route("/openapi.json", self._describe),
            Route("/docs", self._docs),
            Route("/docs.css", self._docs_style),
            Route("/v1/models", self._list_models),
            Route("/v1/generate", self._generate, methods=["POST"]),
            Route("/v1/classify", self._answer_with("classify"), methods=["POST"]),
            Route("/v1/tag", self._answer_with("tag"), methods=["POST"]),
            Route("/v1/translate", self._answer_with("translate"), methods=["POST"]),
        ]

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Compiles the programs. Meanwhile, requests are answered with the status 503."""
        self._engine.start()
        compiling = asyncio.create_task(self._compile())
        yield
        compiling.cancel()
        await asyncio.wait([compiling])
        await self._engine.close()
        tell("stopped")

    async def _compile(self) -> None:
        """Makes the service ready. If that fails, it ends the process, which is of no use then."""
        try:
            await self._engine.compile()
            tell("ready")
        except Exception as fault:
            LOGGER.error("the models cannot be compiled", exc_info=fault)
            self._give_up()

    async def _to_docs(self, request: Request) -> Response:
        return RedirectResponse("/docs")

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def _ready(self, request: Request) -> Response:
        if self._engine.is_ready:
            return JSONResponse({"status": "ready"})
        return error(503, _NOT_READY)

    async def _tell_metrics(self, request: Request) -> Response:
        self._engine.tell_waiting()
        return Response(self._metrics.page(), media_type=self._metrics.content_type)

    async def _describe(self, request: Request) -> Response:
        return JSONResponse(self._openapi)

    async def _docs(self, request: Request) -> Response:
        return Response(self._page, media_type="text/html")

    async def _docs_style(self, request: Request) -> Response:
        return Response(docs_style(), media_type="text/css")

    async def _list_models(self, request: Request) -> Response:
        names = ("name", "use", "architecture")
        listing = self._models.listing()
        return JSONResponse({"models": [{name: one[name] for name in names} for one in listing]})

    async def _generate(self, request: Request) -> Response:
        values = await self._read(request, "generate")
        if not values["stream"]:
            return JSONResponse(await self._finish(request, self._answers.generate(values)))
        deadline = asyncio.get_running_loop().time() + self._settings.timeout
        stream = await self._finish(request, self._answers.stream(values))
        events = server_sent_events(stream, deadline)
        return ClosingStream(events, stream.rest, "text/event-stream")

    def _answer_with(self, use: str) -> Callable[[Request], Awaitable[Response]]:
        """Returns the handler of a use whose answer is not a stream."""

        work = getattr(self._answers, use)

        async def answer(request: Request) -> Response:
            values = await self._read(request, use)
            return JSONResponse(await self._finish(request, work(values)))

        return answer

    async def _read(self, request: Request, use: str) -> Json:
        if not self._engine.is_ready:
            raise Refused(503, _NOT_READY)
        return self._answers.read(use, await read_body(request, self._settings.max_body_bytes))

    async def _finish(self, request: Request, work: Awaitable[Result]) -> Result:
        """Returns the result of some work, if it ends in time and the client waits for it."""
        seconds = self._settings.timeout
        try:
            async with asyncio.timeout(seconds):
                return await while_awaited(request, work)
        except TimeoutError:
            reason = f"the answer took longer than {seconds:g} s; ask for fewer texts or tokens"
            raise Refused(504, reason) from None
