"""The code of the pages in docs/, as users have it: in a module of their own."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tiny_run import ROOT


def code_of(page: str) -> list[str]:
    """The blocks of Python in a page."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@contextmanager
def known_module(
    path: Path, code: str, lines: str, names: dict[str, Any], patch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Inside, a page's code is a module at `path`, and its lines in the registries have run."""
    path.write_text(code, encoding="utf-8")
    patch.syspath_prepend(path.parent)
    exec(lines, names)
    yield
    sys.modules.pop(path.stem, None)
