"""docs/lecture.md: each quoted line stands in the function that the page names."""

import ast
import re
from pathlib import Path

import pytest
from tiny_run import ROOT

PAGE = (ROOT / "docs" / "lecture.md").read_text("utf-8")
QUOTES = re.findall(r"`([\w/]+\.py)`, `([\w.]+)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL)
TOPICS = re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)


def source_of(path: Path, symbol: str) -> str:
    """The code of a function, a method or a class."""
    node: ast.AST = ast.parse(path.read_text("utf-8"))
    for name in symbol.split("."):
        (node,) = (one for one in ast.walk(node) if getattr(one, "name", None) == name)
    return ast.unparse(node)


@pytest.mark.parametrize(
    ("file", "symbol", "lines"),
    QUOTES,
    ids=[f"{symbol}-{number}" for number, (_, symbol, _) in enumerate(QUOTES)],
)
def test_a_quoted_line_stands_where_the_page_says(file: str, symbol: str, lines: str) -> None:
    code = source_of(ROOT / file, symbol).splitlines()
    stripped = [line.strip() for line in code]
    for line in lines.splitlines():
        try:
            wanted = ast.unparse(ast.parse(line.strip()))
        except SyntaxError:  # the head of a loop
            wanted = ast.unparse(ast.parse(f"{line.strip()} pass")).splitlines()[0]
        assert wanted in stripped, line


def test_every_block_of_python_is_a_quote() -> None:
    assert PAGE.count("```python") == len(QUOTES)


@pytest.mark.parametrize(("title", "text"), TOPICS, ids=[title for title, _ in TOPICS])
def test_a_topic_has_its_five_parts(title: str, text: str) -> None:
    equation = "$$" in text or "table" in title
    assert equation
    assert "```python" in text
    assert "```bash" in text
    assert "**Exercise.**" in text


def test_the_topics_of_the_lecture_are_there() -> None:
    assert len(TOPICS) == 20
