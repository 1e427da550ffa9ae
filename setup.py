"""Puts the released checkpoints into an installed package; all else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

RELEASED = Path(__file__).parent / "checkpoints"


class BuildWithCheckpoints(build_py):
    """The usual build, and then `checkpoints/` as `zoo/checkpoints/`."""

    def run(self) -> None:
        """Builds; an editable install, which finds them in the checkout, takes no copy."""
        super().run()
        if not self.editable_mode:
            shutil.copytree(
                RELEASED, Path(self.build_lib, "zoo", "checkpoints"), dirs_exist_ok=True
            )


setup(cmdclass={"build_py": BuildWithCheckpoints})
