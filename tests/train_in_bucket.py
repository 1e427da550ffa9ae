"""train.py whose gs:// addresses lie in a directory, which several processes share as a bucket.

The environment variable BUCKET names the directory.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.registry import register_implementation


class SharedBucket(AbstractFileSystem):
    """Objects as files. Each is there as a whole or not at all, and there are no renames."""

    protocol = "gs"
    cachable = False

    def _file(self, name: str) -> Path:
        return Path(os.environ["BUCKET"], self._strip_protocol(name))

    def find(self, path: str, **options: Any) -> dict[str, dict[str, Any]]:
        """Lists objects with their sizes and times."""
        root, found = self._file(""), {}
        for file in self._file(path).rglob("*"):
            if file.is_file() and not file.name.endswith(".part"):
                name, about = file.relative_to(root).as_posix(), file.stat()
                found[name] = {"name": name, "size": about.st_size, "mtime": about.st_mtime_ns}
        return found

    def get_file(self, rpath: str, lpath: str, **options: Any) -> None:
        """Copies an object to a file."""
        shutil.copyfile(self._file(rpath), lpath)

    def put_file(self, lpath: str, rpath: str, **options: Any) -> None:
        """Copies a file to an object."""
        target = self._file(rpath)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        shutil.copyfile(lpath, part)
        part.replace(target)

    def rm_file(self, path: str) -> None:
        """Removes an object."""
        self._file(path).unlink()


if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # train.py's directory, in place of this file's
    from zoo.commands import train
    from zoo.terminal import run_script

    register_implementation("gs", SharedBucket, clobber=True)
    run_script(lambda: train.main(sys.argv[1:]))
