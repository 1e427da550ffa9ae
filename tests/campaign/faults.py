"""Failures of the file system, at any chosen call on files below a directory.

Python tells an audit hook of each call that opens, makes, moves, lists or removes a file, whichever
library makes it, and what the hook raises is what the call raises. `os.fsync` is wrapped, as it has
no audit event. Calls from C++ (TensorStore, array_record) can't be seen: for these, the size of
files is limited, and processes are killed at random moments.
"""

import errno
import os
import resource
import sys
from typing import Any

# FULL: from a call on, nothing can be made or written. BROKEN: one call fails. CRASH: the process
# ends there. LIMIT: no file may become larger than so many bytes.
FULL, BROKEN, CRASH, LIMIT = "full", "broken", "crash", "limit"
CRASHED = 137
_ONE_PATH = ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.listdir", "os.scandir")
_TWO_PATHS = ("os.rename", "os.link", "os.symlink")
_MAKING = ("os.mkdir", "os.link", "os.symlink", "os.fsync", "os.truncate")
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


class FileSystem:
    """Counts the calls on files below a directory, and lets one of them fail.

    Args:
        root: the directory.
        kind: one of FULL, BROKEN, CRASH and LIMIT; "" to count only.
        at: the number of the call, from 1; of LIMIT the number of bytes.
    """

    def __init__(self, root: str, kind: str = "", at: int = 0):
        self.root, self.kind, self.at = os.path.realpath(root), kind, at
        self.calls: list[str] = []
        self._busy = False

    def install(self) -> None:
        """Begins; it lasts as long as the process."""
        if self.kind == LIMIT:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.at, self.at))
            return
        fsync = os.fsync

        def watched(descriptor: int) -> None:
            self._call("os.fsync", os.readlink(f"/proc/self/fd/{descriptor}"), making=True)
            fsync(descriptor)

        os.fsync = watched
        sys.addaudithook(self._hook)

    def _hook(self, event: str, details: tuple[Any, ...]) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            if event == "open" and not isinstance(details[0], int):
                making = bool((details[2] or 0) & _WRITE_FLAGS)
                self._call("open for writing" if making else "open", details[0], making=making)
            elif event in _ONE_PATH and not isinstance(details[0], int):
                self._call(event, details[0], making=event in _MAKING)
            elif event in _TWO_PATHS:
                self._call(event, details[1], making=event in _MAKING)
        finally:
            self._busy = False

    def _call(self, name: str, path: Any, *, making: bool) -> None:
        place = os.fsdecode(path or "")
        if os.path.isabs(place) and not os.path.realpath(place).startswith(self.root):
            return
        self.calls.append(f"{name} {place.removeprefix(self.root)}")
        now = len(self.calls)
        if self.kind == CRASH and now == self.at:
            os._exit(CRASHED)
        if self.kind == BROKEN and now == self.at:
            raise OSError(errno.EIO, os.strerror(errno.EIO), place)
        if self.kind == FULL and now >= self.at and making:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)
