"""Texts that wait together: which of them run together, and who gets what."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from zoo.serve.limits import Refused
from zoo.serve.service.batches import BUSY, Batches


def run(scenario, **options):
    """Runs a scenario with batches whose work shouts; gives the texts of each call."""
    calls = []

    def work(texts, how):
        calls.append((list(texts), how))
        if "bad" in texts:
            raise ZeroDivisionError
        return [text.upper() for text in texts]

    async def everything():
        with ThreadPoolExecutor(1) as thread:
            settings = {"sizes": (1, 4), "patience": 0.05, "most_waiting": 6, **options}
            batches = Batches(work, thread, **settings)
            running = asyncio.create_task(batches.run())
            try:
                await asyncio.wait_for(scenario(batches), 20)
            finally:
                running.cancel()
                await asyncio.wait([running])

    asyncio.run(everything())
    return calls


def test_texts_that_arrive_together_run_together_and_each_asker_gets_his_own():
    async def scenario(batches):
        asked = [batches.ask([f"{number}a", f"{number}b"]) for number in range(3)]
        assert await asyncio.gather(*asked) == [["0A", "0B"], ["1A", "1B"], ["2A", "2B"]]

    calls = run(scenario)
    assert calls == [(["0a", "0b", "1a", "1b"], None), (["2a", "2b", "", ""], None)]


def test_a_text_alone_does_not_wait():
    async def scenario(batches):
        assert await batches.ask(["a"]) == ["A"]
        assert await batches.ask(["b"]) == ["B"]

    assert run(scenario, patience=1000.0) == [(["a"], None), (["b"], None)]


def test_a_text_waits_for_others_where_there_were_others_but_no_longer_than_the_patience():
    async def scenario(batches):
        assert await asyncio.gather(batches.ask(["a"]), batches.ask(["b"])) == [["A"], ["B"]]
        first = asyncio.create_task(batches.ask(["c"]))
        await asyncio.sleep(0.01)
        assert await asyncio.gather(first, batches.ask(["d"])) == [["C"], ["D"]]
        assert await batches.ask(["e"]) == ["E"]

    calls = run(scenario, patience=0.5)
    assert [texts for texts, _ in calls] == [["a", "b", "", ""], ["c", "d", "", ""], ["e"]]


def test_a_full_batch_does_not_wait():
    async def scenario(batches):
        assert await batches.ask(["a"] * 4) == ["A"] * 4

    assert run(scenario, patience=1000.0) == [(["a"] * 4, None)]


def test_texts_that_are_asked_in_another_way_have_a_batch_of_their_own():
    async def scenario(batches):
        asked = [batches.ask([text], how) for text, how in (("a", 1), ("b", 2), ("c", 1))]
        assert await asyncio.gather(*asked) == [["A"], ["B"], ["C"]]

    assert run(scenario) == [(["a", "c", "", ""], 1), (["b"], 2)]


def test_too_many_are_refused_and_the_others_are_answered():
    async def scenario(batches):
        first = asyncio.create_task(batches.ask(["a"] * 5))
        await asyncio.sleep(0)
        with pytest.raises(Refused) as refused:
            await batches.ask(["b"] * 2)
        assert (refused.value.status, refused.value.reason) == (503, BUSY)
        assert await first == ["A"] * 5

    run(scenario)


def test_a_text_of_who_left_is_not_computed():
    async def scenario(batches):
        left = asyncio.create_task(batches.ask(["left"]))
        stays = asyncio.create_task(batches.ask(["stays"]))
        await asyncio.sleep(0)
        left.cancel()
        assert await stays == ["STAYS"]
        assert batches.num_waiting == 0

    assert run(scenario) == [(["stays"], None)]


def test_who_leaves_makes_room_at_once():
    async def scenario(batches):
        first = asyncio.create_task(batches.ask(["a"]))
        left = asyncio.create_task(batches.ask(["left"] * 3))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert batches.num_waiting <= 1
        await first

    run(scenario)


def test_a_fault_is_told_to_all_of_its_batch_and_the_next_one_runs():
    async def scenario(batches):
        asked = [batches.ask(["a", "bad"]), batches.ask(["b"])]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in found] == [ZeroDivisionError] * 2
        assert await batches.ask(["c"]) == ["C"]

    run(scenario)
