"""SIGTERM and Ctrl-C are noted, not obeyed at once, and only while a run asks for that."""

import signal
import threading

import pytest

from zoo.training.signals import stop_signals

BOTH = (signal.SIGTERM, signal.SIGINT)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_is_noted_and_the_program_goes_on(number):
    with stop_signals() as received:
        assert received == []
        signal.raise_signal(number)
        assert received == [number]


@pytest.mark.parametrize("first", BOTH)
def test_a_second_ctrl_c_interrupts_at_once(first):
    with stop_signals():
        signal.raise_signal(first)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_second_sigterm_does_no_harm():
    with stop_signals() as received:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert received == [signal.SIGTERM] * 2


@pytest.mark.parametrize("number", BOTH)
def test_the_handlers_of_before_come_back_also_after_an_error(number):
    called = []
    before = signal.signal(number, lambda *_: called.append(number))
    try:
        with pytest.raises(RuntimeError), stop_signals():
            raise RuntimeError("something else")
        with stop_signals():
            signal.raise_signal(number)
        assert called == []
        signal.raise_signal(number)
        assert called == [number]
    finally:
        signal.signal(number, before)


def test_in_another_thread_signals_are_left_alone():
    handlers, lists = [signal.getsignal(number) for number in BOTH], []

    def enter():
        with stop_signals() as received:
            lists.append(received)
            assert [signal.getsignal(number) for number in BOTH] == handlers

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert lists == [[]]
