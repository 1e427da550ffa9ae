"""One attempt of the campaign: a call that must end in time, in little memory, and well.

A call ends well in two ways: it succeeds, or it raises a UserError of one line. Whatever else
happens is returned as a fault, in words, so that a test can count it and go on.
"""

import contextlib
import resource
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from zoo import terminal
from zoo.errors import UserError

SECONDS = 20  # for one attempt; on a busy machine the slowest take two or three
_ROOM = 6 * 2**30  # bytes of address space that an attempt may ask for
_LONGEST_LINE = 12_000  # characters: a value of the user's own may be long
_MOST_MEGABYTES = 700  # that the process may grow by in one attempt


class TooLong(BaseException):
    """An attempt did not end in time. No `except Exception` may hide that."""


def _ring(number: int, frame: Any) -> None:
    del number, frame
    raise TooLong


@contextlib.contextmanager
def within(seconds: int = SECONDS) -> Iterator[None]:
    """Raises TooLong inside after some seconds, and MemoryError where memory is asked for madly."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, _ring)
    resource.setrlimit(resource.RLIMIT_AS, (size + _ROOM, hard))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fault_of(
    call: Callable[[], Any], *, names: str = "", seconds: int = SECONDS
) -> tuple[str, bool]:
    """Runs a call and judges how it ended.

    Args:
        call: the attempt.
        names: what the line of a UserError must hold, such as the name of a file.
        seconds: the time that it may take.

    Returns:
        What is wrong, "" if nothing is; and whether the call was refused with a UserError.
    """
    peak = _peak_megabytes()
    try:
        with within(seconds), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except UserError as error:
        return fault_of_line(str(error), names), True
    except TooLong:
        return f"it took more than {seconds} s", False
    except MemoryError:
        return "", True  # asked for at once, and told in a line by zoo.terminal
    except Exception as error:  # what the campaign looks for
        if terminal._known(error):
            return "", True
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
        return f"{type(error).__name__}: {str(error)[:160]} ({where})", False
    grown = _peak_megabytes() - peak
    return (f"it took {grown:.0f} MB" if grown > _MOST_MEGABYTES else ""), False


def fault_of_line(line: str, names: str = "") -> str:
    """Returns what is wrong with the line of a UserError, "" if nothing is."""
    if "\n" in line.strip() or not line.strip():
        return f"it is not one line: {line[:160]!r}"
    if len(line) > _LONGEST_LINE:
        return f"its line has {len(line)} characters: {line[:160]!r}"
    if names and names not in line:
        return f"its line lacks {names!r}: {line[:160]!r}"
    return ""
