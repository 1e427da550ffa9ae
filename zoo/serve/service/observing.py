"""Observes the requests of a service: gives each a number, logs it, and updates the metrics.

A line of the log is a JSON object. The line holds neither the texts of a request nor its token.
"""

import json
import logging
import secrets
import sys
import time
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zoo.serve.failing import LOGGER
from zoo.serve.service.metrics import Metrics

_OTHER = "other"
_FIELDS = "zoo_fields"


class JsonLines(logging.Formatter):
    """Formats each log record as a JSON object in one line.

    Example:
        >>> record = logging.LogRecord("zoo", logging.INFO, "", 0, "it is ready", (), None)
        >>> sorted(json.loads(JsonLines().format(record)))
        ['event', 'level', 'time']
    """

    def format(self, record: logging.LogRecord) -> str:
        """Returns one line of ASCII, which holds nothing that a terminal would obey."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_json_lines() -> None:
    """Makes the server write its log to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def tell(event: str, **fields: object) -> None:
    """Writes a line to the log."""
    LOGGER.info(event, extra={_FIELDS: fields})


class Observer:
    """An ASGI application around another one, which counts, times and logs its requests.

    Every answer has a number in its header X-Request-Id. The log holds the same number.

    Args:
        app: the application.
        metrics: count the requests.
        paths: the paths of the application. All other paths are counted together.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Iterable[str]):
        self._app, self._metrics, self._paths = app, metrics, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number, started = secrets.token_hex(8), time.perf_counter()
        status = 500

        async def send_with_number(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = number
            await send(message)

        try:
            await self._app(scope, receive, send_with_number)
        finally:
            seconds = time.perf_counter() - started
            path = scope["path"] if scope["path"] in self._paths else _OTHER
            self._metrics.requests.labels(path=path, status=status).inc()
            self._metrics.seconds.labels(path=path).observe(seconds)
            client = scope["client"][0] if scope.get("client") else ""
            tell(
                "request",
                id=number,
                client=client,
                method=scope["method"],
                path=scope["path"][:200],
                status=status,
                seconds=round(seconds, 4),
            )
