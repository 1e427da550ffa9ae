"""Guards a server: checks the sender and the rate of requests, and adds headers to all answers."""

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
    """An ASGI application around another one, which refuses requests that others may have caused.

    A request is refused if its Host header does not name this server. Otherwise a page of another
    site could reach the server by a name of its own that leads here (DNS rebinding). A POST
    request is refused if its body is not JSON, because a page of another site can send other
    bodies unasked. A request is also refused if its Origin header names another site. The other
    POST requests are limited for each client address. Requests that were refused do not count for
    this limit, so other sites cannot use up the requests of the user.

    Args:
        app: the application.
        host: the address that the server is bound to.
        rate_limit: the limit of each client's POST requests; None for no limit.
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
        """Returns the answer to a refused request, or None if the request is not refused."""
        headers = Headers(scope=scope)
        if not self._is_own(headers.get("host", "")):
            reason = (
                "the Host header names another server; open the address that this server printed"
            )
            return JSONResponse({"error": reason}, 400)
        is_post = scope["method"] == "POST"
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if is_post and kind != "application/json":
            reason = "the body must be JSON; send the header Content-Type: application/json"
            return JSONResponse({"error": reason}, 415)
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin.partition("://")[2]):
            reason = "a page of another site cannot use this server; open the server's own page"
            return JSONResponse({"error": reason}, 403)
        return self._refusal_by_rate(scope) if is_post else None

    def _is_own(self, header: str) -> bool:
        """Returns whether a name, with or without a port, is a name of this server."""
        return is_own_host(header, self._host) or _host_name(header) in self._more_hosts

    def _refusal_by_rate(self, scope: Scope) -> JSONResponse | None:
        """Returns the answer to a client that sends too many requests, or None."""
        client = scope["client"][0] if scope.get("client") else ""
        if self._rate_limit and (wait := self._rate_limit.wait_seconds(client)):
            seconds = math.ceil(wait)
            reason = f"too many requests; try again in {seconds} s"
            return JSONResponse({"error": reason}, 429, {"Retry-After": str(seconds)})
        return None


def is_own_host(header: str, host: str) -> bool:
    """Returns whether a Host header names this server.

    Args:
        header: a name or an address, with or without a port.
        host: the address that the server is bound to. If it stands for all addresses of the
            machine, any address is accepted, since nobody can rebind an address. So is the name of
            the machine.

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
    """Returns the name or address in a Host header without the port."""
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
