"""A bucket in the memory of this process, at gs:// addresses; a process that uses it may be killed
at any call."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry, register_implementation


class Killed(BaseException):
    """The process is gone; nothing that handles errors may go on."""


class FakeBucket(MemoryFileSystem):
    """Objects by name. It has no rename, as a bucket has none.

    Attributes:
        calls_left: how many calls that change something are made before a kill; None for all.
        calls: the names of those that were made.
        fault: what every call raises, if there is one.
    """

    protocol = "gs"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    calls_left: int | None = None
    calls: ClassVar[list[str]] = []
    fault: Exception | None = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        path = path.removeprefix("gs://").removeprefix("memory://")
        return "/" + path.strip("/") if path.strip("/") else ""

    def _called(self, name: str) -> None:
        cls = type(self)
        if cls.fault is not None:
            raise cls.fault
        cls.calls.append(name)
        if cls.calls_left is not None:
            if cls.calls_left == 0:
                raise Killed(name)
            cls.calls_left -= 1

    def put_file(self, lpath: str, rpath: str, *rest: Any, **options: Any) -> None:
        """Stores an object whole, or not at all."""
        self._called(f"put {rpath}")
        super().put_file(lpath, rpath, *rest, **options)

    def rm_file(self, path: str) -> None:
        """Removes an object."""
        self._called(f"remove {path}")
        super().rm_file(path)

    def find(self, path: str, *rest: Any, **options: Any) -> Any:
        """Lists objects."""
        if type(self).fault is not None:
            raise type(self).fault
        return super().find(path, *rest, **options)

    def rename(self, *arguments: Any, **options: Any) -> None:
        """There is no such call."""
        raise NotImplementedError("a bucket renames nothing")

    mv = rename


@contextmanager
def fake_bucket() -> Iterator[type[FakeBucket]]:
    """Inside, gs:// addresses lie in an empty bucket."""
    before = _registry.get("gs")
    register_implementation("gs", FakeBucket, clobber=True)
    FakeBucket.clear_instance_cache()
    FakeBucket.store.clear()
    FakeBucket.pseudo_dirs[:] = [""]
    FakeBucket.calls, FakeBucket.calls_left, FakeBucket.fault = [], None, None
    try:
        yield FakeBucket
    finally:
        FakeBucket.clear_instance_cache()
        _registry.pop("gs", None)
        if before is not None:
            register_implementation("gs", before, clobber=True)
