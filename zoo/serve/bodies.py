"""Reads the body of a request, which must be short and arrive without delay."""

import asyncio

from starlette.requests import Request

from zoo.serve.limits import Refused

BODY_SECONDS = 10.0


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Returns a request's body.

    Raises:
        Refused: The body is longer than `most_bytes`, or takes longer than BODY_SECONDS.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > most_bytes:
                    raise Refused(413, f"the body is too long; send at most {most_bytes:,} bytes")
    except TimeoutError:
        raise Refused(
            408, f"the body did not arrive within {BODY_SECONDS:g} s; send it again"
        ) from None
    return bytes(body)
