"""The output of commands: no control characters, and one line for every kind of end.

A token, a label or a card may have any character. Control characters could move the cursor, colour
the screen, set its title or change the direction of writing. They are written as their numbers,
such as \\u001b.
"""

import os
import shlex
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TextIO

from zoo.errors import Note, UserError

EXIT_UNEXPECTED = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as in shells
EXIT_TERMINATED = 143  # 128 + SIGTERM

_Handler = Callable[[int, FrameType | None], object]  # of a signal
_MOST_LETTERS = 2000  # the longest message
_KEPT = "\n\t"
_OBEYED = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F)]
_OBEYED += range(0x2066, 0x206A)
_NUMBERS = {code: f"\\u{code:04x}" for code in _OBEYED if chr(code) not in _KEPT}


def plain(text: str) -> str:
    """Returns a text in which control characters are written as their numbers.

    Example:
        >>> plain("red \\x1b[31m and\\ttab")
        'red \\\\u001b[31m and\\ttab'
    """
    return text.translate(_NUMBERS)


def one_line(text: str) -> str:
    """Returns a message on one line, without its middle if it is far too long.

    A message may quote a name with a million letters from a checkpoint or a table.

    Example:
        >>> one_line("two\\n lines"), len(one_line("a" * 10**6))
        ('two lines', 2000)
    """
    line = " ".join(text.split())
    if len(line) <= _MOST_LETTERS:
        return line
    return f"{line[: _MOST_LETTERS - 505]} ... {line[-500:]}"


def typed_command() -> str:
    """Returns the command of this project that a person typed, or "" in any other program.

    The commands are `python train.py`, `python -m zoo` and `zoo`, with their arguments.
    """
    program, *words = sys.argv
    parts = Path(program).parts
    if parts[-2:] == ("zoo", "__main__.py"):
        named = ["python", "-m", "zoo"]
    elif parts[-1:] == ("train.py",):
        named = ["python", program]
    elif parts[-1:] == ("zoo",):
        named = ["zoo"]
    else:
        return ""
    return shlex.join([*named, *words])


