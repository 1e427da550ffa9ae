"""What keeps the server to its work."""

import asyncio
import json
import math
import threading

import pytest

from zoo.serve import limits
from zoo.serve.fields import MAX_CHARACTERS, Fields
from zoo.serve.guard import is_own_host
from zoo.serve.limits import RateLimit, Refused, Turns, while_awaited


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_bucket_empties_and_fills_again():
    clock = Clock()
    limit = RateLimit(burst=3, per_second=0.5, clock=clock)
    assert [limit.wait_seconds("a") for _ in range(4)] == [0, 0, 0, 2]
    assert limit.wait_seconds("b") == 0
    clock.now += 1
    assert limit.wait_seconds("a") == 1
    clock.now += 1
    assert [limit.wait_seconds("a"), limit.wait_seconds("a")] == [0, 2]
    clock.now += 1000
    assert [limit.wait_seconds("a") for _ in range(4)] == [0, 0, 0, 2]


def test_the_addresses_that_are_remembered_are_bounded(monkeypatch):
    monkeypatch.setattr(limits, "MOST_ADDRESSES", 2)
    limit = RateLimit(burst=1, per_second=1, clock=Clock())
    assert [limit.wait_seconds(address) for address in "abc"] == [0, 0, 0]
    assert limit.wait_seconds("c") == 1
    assert limit.wait_seconds("a") == 0  # forgotten


def test_one_computation_at_a_time_and_few_wait():
    turns, release, running = Turns(most_waiting=2), threading.Event(), []

    def work(number):
        running.append(number)
        assert len(running) == 1
        release.wait(10)
        running.remove(number)
        return number

    async def everything():
        tasks = [asyncio.create_task(turns.run(work, number)) for number in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(Refused, match="busy") as refused:
            await turns.run(work, 3)
        assert refused.value.status == 503
        release.set()
        assert await asyncio.gather(*tasks) == [0, 1, 2]
        assert await turns.run(work, 4) == 4

    asyncio.run(everything())
    turns.close()


def test_a_stream_gives_what_is_made_and_ends_when_its_reader_leaves():
    turns, made = Turns(), []

    def endless():
        while True:
            made.append(len(made))
            yield made[-1] + 1

    async def everything():
        assert [item async for item in turns.stream(iter([1, 2, 3]))] == [1, 2, 3]
        stream = turns.stream(endless())
        assert await anext(stream) == 1
        await stream.aclose()
        assert await turns.run(lambda: "next") == "next"
        num_made = len(made)
        await turns.run(lambda: None)
        assert len(made) == num_made

    asyncio.run(everything())
    turns.close()


def test_who_leaves_the_line_is_not_served_and_gives_his_place_away():
    turns, release, served = Turns(most_waiting=1), threading.Event(), []

    def texts():
        served.append("text")
        yield "text"

    async def everything():
        working = asyncio.create_task(turns.run(release.wait, 10))
        for work in (turns.run(served.append, "run"), anext(turns.stream(texts()))):
            waiting = asyncio.ensure_future(work)
            await asyncio.sleep(0.02)
            with pytest.raises(Refused, match="busy"):
                await turns.run(served.append, "refused")
            waiting.cancel()
            await asyncio.wait([waiting])
        last = asyncio.create_task(turns.run(served.append, "last"))
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(working, last)

    asyncio.run(everything())
    turns.close()
    assert served == ["last"]


class Client:
    """A request whose client goes away when he is told to."""

    def __init__(self):
        self.gone = asyncio.Event()

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}


def test_work_is_cancelled_when_its_client_goes_away():
    ends = []

    async def work(seconds):
        try:
            await asyncio.sleep(seconds)
            ends.append("done")
            return "answer"
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    async def everything():
        client = Client()
        assert await while_awaited(client, work(0)) == "answer"
        asyncio.get_running_loop().call_later(0.02, client.gone.set)
        with pytest.raises(Refused) as refused:
            await while_awaited(client, work(20))
        assert refused.value.status == 499
        outer = asyncio.create_task(while_awaited(Client(), work(20)))
        await asyncio.sleep(0.02)
        outer.cancel()
        await asyncio.wait([outer])
        assert outer.cancelled()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(everything())
    assert ends == ["done", "cancelled", "cancelled"]


def test_a_fault_in_work_that_is_awaited_comes_out_of_it():
    async def fail():
        raise ZeroDivisionError

    async def everything():
        with pytest.raises(ZeroDivisionError):
            await while_awaited(Client(), fail())

    asyncio.run(everything())


def test_a_fault_in_a_stream_comes_out_of_it():
    turns = Turns()

    def broken():
        yield 1
        raise ZeroDivisionError

    async def everything():
        stream = turns.stream(broken())
        assert await anext(stream) == 1
        with pytest.raises(ZeroDivisionError):
            await anext(stream)

    asyncio.run(everything())
    turns.close()


