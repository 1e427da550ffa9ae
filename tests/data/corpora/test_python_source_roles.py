"""Roles of names in Python source, and the corpus that is made of the standard library."""

import keyword

import pytest

from zoo.data.config import TaggedDataConfig
from zoo.data.corpora import python_source_roles
from zoo.data.examples import Tagged
from zoo.data.loading import load_tagged_corpus
from zoo.data.python_roles import ROLES, read_names
from zoo.errors import UserError

# Each line with the roles of its names, in their order.
SOURCE = """\
import os.path, sys as system                  | import import import import
from collections import deque as Queue, abc    | import import import import
from . import sibling                          | import
@cache.keep(size=3)                            | object decorator keyword
def area(width, *sides, unit: Unit = CM, **more) -> list[float]: | \
function parameter parameter parameter annotation variable parameter annotation annotation
    total = width * sides[0]                   | assigned variable variable
    return total                               | variable
@final                                         | decorator
class Box(Shape, shapes.Solid[T], metaclass=Meta): | \
class base object base variable keyword variable
    size: Final[int] = 3                       | assigned annotation annotation
    def open(self, /): self.lid.lift(self.height, 1) | \
function parameter object attribute method object attribute
try: load(name).text.strip()                   | call argument attribute method
except ValueError as error: raise error        | exception assigned variable
except (KeyError, socket.timeout): raise Missing(name) from None | \
exception object exception exception argument
except OSError: raise Stop                     | exception exception
for x, (y, z) in pairs: del x                  | assigned assigned assigned variable variable
with lock as held, open(path) as file: pass    | variable assigned call argument assigned
with open(path) as self.file: pass            | call argument object attribute
with source as (first, second[key]): pass     | variable assigned variable variable
squares = [n * n for n in range(top) if (m := n)] | \
assigned variable variable assigned call argument assigned variable
key = lambda item: item.rank                   | assigned parameter object attribute
print(f"{hidden} {values[0]}", sep="x", *rest) | call keyword variable
async def wait(): await later(); yield_ = 1    | function call assigned
\u00e9t\u00e9 = "\u00e9\u00e9" + \u00e9t\u00e9.\u00e9.\u00fc(d\u00e9j\u00e0)        | \
assigned object attribute method argument
global_name = None; import late; late.call()   | assigned import object method
"""


def source_and_roles() -> tuple[str, list[list[str]]]:
    rows = [line.split("|") for line in SOURCE.splitlines()]
    assert all(len(row) == 2 for row in rows)
    return "\n".join(row[0].rstrip() for row in rows), [row[1].split() for row in rows]


def test_every_role_is_found() -> None:
    source, roles = source_and_roles()
    found = list(read_names(source))
    for text, wanted, line in zip(source.splitlines(), roles, found, strict=True):
        assert list(line.roles) == wanted, (text, line)
    assert {role for line in found for role in line.roles} == set(ROLES)


def test_names_are_those_of_the_source_without_keywords_and_text() -> None:
    found = [line.names for line in read_names("if a is not None:\n  # b\n  'c'; d(e, 5)\n")]
    assert found == [("a",), ("d", "e")]


def test_lines_know_where_they_stand() -> None:
    lines = list(read_names("x = 1\n\n\ny = f(\n  x,\n  z)\n"))
    assert [(line.start, line.end) for line in lines] == [(1, 1), (4, 6)]


def test_sentences_end_at_blank_lines_and_where_they_get_long() -> None:
    line = "f(a, b)\n"
    source = line * 2 + "\n" + '"""Text.\n\nMore."""\n' + line + "# remark\n" + line + "\n\ng(a)\n"
    found = [len(one.tokens) for one in python_source_roles.sentences(source)]
    assert found == [6, 6]  # the last has too few names
    assert [len(one.tokens) for one in python_source_roles.sentences(line * 20)] == [39, 21]
    long = f"f({', '.join('a' * 81)})"
    assert [len(one.tokens) for one in python_source_roles.sentences(long)] == [40, 40]


def test_no_module_is_in_two_splits() -> None:
    names = [name for part in python_source_roles.MODULES.values() for name in part.split()]
    assert len(names) == len(set(names)) > 100


def test_the_corpus_of_a_few_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"train": "heapq json no_such_module", "validation": "bisect heapq", "test": "textwrap"}
    monkeypatch.setattr(python_source_roles, "MODULES", few)
    corpus = load_tagged_corpus(TaggedDataConfig())
    assert corpus.scheme == "plain"
    sentences = [one for part in corpus.splits.values() for one in part]
    assert len(sentences) == len(set(sentences)) > 100  # those of heapq are in one split only
    for tokens, tags in sentences:
        assert 3 <= len(tokens) == len(tags) <= 40
        assert not any(map(keyword.iskeyword, tokens))
        assert all(map(str.isidentifier, tokens))
        assert ROLES.keys() >= set(tags)
    parsed = ("JSONDecoder", "object_hook")
    assert any(set(parsed) <= set(one.tokens) for one in corpus.splits["train"])
    assert any("TextWrapper" in one.tokens for one in corpus.splits["test"])


def test_a_name_has_several_roles() -> None:
    """What makes the corpus a task: a word alone does not tell its role."""
    roles: dict[str, set[str]] = {}
    for tokens, tags in python_source_roles.sentences_of(["textwrap"]):
        for token, tag in zip(tokens, tags, strict=True):
            roles.setdefault(token, set()).add(tag)
    assert roles["text"] >= {"parameter", "assigned", "object", "argument"}
    assert roles["width"] >= {"parameter", "attribute", "variable"}


def test_a_python_without_its_source_is_told(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_source_roles.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(UserError) as caught:
        list(python_source_roles.sentences_of(["os"]))
    assert str(caught.value) == (
        f"{tmp_path} has no source of the standard library, which corpus python_source_roles is "
        "made of; use a Python from python.org, or another data.corpus=NAME"
    )
    (tmp_path / "test").mkdir()
    (tmp_path / "os.py").write_text("print(name, value)\n")
    (tmp_path / "os" / "test").mkdir(parents=True)
    (tmp_path / "os" / "test" / "part.py").write_text("left(out, here)\n")
    found = list(python_source_roles.sentences_of(["os"]))
    assert found == [Tagged(("print", "name", "value"), ("call", "argument", "argument"))]
