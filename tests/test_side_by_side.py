"""Calls in several threads: all results come, in order, and faults and devices are heeded."""

import os
import subprocess
import sys
import threading

import jax
import numpy as np
import pytest
from tiny_run import environment_with

from zoo import side_by_side as module
from zoo.side_by_side import num_side_by_side, row_groups, side_by_side


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)


def test_calls_run_at_the_same_time_and_come_in_order():
    meeting = threading.Barrier(4, timeout=60)

    def call(number):
        meeting.wait()  # ends only when four calls have come here
        return number, threading.get_ident()

    found = list(side_by_side(call, range(8), {}))
    assert [number for number, _ in found] == list(range(8))
    assert len({thread for _, thread in found}) > 1


def test_one_item_is_computed_in_the_callers_thread():
    assert list(side_by_side(lambda _: threading.get_ident(), [0], {})) == [threading.get_ident()]


def test_no_item_is_no_result():
    assert list(side_by_side(str, [], {})) == []


def test_an_error_ends_the_calls_that_have_not_begun():
    begun, may_go_on = [], threading.Event()

    def call(number):
        begun.append(number)
        if number == 0:
            raise ValueError("the first call")
        may_go_on.wait(60)

    results = side_by_side(call, range(100), {})
    threading.Timer(0.2, may_go_on.set).start()
    with pytest.raises(ValueError, match="the first call"):
        next(results)
    assert len(begun) < 100


ON_TWO_DEVICES = """
import jax, numpy, os
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from zoo.side_by_side import num_side_by_side

os.cpu_count = lambda: 4
everywhere = NamedSharding(Mesh(numpy.array(jax.devices()), ("data",)), PartitionSpec())
values = numpy.zeros(4)
print([num_side_by_side({"a": jax.device_put(values, to)}) for to in (None, everywhere)])
"""


def test_programs_of_several_devices_run_one_after_the_other():
    """Two programs that wait for each other on two devices would wait for ever."""
    command = [sys.executable, "-c", ON_TWO_DEVICES]
    assert subprocess.check_output(command, env=environment_with(2), text=True) == "[4, 1]\n"


def test_programs_of_several_processes_run_one_after_the_other(monkeypatch):
    assert num_side_by_side({"a": np.zeros(2), "b": jax.numpy.zeros(2)}) == 4
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    assert num_side_by_side({"a": np.zeros(2)}) == 1


@pytest.mark.parametrize(
    ("num_rows", "least", "sizes"),
    [
        (1, 32, [1]),
        (63, 32, [63]),
        (64, 32, [32, 32]),
        (65, 32, [33, 32]),
        (100, 32, [34, 34, 32]),
        (1000, 32, [250] * 4),
    ],
)
def test_groups_have_nearly_one_size_and_all_rows(num_rows, least, sizes):
    groups = row_groups(num_rows, least, {})
    assert [len(group) for group in groups] == sizes
    assert [row for group in groups for row in group] == list(range(num_rows))


def test_no_more_calls_than_most_threads(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert num_side_by_side({}) == module._MOST_THREADS
