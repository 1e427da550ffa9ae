"""What both servers answer when a request fails, and how they end a stream whose reader leaves."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from zoo.errors import UserError
from zoo.serve.limits import Refused

LOGGER = logging.getLogger("zoo.serve")

_Handlers = dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]


def error(status: int, reason: str) -> Response:
    """An answer in one line; of a server that is busy or not ready, with the time to wait."""
    return JSONResponse({"error": reason}, status, {"Retry-After": "1"} if status == 503 else None)


def exception_handlers(fault: str) -> _Handlers:
    """Returns what Starlette answers to each kind of exception.

    Args:
        fault: the line for an exception that is the server's own fault.
    """

    async def tell(request: Request, exception: Exception) -> Response:
        if isinstance(exception, Refused):
            return error(exception.status, exception.reason)
        if isinstance(exception, UserError):
            return error(400, str(exception))
        if isinstance(exception, HTTPException):  # a path or a method that there is not
            reason = f"{request.method} of this path: {exception.detail.lower()}"
            return error(exception.status_code, reason)
        LOGGER.error("a request failed", exc_info=exception)
        return error(500, fault)

    return dict.fromkeys((Refused, UserError, HTTPException, Exception), tell)


class ClosingStream(StreamingResponse):
    """A text that is sent as it is made; when its reader goes away, no more is made.

    Args:
        text: the pieces to send.
        source: what they are made of, which is closed in the end.
        media_type: of the text.
    """

    def __init__(
        self, text: AsyncIterator[str], source: AsyncGenerator[object, None], media_type: str
    ) -> None:
        super().__init__(text, media_type=media_type)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._source.aclose()
