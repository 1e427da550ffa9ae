"""Stands before the server: who may ask, how often, and what every answer tells the browser."""

import ipaddress
import math
import socket
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zoo.serve.limits import RateLimit

_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """An ASGI application around another.

    A request whose Host header has another name than the server's is refused: so a page of
    another site can't reach the server by a name of its own that it lets point here (DNS
    rebinding). A POST whose body is not JSON is refused as well: a page of another site can send
    no other unasked. So is a request whose Origin header names another site. The POST requests
    that are left are limited for each client address, so that other sites use up nothing of what
    the user may ask.

    Args:
        app: the application.
        host: the address that the server is bound to.
        rate_limit: how often a client may POST; None for no limit.
        more_hosts: further names of the server.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        rate_limit: RateLimit | None,
        more_hosts: Sequence[str] = (),
    ):
        self._app = app
        self._host = host
        self._rate_limit = rate_limit
        self._more_hosts = [name.lower() for name in more_hosts]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request itself, or lets the application answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        app = self._refusal(scope) or self._app
        await app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        """What is answered instead; None where nothing is wrong."""
        headers = Headers(scope=scope)
        if not self._is_own(headers.get("host", "")):
            reason = "the Host header names another server; open the address that this one printed"
            return JSONResponse({"error": reason}, 400)
        is_post = scope["method"] == "POST"
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if is_post and kind != "application/json":
            reason = "the body has to be JSON; say Content-Type: application/json"
            return JSONResponse({"error": reason}, 415)
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin.partition("://")[2]):
            return JSONResponse({"error": "a page of another site can't ask this server"}, 403)
        return self._refusal_by_rate(scope) if is_post else None

    def _is_own(self, header: str) -> bool:
        """Whether a name, with or without a port, is this server's."""
        return is_own_host(header, self._host) or _host_name(header) in self._more_hosts

    def _refusal_by_rate(self, scope: Scope) -> JSONResponse | None:
        """As `_refusal`. Only a request that the page itself might send counts for the limit."""
        client = scope["client"][0] if scope.get("client") else ""
        if self._rate_limit and (wait := self._rate_limit.wait_seconds(client)):
            seconds = math.ceil(wait)
            reason = f"too many requests; try again in {seconds} s"
            return JSONResponse({"error": reason}, 429, {"Retry-After": str(seconds)})
        return None


def is_own_host(header: str, host: str) -> bool:
    """Whether a Host header names this server.

    Args:
        header: a name or an address, with or without a port.
        host: the address that the server is bound to; of one that stands for all of the machine's,
            any address will do, since nobody can rebind it, and the machine's name.

    Example:
        >>> [is_own_host(header, "127.0.0.1") for header in ("localhost:8765", "evil.example")]
        [True, False]
        >>> is_own_host("192.0.2.7:80", "0.0.0.0"), is_own_host("[::1]:80", "::1")
        (True, True)
    """
    name = _host_name(header)
    if name in (*_LOCAL_NAMES, host.lower()):
        return True
    return host in ("0.0.0.0", "::") and (_is_address(name) or name == socket.gethostname().lower())


def _host_name(header: str) -> str:
    """The name or address in a Host header, without its port."""
    name, colon, port = header.rpartition(":")
    if not colon or not port.isdecimal():
        name = header
    return name.removeprefix("[").removesuffix("]").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
