"""Puts configs and released checkpoints into an installed package; pyproject.toml has the rest."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
DATA = ("checkpoints", "configs")  # which people read in the checkout


class BuildWithData(build_py):
    """The usual build, and then `checkpoints/` as `zoo/checkpoints/`, and `configs/` so too."""

    def run(self) -> None:
        """Builds; an editable install, which finds them in the checkout, takes no copy."""
        super().run()
        if self.editable_mode:
            return
        for name in DATA:
            place = Path(self.build_lib, "zoo", name)
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, place, ignore=unwanted, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithData})
