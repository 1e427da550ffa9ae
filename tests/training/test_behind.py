"""What runs behind the training is done in order, one at a time, and its errors are not lost."""

import threading
import time

import pytest

from zoo.errors import UserError
from zoo.training.behind import Behind


def fail():
    raise UserError("the disk is full")


def look_until(behind, is_over):
    """Looks again and again, for half a minute at most."""
    end = time.monotonic() + 30
    while not is_over() and time.monotonic() < end:
        behind.look()


def test_actions_are_done_in_order_and_one_group_at_a_time():
    done, open_door = [], threading.Event()

    def first():
        open_door.wait(30)
        done.append("first")

    with Behind() as behind:
        behind.start(first, lambda: done.append("second"))
        behind.look()  # nothing has ended: nothing begins
        assert done == []
        open_door.set()
        behind.start(lambda: done.append("third"))
        assert done[:2] == ["first", "second"]
    assert done == ["first", "second", "third"]


def test_a_look_begins_the_next_action_once_the_one_before_has_ended():
    ended = threading.Event()
    with Behind() as behind:
        behind.start(lambda: None, ended.set)
        look_until(behind, ended.is_set)
    assert ended.is_set()


@pytest.mark.parametrize("ask", [Behind.wait, lambda behind: behind.start(lambda: None)])
def test_an_error_is_raised_at_the_next_call_and_what_follows_is_dropped(ask):
    done = []
    behind = Behind()
    behind.start(fail, lambda: done.append("never"))
    with pytest.raises(UserError, match="the disk is full"):
        ask(behind)
    behind.wait()
    assert done == []


def test_a_look_raises_the_error_without_waiting_for_the_next_save():
    behind = Behind()
    behind.start(fail)
    with pytest.raises(UserError, match="the disk is full"):
        look_until(behind, lambda: False)


def test_the_error_that_ends_a_run_is_not_hidden_by_one_from_behind():
    def run():
        with Behind() as behind:
            behind.start(fail)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
