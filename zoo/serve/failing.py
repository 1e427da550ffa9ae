"""The answers of both servers to failed requests, and the end of a stream whose reader leaves."""

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
    """Returns an answer with an error in one line. The status 503 adds the time to wait."""
    return JSONResponse({"error": reason}, status, {"Retry-After": "1"} if status == 503 else None)


def exception_handlers(fault: str) -> _Handlers:
    """Returns the handlers with which Starlette answers exceptions.

    Args:
        fault: the error that is told if an exception is a fault of the server.
    """

    async def tell(request: Request, exception: Exception) -> Response:
        if isinstance(exception, Refused):
            return error(exception.status, exception.reason)
        if isinstance(exception, UserError):
            return error(400, str(exception))
        if isinstance(exception, HTTPException):  # for an unknown path or method
            reason = f"{request.method} of this path: {exception.detail.lower()}"
            return error(exception.status_code, reason)
        LOGGER.error("a request failed", exc_info=exception)
        return error(500, fault)

    return dict.fromkeys((Refused, UserError, HTTPException, Exception), tell)


class ClosingStream(StreamingResponse):
    """A text that is sent piece by piece. When its reader goes away, no more pieces are made.

    Args:
        text: the pieces of the text.
        source: the generator that the pieces are made from. It is closed in the end.
        media_type: the media type of the text.
    """

    def __init__(
        self, text: AsyncIterator[str], source: AsyncGenerator[object, None], media_type: str
    ) -> None:
        super().__init__(text, media_type=media_type)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the text."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._source.aclose()