class _Plain:
    """A text stream that writes texts in the form of `plain`."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes a text."""
        return self._stream.write(plain(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def plain_output() -> Iterator[None]:
    """Makes printed text plain in the block; characters that the encoding lacks become numbers.

    If the program was started without standard output or error, for example by `>&-`, its lines are
    dropped. Python then has no stream, and the next file that is opened would get its number.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    before = sys.stdout
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout = _Plain(before)
    try:
        yield
    finally:
        sys.stdout = before


def run_program(main: Callable[[], object]) -> int:
    """Runs a program whose every end is quiet or one line, and returns its exit code.

    Args:
        main: the function that does the work. If its result is a number, it is the exit code.

    Returns:
        0 after success, 2 after a mistake of the user, 130 after Ctrl-C, 143 after SIGTERM, and 1
        after a fault of recurrent-zoo, whose traceback is saved in a file.
    """

    def terminate(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise _Terminated

    before, stops = None, list[int]()
    with suppress(ValueError):  # not the main thread
        before = signal.signal(signal.SIGTERM, _noted(stops, terminate))
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # see train.py
            signal.signal(signal.SIGINT, _noted(stops, signal.default_int_handler))
    with plain_output(), _notes_in_lines(), _handled_again(before), _nothing_swallowed(stops):
        try:
            code = main()
            sys.stdout.flush()
            return code if isinstance(code, int) else 0
        except UserError as error:
            return _tell(f"error: {one_line(str(error))}", EXIT_USER_ERROR)
        except KeyboardInterrupt:
            return _tell("interrupted", EXIT_INTERRUPTED)
        except _Terminated:
            return _tell("terminated", EXIT_TERMINATED)
        except BrokenPipeError:
            # The reader, such as `head`, needs no more.
            drop_output()
            return 0
        except MemoryError:
            return _tell("error: there is not enough memory for this", EXIT_USER_ERROR)
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            drop_output()
            return _tell(f"error: {error.strerror or error}{where}", EXIT_USER_ERROR)
        except Exception as error:
            if told := _known(error):
                return _tell(f"error: {told}", EXIT_USER_ERROR)
            return _tell(_unexpected(error), EXIT_UNEXPECTED)


def run_script(main: Callable[[], object]) -> NoReturn:
    """Runs a program as `run_program` does, and ends the process with its exit code."""
    end_process(run_program(main))


@contextmanager
def _notes_in_lines() -> Iterator[None]:
    """Prints warnings in the block as one line with "note:"; every `Note` is shown."""
    with warnings.catch_warnings():
        warnings.showwarning = _print_note
        warnings.simplefilter("always", Note)
        yield


def _print_note(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Prints a warning without the place in the code, which Python would add."""
    print(plain(f"note: {one_line(str(message))}"), file=sys.stderr)


def end_process(code: int) -> NoReturn:
    """Ends the process with the exit code of `run_program`.

    A stopped process ends at once, because XLA may be compiling in its own threads. A normal end of
    Python would free the memory of these threads and cause a segmentation fault.
    """
    if code in (EXIT_INTERRUPTED, EXIT_TERMINATED):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _noted(stops: list[int], handler: _Handler) -> _Handler:
    """Returns a handler that adds a signal to the stops, and during an import ends the process.

    A compiled module may print the traceback of an exception that is raised while it is imported,
    and turn it into an ImportError. An import has nothing to save.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        stops.append(number)
        above = frame
        while above is not None:
            if above.f_code.co_filename.startswith("<frozen importlib"):
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            above = above.f_back
        handler(number, frame)

    return handle


@contextmanager
def _nothing_swallowed(stops: Sequence[int]) -> Iterator[None]:
    """Sends a signal again if Python ignores its exception in the block.

    Python may run the handler of a signal in a callback of the garbage collector or in a `__del__`.
    It prints and drops exceptions there, so the program would go on as if nothing had happened.
    After a stop, other ignored exceptions are not printed: they come from objects that the stop
    left half made, such as an event loop.
    """
    before = sys.unraisablehook

    def hook(told: "sys.UnraisableHookArgs") -> None:
        numbers = {_Terminated: signal.SIGTERM, KeyboardInterrupt: signal.SIGINT}
        if told.exc_type not in numbers:
            if not stops:
                before(told)
            return
        again = threading.Timer(0.01, os.kill, (os.getpid(), numbers[told.exc_type]))
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def _handled_again(
    handler: _Handler | int | None,
) -> Iterator[None]:
    """Restores the handler of SIGTERM at the end of the block."""
    try:
        yield
    finally:
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)


class _Terminated(BaseException):
    """The exception that SIGTERM raises."""


def drop_output() -> None:
    """Drops standard output, because its reader has gone or its disk is full.

    Otherwise the rest of the buffer would fail again at exit.
    """
    with suppress(OSError, ValueError):  # standard output is not a file, as in a test
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_line(line: str) -> None:
    """Prints a line; a closed or full standard output raises no error."""
    try:
        print(line, flush=True)
    except OSError:
        drop_output()


def _tell(line: str, code: int) -> int:
    with suppress(OSError):
        print(plain(line), file=sys.stderr)
    return code


def _known(error: Exception) -> str:
    """Returns a line for a library's error after a mistake of the user; "" for other errors."""
    message = str(error)
    if "RESOURCE_EXHAUSTED" in message:
        return "there is not enough memory for arrays of this size; use smaller sizes or batches"
    if isinstance(error, RuntimeError) and "home directory" in message:
        return "a path begins with ~ and an unknown user name; write the whole path"
    return ""


def _unexpected(error: Exception) -> str:
    """Saves the traceback of a fault of recurrent-zoo, and returns a line about it."""
    kind = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    told = f"error: unexpected {kind}; this is a fault of recurrent-zoo, please report it"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="recurrent-zoo-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError:
        return told
    return f"{told} with the traceback in {file.name}"
