"""Watches what Python opens, writes, starts and imports while a foreign checkpoint is used."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
_STARTS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "pty.spawn")
_CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod")
_watching: "list[Watch]" = []


class Watch:
    """What was seen that must not happen.

    Args:
        secrets: directories of which nothing may be opened, not even to be read.
        places: directories in which files may be made and changed.
    """

    def __init__(self, secrets: Sequence[os.PathLike[str]], places: Sequence[os.PathLike[str]]):
        self._secrets = [os.fspath(path) for path in secrets]
        programs = os.environ["JAX_COMPILATION_CACHE_DIR"]  # of the tests, see conftest.py
        own = (os.path.join(tempfile.gettempdir(), "recurrent-zoo-"), os.devnull, programs)
        self._temporary = os.path.join(tempfile.gettempdir(), "tmp")
        self._places = (*(os.fspath(path) for path in places), *own)
        self.faults: list[str] = []

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Takes one audit event of Python."""
        if event in _STARTS or event == "socket.connect":
            self.faults.append(f"{event} {str(arguments)[:120]}")
        elif event == "import" and str(arguments[0]).startswith("evil"):
            self.faults.append(f"import {arguments[0]}")
        elif event == "pickle.find_class" and str(arguments[0]).startswith(("evil", "os", "posix")):
            self.faults.append(f"{event} {arguments}")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            self._see_open(os.path.realpath(os.fsdecode(arguments[0])), *arguments[1:3])
        elif event in _CHANGES and isinstance(arguments[0], str | bytes):
            self._see_write(os.path.abspath(os.fsdecode(arguments[0])))

    def _see_open(self, path: str, mode: str | None, flags: int) -> None:
        if any(path.startswith(secret) for secret in self._secrets):
            self.faults.append(f"opened {path}")
        elif set(mode or "") & set("wax+") or (isinstance(flags, int) and flags & _WRITES):
            self._see_write(path)

    def _see_write(self, path: str) -> None:
        of_tfds = path.startswith(self._temporary) and "tfds" in path
        if not path.startswith(self._places) and not of_tfds and "__pycache__" not in path:
            self.faults.append(f"wrote {path}")


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    for watch in _watching:
        watch.see(event, arguments)


sys.addaudithook(_hook)  # for good: Python takes none back


@contextlib.contextmanager
def watched(watch: Watch) -> Iterator[Watch]:
    """Inside, the watch sees every event."""
    _watching.append(watch)
    try:
        yield watch
    finally:
        _watching.remove(watch)
