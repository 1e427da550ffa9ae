"""The server's connections, over real sockets of this computer."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest

from zoo.serve import connections
from zoo.serve.connections import MOST_CONNECTIONS, make_server

LIMIT = 0.8  # seconds, of the tests
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def application(scope, receive, send):
    """Answers "/" at once, "/slow" late, and "/long" with more than any buffer holds."""
    if scope["type"] == "lifespan":
        for answer in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{answer}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
    if scope["path"] == "/slow":
        await asyncio.sleep(3 * LIMIT)
    for _ in range(1000 if scope["path"] == "/long" else 0):
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
    await send({"type": "http.response.body", "body": b"done"})


@pytest.fixture
def server(monkeypatch):
    """A server that runs in a thread; its limits are short."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", LIMIT)
    monkeypatch.setattr(connections, "READER_SECONDS", LIMIT)
    server = make_server(application)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        server.address = listening.getsockname()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield server
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def connect(server):
    return socket.create_connection(server.address, timeout=20)


def ask(server, request=GET):
    """Returns the status of one answer, which is read to its end."""
    with connect(server) as client:
        client.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert b"done" in answer
    return int(answer.split()[1])


def read_answer(client):
    """Reads one answer of "/" to its last chunk, however many pieces it comes in."""
    answer = b""
    while not answer.endswith(b"\r\n0\r\n\r\n"):
        piece = client.recv(65536)
        assert piece, f"the connection ended after {answer!r}"
        answer += piece
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"done" in answer


def seconds_until_cut(client):
    """Reads until the server ends the connection."""
    start = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while client.recv(65536):
            pass
    return time.monotonic() - start


def test_as_many_connections_as_are_allowed_are_answered():
    server = make_server(application, most_connections=1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server.address = listening.getsockname()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with connect(server) as first:
                first.sendall(GET)
                read_answer(first)
                with connect(server) as second:
                    second.sendall(GET)
                    assert second.recv(65536).startswith(b"HTTP/1.1 503")
        finally:
            server.should_exit = True
            thread.join(20)
    assert not thread.is_alive()


def drip(client, byte):
    """Sends a byte now and then, for much longer than anything may last."""
    for _ in range(100):
        client.sendall(byte)
        time.sleep(LIMIT / 5)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: local"], ids=["nothing", "half"])
def test_connections_that_do_nothing_keep_nobody_out(server, sent):
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(server)) for _ in range(MOST_CONNECTIONS)]
        for client in idle:
            client.sendall(sent)
        for client in idle:
            assert seconds_until_cut(client) < 10
        assert ask(server) == 200


def test_a_header_that_comes_drop_by_drop_is_not_waited_for(server):
    with connect(server) as client, pytest.raises(ConnectionError):
        drip(client, b"G")


def test_half_a_header_after_an_answer_is_not_waited_for(server):
    with connect(server) as client:
        client.sendall(GET)
        read_answer(client)
        client.sendall(GET[:20])
        assert seconds_until_cut(client) < 10


def test_a_body_that_nobody_reads_is_not_waited_for(server):
    with connect(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n")
        with pytest.raises(ConnectionError):
            drip(client, b"x")


def test_an_answer_may_take_longer_than_a_header(server):
    assert ask(server, GET.replace(b"/ ", b"/slow ")) == 200


def test_requests_that_follow_in_time_are_all_answered(server):
    with connect(server) as client:
        for _ in range(5):  # together they take longer than a header may
            client.sendall(GET)
            read_answer(client)
            time.sleep(LIMIT / 4)


def test_a_reader_who_does_not_read_is_not_waited_for(server):
    with connect(server) as client:
        client.sendall(GET.replace(b"/ ", b"/long "))
        deadline = time.monotonic() + 20
        for is_open in (True, False):
            while bool(server.server_state.connections) != is_open:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        received = 0
        with contextlib.suppress(ConnectionError):
            while piece := client.recv(1 << 20):
                received += len(piece)
        assert received < 100_000_000


def test_a_slow_reader_gets_all(server):
    with connect(server) as client:
        client.sendall(
            GET.replace(b"/ ", b"/long ").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        received, pause = 0, 4 * LIMIT / 100
        while piece := client.recv(1 << 20):
            received += len(piece)
            time.sleep(pause if received < 90_000_000 else 0)
    assert received > 100_000_000