@pytest.mark.parametrize(
    ("header", "bound", "is_own"),
    [
        ("localhost", "127.0.0.1", True),
        ("LOCALHOST:8765", "127.0.0.1", True),
        ("127.0.0.1:1", "127.0.0.1", True),
        ("[::1]:8765", "::1", True),
        ("[::1]", "::1", True),
        ("", "127.0.0.1", False),
        ("evil.example:8765", "127.0.0.1", False),
        ("localhost.evil.example", "127.0.0.1", False),
        ("127.0.0.1.evil.example:8765", "127.0.0.1", False),
        ("192.0.2.7", "127.0.0.1", False),
        ("192.0.2.7:8765", "192.0.2.7", True),
        ("192.0.2.7:8765", "0.0.0.0", True),
        ("[2001:db8::1]:8765", "::", True),
        ("evil.example", "0.0.0.0", False),
    ],
)
def test_only_the_servers_own_names_are_answered(header, bound, is_own):
    assert is_own_host(header, bound) == is_own


def refusal(body, take):
    with pytest.raises(Refused) as refused:
        take(Fields(body if isinstance(body, bytes) else json.dumps(body).encode()))
    assert "\n" not in refused.value.reason
    return refused.value.status, refused.value.reason


@pytest.mark.parametrize(
    ("body", "take", "status", "reason"),
    [
        (b"", lambda fields: None, 400, "not valid JSON"),
        (b"\xff", lambda fields: None, 400, "not valid JSON"),
        (b'{"a": 1, "a": 2}', lambda fields: None, 400, "the key 'a' occurs twice; keep one"),
        (b'{"a": NaN}', lambda fields: None, 400, "not valid JSON"),
        (b"[" * 30_000, lambda fields: None, 400, "not valid JSON"),
        ([], lambda fields: None, 400, "not an object"),
        ({}, lambda fields: fields.text("text"), 400, "field text is missing"),
        ({"text": 3}, lambda fields: fields.text("text"), 400, "text is 3; it must be a text"),
        (b'{"text": "\\ud800"}', lambda fields: fields.text("text"), 400, "half a character"),
        (
            {"text": "x" * (MAX_CHARACTERS + 1)},
            lambda fields: fields.text("text"),
            413,
            "2,001 characters; send at most 2,000",
        ),
        ({"x": True}, lambda fields: fields.number("x", 0, 0, 9), 400, "must be a number"),
        ({"x": "1"}, lambda fields: fields.number("x", 0, 0, 9), 400, 'x is "1"'),
        ({"x": None}, lambda fields: fields.number("x", 0, 0, 9), 400, "x is null"),
        ({"x": 9.5}, lambda fields: fields.number("x", 0, 0, 9), 400, "use 0 to 9"),
        (b'{"x": 1e999}', lambda fields: fields.number("x", 0, 0, 9), 400, "use 0 to 9"),
        ({"x": 1.0}, lambda fields: fields.whole("x", 0, 0, 9), 400, "a whole number"),
        ({"x": 10**300}, lambda fields: fields.whole("x", 0, 0, 9), 400, "...; use 0 to 9"),
        ({"x": 3}, lambda fields: fields.choice("x", 2, (2, 4)), 400, "choose one of 2, 4"),
        ({"x": [1]}, lambda fields: fields.weights("x"), 400, "an object of weights"),
        ({"x": {"a": -1}}, lambda fields: fields.weights("x"), 400, "an object of weights"),
        ({"x": {"a": "1"}}, lambda fields: fields.weights("x"), 400, "an object of weights"),
        ({"x": {"a": 0}}, lambda fields: fields.weights("x"), 400, "all weights of x are 0"),
        ({"x": {}}, lambda fields: fields.weights("x"), 400, "all weights of x are 0"),
        ({"y": 1}, lambda fields: fields.finish(), 400, '"y" is not a field'),
    ],
)
def test_what_is_wrong_with_a_field_is_told(body, take, status, reason):
    found = refusal(body, take)
    assert found[0] == status
    assert reason in found[1]


def test_a_number_without_bounds_is_what_a_float_can_hold():
    fields = Fields(b'{"a": 1e999, "b": %s, "c": -%s, "d": 2}' % (b"9" * 400, b"9" * 400))
    assert [fields.number(name, 0.0) for name in "abcd"] == [math.inf, math.inf, -math.inf, 2.0]


def test_weights_are_scaled():
    assert Fields(b'{"x": {"a": 1, "b": 3.0}}').weights("x") == {"a": 0.25, "b": 0.75}
