"""What a client is told when the models are slow, busy or broken."""

import asyncio
import json

import httpx
import pytest

from zoo.serve.limits import Refused
from zoo.serve.service import app
from zoo.serve.service.batches import BUSY
from zoo.serve.service.engine import Engine as RealEngine
from zoo.serve.service.metrics import Metrics
from zoo.serve.service.settings import ServiceSettings
from zoo.serve.service.writing import Piece

GENERATE = {"model": "lstm", "prompts": ["a"]}


class Engine:
    """Stands for the models: does what a test says."""

    is_ready = True

    def __init__(self, models, settings, metrics):
        pass

    async def ask(self, name, texts, how=None):
        return await self.act()

    async def write(self, name, prompts, settings):
        if self.first:
            yield Piece(0, "first", 1, False)
        await self.act()

    first = False


@pytest.fixture
def post(served, monkeypatch):
    """Posts a request to a service whose engine does something."""

    def ask(act, path, record, *, first=False, **settings):
        monkeypatch.setattr(app, "Engine", Engine)
        monkeypatch.setattr(Engine, "act", lambda self: act(), raising=False)
        monkeypatch.setattr(Engine, "first", first)
        service = app.make_service(
            served, ServiceSettings(**settings), host="x", version="1", give_up=pytest.fail
        )

        async def send():
            transport = httpx.ASGITransport(service, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.post(f"http://127.0.0.1{path}", json=record)

        return asyncio.run(send())

    return ask


async def sleep():
    await asyncio.sleep(20)


async def be_busy():
    raise Refused(503, BUSY)


async def fail():
    raise ZeroDivisionError("inside /a/path")


REQUESTS = [
    ("/v1/generate", GENERATE),
    ("/v1/generate", {**GENERATE, "stream": True}),
    ("/v1/classify", {"texts": ["a"]}),
    ("/v1/translate", {"texts": ["a"]}),
]


@pytest.mark.parametrize(("path", "record"), REQUESTS)
@pytest.mark.parametrize(
    ("act", "status", "told"),
    [
        (sleep, 504, "the answer took longer than 0.05 s; ask for fewer texts or tokens"),
        (be_busy, 503, BUSY),
        (fail, 500, "the server failed; its log says why"),
    ],
)
def test_what_goes_wrong_before_an_answer_has_a_status(post, act, status, told, path, record):
    answer = post(act, path, record, timeout=0.05)
    assert (answer.status_code, answer.json()) == (status, {"error": told})
    assert ("Retry-After" in answer.headers) == (status == 503)


@pytest.mark.parametrize(
    ("act", "told"),
    [(sleep, "took too long"), (fail, "the server failed; its log says why")],
)
def test_what_goes_wrong_in_a_stream_is_its_last_event(post, caplog, act, told):
    answer = post(act, "/v1/generate", {**GENERATE, "stream": True}, first=True, timeout=0.05)
    assert answer.status_code == 200
    *_, piece, last = answer.text.strip().split("\n\n")
    assert json.loads(piece.partition("data: ")[2])["text"] == "first"
    assert last.startswith("event: error\n")
    assert told in json.loads(last.partition("data: ")[2])["error"]
    assert ("ZeroDivisionError" in caplog.text) == (act is fail)


def test_a_service_that_cannot_compile_gives_up(served, monkeypatch, caplog):
    class Broken(Engine):
        def start(self):
            pass

        async def compile(self):
            raise ZeroDivisionError

        async def close(self):
            pass

    monkeypatch.setattr(app, "Engine", Broken)
    given_up = asyncio.Event()
    service = app.make_service(
        served, ServiceSettings(), host="x", version="1", give_up=given_up.set
    )

    async def live():
        received = asyncio.Queue()
        received.put_nowait({"type": "lifespan.startup"})

        async def send(message):
            if message["type"] == "lifespan.startup.complete":
                await asyncio.wait_for(given_up.wait(), 20)
                received.put_nowait({"type": "lifespan.shutdown"})

        await service({"type": "lifespan", "app": service, "state": {}}, received.get, send)

    asyncio.run(live())
    assert "the models cannot be compiled" in caplog.text


def test_a_model_whose_task_ends_makes_the_service_not_ready(served, caplog):
    async def live():
        engine = RealEngine(served, ServiceSettings(), Metrics())
        engine.is_ready = True

        async def broken():
            raise ZeroDivisionError

        for batches in engine._batches.values():
            batches.run = broken
        engine.start()
        await asyncio.sleep(0.01)
        assert not engine.is_ready
        await engine.close()

    asyncio.run(live())
    assert "a model answers no more" in caplog.text
