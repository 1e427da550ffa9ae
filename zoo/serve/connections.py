"""The connections of the server: how long each may be silent, and how many there may be.

uvicorn by itself waits for ever for the headers of a request, and for a reader who does not read.
So a few connections on which nothing happens would keep everybody else out.
"""

import asyncio
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 64
HEADER_SECONDS = 10.0  # for a whole header, since the connection or the last answer
READER_SECONDS = 10.0  # for a reader who takes nothing of what waits for him


class TimedProtocol(H11Protocol):
    """One connection, which is cut when its client keeps it waiting.

    The time for a header does not start anew when a part of it comes. While a request is answered
    there is no such limit: its body has one of its own, and an answer may take long.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._header_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the time for the first header."""
        super().connection_made(transport)
        self._wait_for_header()

    def data_received(self, data: bytes) -> None:
        """Ends the time for a header if this made it whole."""
        super().data_received(data)
        if self._is_answering():
            _stop(self._header_timer)

    def on_response_complete(self) -> None:
        """Starts the time for the next header, unless the next request is here already."""
        super().on_response_complete()
        if not self._is_answering():
            self._wait_for_header()

    def pause_writing(self) -> None:
        """Starts the time in which the reader has to take something."""
        super().pause_writing()
        self._reader_timer = self.loop.call_later(READER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Ends the time of the reader, who took something."""
        _stop(self._reader_timer)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends all times."""
        _stop(self._header_timer)
        _stop(self._reader_timer)
        super().connection_lost(exc)

    def _wait_for_header(self) -> None:
        _stop(self._header_timer)
        self._header_timer = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def make_server(
    app: ASGIApp, *, most_connections: int = MOST_CONNECTIONS, grace: float = 1.0
) -> uvicorn.Server:
    """Returns a server of an application, for `run(sockets=[...])`.

    Args:
        app: what `make_app` or `make_service` gives.
        most_connections: connections at a time; further ones are refused.
        grace: seconds that the requests at hand have to end after a signal.
    """
    config = uvicorn.Config(
        app,
        http=TimedProtocol,
        log_level="critical",  # the application logs its own faults, one time each
        access_log=False,
        lifespan="on",
        ws="none",
        proxy_headers=False,  # else a client could say that it is another
        server_header=False,
        limit_concurrency=most_connections,
        timeout_graceful_shutdown=grace,  # type: ignore[arg-type]  # seconds, any number
    )
    return uvicorn.Server(config)
