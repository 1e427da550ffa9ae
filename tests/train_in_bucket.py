"""train.py whose gs:// addresses lie in a directory, which several processes share as a bucket.

The environment variable BUCKET names the directory.
"""

import os
import sys
import uuid
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import register_implementation


class SharedBucket(LocalFileSystem):
    """Objects as files below a directory. Each is there as a whole or not at all; no renames."""

    protocol = "gs"
    root_marker = ""

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        root = os.environ["BUCKET"]
        if path.startswith(root):
            return path
        return f"{root}/{path.removeprefix('gs://').strip('/')}".rstrip("/")

    def put_file(self, lpath: str, rpath: str, *rest: Any, **options: Any) -> None:
        """Stores an object whole, or not at all."""
        target = self._strip_protocol(rpath)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        aside = os.path.join(os.environ["BUCKET"], f"{uuid.uuid4()}.part")
        with open(lpath, "rb") as source, open(aside, "wb") as file:
            file.write(source.read())
        os.replace(aside, target)


if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # train.py's directory, in place of this file's
    from zoo.commands import train
    from zoo.terminal import run_script

    register_implementation("gs", SharedBucket, clobber=True)
    run_script(lambda: train.main(sys.argv[1:]))
