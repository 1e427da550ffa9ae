"""SIGTERM and Ctrl-C as requests to stop, which the loop answers when the run can be saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Yields a list that SIGTERM or a first Ctrl-C adds to; a second Ctrl-C interrupts at once.

    Example:
        >>> with stop_signals() as received:
        ...     signal.raise_signal(signal.SIGTERM)
        ...     bool(received)
        True
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {}
    with suppress(ValueError):  # outside the main thread, signals belong to another part
        for number in (signal.SIGTERM, signal.SIGINT):
            before[number] = signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
