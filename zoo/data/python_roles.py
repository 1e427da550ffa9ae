"""The role that each name plays in Python source, found by `ast` and `tokenize`.

A sentence has only names: no keywords, marks, numbers, strings or comments. With keywords and marks
a rule of a few lines would find most roles: a name after `def` is a function, and a name before `(`
is called. Without them a tagger has to guess the role of a name from its spelling and its
neighbours, as people guess the part of speech of a word.

    source   def close(self, how=None):      self.socket.shutdown(how or SHUT_RDWR)
    names    close    self      how          self     socket    shutdown how      SHUT_RDWR
    roles    function parameter parameter    object   attribute method   variable variable
"""

import ast
import io
import keyword
import token
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

ROLES = {
    "annotation": "a type in an annotation",
    "argument": "a plain name that is passed in a call by its position",
    "assigned": "a variable that gets a value, from =, for, with, as and the like",
    "attribute": "an attribute that is not called",
    "base": "a base of a class",
    "call": "a plain name that is called",
    "class": "a class that is defined",
    "decorator": "a decorator",
    "exception": "an exception that is raised or caught",
    "function": "a function or method that is defined",
    "import": "a module, or a name of it, that is imported",
    "keyword": "a keyword argument of a call",
    "method": "an attribute that is called",
    "object": "a plain name whose attribute is taken",
    "parameter": "a parameter of a function",
    "variable": "any other name",
}

# The role of a name without a position in the syntax tree, by the keyword before it.
_BEHIND = {"def": "function", "class": "class", "as": "assigned"}
_NO_NAMES = tuple(
    getattr(ast, name) for name in ("JoinedStr", "TemplateStr") if hasattr(ast, name)
)  # before Python 3.12 a string with expressions is one token

_Position = tuple[int, int]  # a line, from 1, and a column in characters, from 0


class Line(NamedTuple):
    """The names of a logical line.

    Attributes:
        names: the names in their order; the line may have none.
        roles: the role of each name, one of `ROLES`.
        start: the number of the first physical line, from 1.
        end: the number of the last physical line.
    """

    names: tuple[str, ...]
    roles: tuple[str, ...]
    start: int
    end: int


def read_names(source: str) -> Iterator[Line]:
    """Yields the names of each logical line of a module, with their roles.

    Args:
        source: the module.

    Raises:
        SyntaxError: the source is not valid for this version of Python.

    Example:
        >>> [line] = read_names("total = sum(values, start=0).real")
        >>> line.names, line.roles
        (('total', 'sum', 'values', 'start', 'real'), \
('assigned', 'call', 'argument', 'keyword', 'attribute'))
    """
    roles = _roles_by_position(source)
    for words in _logical_lines(source):
        named = list(_named(words, roles))
        yield Line(
            tuple(name for name, _ in named),
            tuple(role for _, role in named),
            words[0].start[0],
            words[-1].end[0],
        )


def _logical_lines(source: str) -> Iterator[list[tokenize.TokenInfo]]:
    """Yields the tokens of each logical line without comments and indentation."""
    line: list[tokenize.TokenInfo] = []
    for one in tokenize.generate_tokens(io.StringIO(source).readline):
        if one.type in (token.NAME, token.OP, token.NUMBER, token.STRING):
            line.append(one)
        elif one.type == token.NEWLINE and line:
            yield line
            line = []


def _named(
    words: list[tokenize.TokenInfo], roles: dict[_Position, str]
) -> Iterator[tuple[str, str]]:
    """Yields the names of a logical line with their roles.

    The syntax tree has no positions for names in imports, after `def` or `class`, and after `as`
    except in `with`.
    """
    before, is_import = "", False
    for word in words:
        text = word.string
        if before in ("", ":", ";"):
            is_import = text in ("import", "from")
        if word.type == token.NAME and not keyword.iskeyword(text):
            role = "import" if is_import else roles.get(word.start) or _BEHIND.get(before)
            if role:
                yield text, role
        before = text


def _roles_by_position(source: str) -> dict[_Position, str]:
    """Returns the role of each name that has a position in the syntax tree.

    A name that plays several roles gets the last role: an exception that is called is an exception.
    """
    found: dict[_Position, str] = {}
    lines = source.split("\n")

    def put(line: int, num_bytes: int, role: str) -> None:
        column = len(lines[line - 1].encode()[:num_bytes].decode())
        found[line, column] = role

    nodes = list(_walk(ast.parse(source)))
    for order in (_own_roles, _used_roles, _special_roles):
        for node in nodes:
            for place, role in order(node):
                if isinstance(place, ast.Attribute):  # its name stands at its end
                    end = (place.end_lineno or 0, place.end_col_offset or 0)
                    put(end[0], end[1] - len(place.attr.encode()), role)
                else:
                    put(place.lineno, place.col_offset, role)
    return found


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yields a node and all nodes below it, except the nodes inside strings."""
    remaining = [node]
    while remaining:
        one = remaining.pop()
        yield one
        children = ast.iter_child_nodes(one)
        remaining.extend(child for child in children if not isinstance(child, _NO_NAMES))


_Roles = Iterator[tuple[ast.Name | ast.Attribute | ast.arg | ast.keyword, str]]


def _own_roles(node: ast.AST) -> _Roles:
    """Yields the role that a name has by its own node."""
    if isinstance(node, ast.Name):
        yield node, "assigned" if isinstance(node.ctx, ast.Store) else "variable"
    elif isinstance(node, ast.Attribute):
        yield node, "attribute"
    elif isinstance(node, ast.arg):
        yield node, "parameter"
    elif isinstance(node, ast.keyword) and node.arg:
        yield node, "keyword"


def _used_roles(node: ast.AST) -> _Roles:
    """Yields the roles of names by the node that uses them."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        yield node.value, "object"
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name):
            yield node.func, "call"
        elif isinstance(node.func, ast.Attribute):
            yield node.func, "method"
        for argument in node.args:
            if isinstance(argument, ast.Name):
                yield argument, "argument"


def _special_roles(node: ast.AST) -> _Roles:
    """Yields the roles of exceptions, decorators, bases and annotations."""
    if isinstance(node, ast.Raise):
        raised = node.exc
        # In `raise error` the name is a variable, not an exception.
        if not isinstance(raised, ast.Name) or raised.id[0].isupper():
            yield from _last_name(raised, "exception")
    elif isinstance(node, ast.ExceptHandler):
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        for one in caught:
            yield from _last_name(one, "exception")
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        for one in node.decorator_list:
            yield from _last_name(one, "decorator")
        if isinstance(node, ast.ClassDef):
            for one in node.bases:
                yield from _last_name(one, "base")
        else:
            yield from _annotation(node.returns)
    elif isinstance(node, ast.arg | ast.AnnAssign):
        yield from _annotation(node.annotation)


def _last_name(node: ast.AST | None, role: str) -> _Roles:
    """Yields the name that says what an expression is, such as `b` of `a.b(c)` or `a.b[c]`."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name | ast.Attribute):
        yield node, role


def _annotation(node: ast.AST | None) -> _Roles:
    for one in _walk(node) if node else ():
        if isinstance(one, ast.Name | ast.Attribute):
            yield one, "annotation"
