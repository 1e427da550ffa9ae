"""Docstrings become pages: no character of theirs is markup, and all have one form."""

import ast
import re
import sys
from pathlib import Path

import pytest
from tiny_run import ROOT

sys.path.insert(0, str(ROOT / "docs" / "extensions"))

import docstrings

FILES = sorted((ROOT / "zoo").rglob("*.py"))
BLOCK = ".. code-block:: text"
TITLES = "|".join((*docstrings.LISTS, *docstrings.TEXTS, "Example"))


def docstrings_of(path: Path) -> list[str]:
    """All docstrings of a file."""
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    return [text for text in found if text]


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Adds *all* of a_ and |b|.", r"Adds \*all\* of a\_ and \|b\|."),
        ("See `zoo.load`s.", r"See :py:obj:`zoo.load`\ s."),
        ("See `a + b`.", "See ``a + b``."),
        ("A sum:\n\n    y = a * b\n\nAnd on.", f"A sum:\n\n{BLOCK}\n\n    y = a * b\n\nAnd on."),
        ("Two:\n\n* one\n  more\n* two", "Two:\n\n* one more\n* two"),
        ("Is::\n\n    no block", f"Is:\\:\n\n{BLOCK}\n\n    no block"),
    ],
)
def test_plain_text_stays_as_it_is(docstring: str, expected: str) -> None:
    assert "\n".join(docstrings.to_rst(docstring.splitlines())).strip() == expected


def test_sections_become_lists() -> None:
    docstring = """Doubles.

Args:
    x: a
        number.
    *more: others.
    y, z: two.
    Any of the rest: more.

Returns:
    2 x."""
    made = docstrings.to_rst(docstring.splitlines())
    assert "    * **x** -- a number." in made
    assert r"    * **\*more** -- others." in made
    assert "    * **y, z** -- two." in made
    assert "    * Any of the rest: more." in made
    assert made[made.index(":Returns:") + 1] == "    2 x."


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_docstring_is_sound_markup(path: Path) -> None:
    docutils_core = pytest.importorskip("docutils.core")
    settings = {"report_level": 2, "halt_level": 2, "warning_stream": False}
    for docstring in docstrings_of(path):
        made = "\n".join(docstrings.to_rst(docstring.splitlines()))
        made = re.sub(r"\.\. code-block:: \w+", "::", made)
        without_roles = re.sub(r":py:obj:`([^`]*)`", r"``\1``", made)
        docutils_core.publish_doctree(without_roles, settings_overrides=settings)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_sections_are_indented_by_four_spaces(path: Path) -> None:
    for docstring in docstrings_of(path):
        lines = docstring.splitlines()
        for number, line in enumerate(lines):
            if re.fullmatch(rf"({TITLES}):", line):
                assert re.match(r"    \S", lines[number + 1]), (docstring[:60], lines[number + 1])
