"""Limits the number of connections of a server, and the time that each may be silent.

uvicorn itself waits without end for the header of a request, and for a client that does not read
its answer. A few silent connections would then keep everybody else out.
"""

import asyncio
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 64
HEADER_SECONDS = 10.0  # for a whole header, from the connection or the last answer on
READER_SECONDS = 10.0  # for a client that reads nothing of its answer


class TimedProtocol(H11Protocol):
    """One connection, which is closed if its client keeps it waiting.

    The time for a header does not start again when a part of the header arrives. It does not run
    while a request is answered: the body has a time limit of its own, and an answer may take long.
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
        """Ends the time for a header if the header is now complete."""
        super().data_received(data)
        if self._is_answering():
            _stop(self._header_timer)

    def on_response_complete(self) -> None:
        """Starts the time for the next header, unless the next request has arrived."""
        super().on_response_complete()
        if not self._is_answering():
            self._wait_for_header()

    def pause_writing(self) -> None:
        """Starts the time in which the client must read something."""
        super().pause_writing()
        self._reader_timer = self.loop.call_later(READER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Ends the time in which the client must read something."""
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
    """Returns a server of an application, which `run(sockets=[...])` starts.

    Args:
        app: the result of `make_app` or `make_service`.
        most_connections: the number of connections at a time. A request on a further connection is
            answered by uvicorn itself with the status 503 and a line of plain text.
        grace: seconds that running requests get to end after a signal.
    """
    config = uvicorn.Config(
        app,
        http=TimedProtocol,
        log_level="critical",  # the application logs each of its faults once
        access_log=False,
        lifespan="on",
        ws="none",
        proxy_headers=False,  # otherwise a client could claim another address
        server_header=False,
        limit_concurrency=most_connections + 1,  # uvicorn counts the connection that asks, too
        timeout_graceful_shutdown=grace,  # type: ignore[arg-type]  # seconds, any number
    )
    return uvicorn.Server(config)
