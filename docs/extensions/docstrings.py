"""Turns the docstrings of this project into reStructuredText, which Sphinx reads.

The docstrings are Google style with plain text inside: an equation is an indented block, a name is
in single backticks, and a star is a star. Napoleon would read stars and underscores as markup, so
this extension escapes them.
"""

import re
from collections.abc import Iterator
from typing import Any

LISTS = ("Args", "Raises", "Warns", "Attributes")
TEXTS = ("Returns", "Yields")
TITLES = {"Args": "Arguments"}
_SECTION = re.compile(rf"({'|'.join((*LISTS, *TEXTS, 'Example'))}):")
_ITEM = re.compile(r"(\**[\w.]+(?:, \**[\w.]+)*):(?: (.*))?")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_QUOTED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_BULLET = re.compile(r"[*-] ")


def to_rst(docstring: list[str]) -> list[str]:
    """Returns a docstring's lines as reStructuredText.

    Example:
        >>> to_rst(["Doubles x.", "", "Args:", "    x: a number."])
        ['Doubles x.', '', ':Arguments:', '    * **x** -- a number.', '']
    """
    title, lines = "", list[str]()
    made: list[str] = []
    for line in [*docstring, "Example:"]:
        if match := _SECTION.fullmatch(line):
            made += _section(title, lines)
            title, lines = match[1], []
        else:
            lines.append(line)
    return [*made, *(_section(title, lines) if any(lines) else [])]


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if not title:
        yield from _body(lines)
    elif title in LISTS:
        yield f":{TITLES.get(title, title)}:"
        for name, text in _items(lines):
            yield f"    * {f'**{escape(name)}** -- ' if name else ''}{inline(text)}"
        yield ""
    elif title in TEXTS:
        yield f":{title}:"
        yield from (f"    {line}".rstrip() for line in _body(_dedent(lines)))
    elif any(lines):
        yield ":Example:"
        yield "    .. code-block:: pycon"
        yield ""
        yield from (f"        {line}".rstrip() for line in _dedent(lines))
        yield ""


def _items(lines: list[str]) -> list[tuple[str, str]]:
    """Returns the names of a section with their texts."""
    items: list[tuple[str, str]] = []
    for line in _dedent(lines):
        if match := _ITEM.fullmatch(line):
            items.append((match[1], match[2] or ""))
        elif items and line.startswith(" "):
            items[-1] = (items[-1][0], f"{items[-1][1]} {line.strip()}")
        elif line.strip():
            items.append(("", line))
    return items


def _dedent(lines: list[str]) -> list[str]:
    width = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[width:] for line in lines]


def _body(lines: list[str]) -> Iterator[str]:
    """Yields paragraphs, bullets, equations and doctests."""
    blocks = re.split(r"\n(?:[ \t]*\n)+", "\n".join(lines).strip("\n"))
    for block in filter(str.strip, blocks):
        rows = block.split("\n")
        if rows[0].startswith((" ", ">>>")):
            kind = "pycon" if rows[0].lstrip().startswith(">>>") else "text"
            yield from (f".. code-block:: {kind}", "", *(f"    {row}" for row in _dedent(rows)), "")
        else:
            yield from _paragraphs(rows)


def _paragraphs(rows: list[str]) -> Iterator[str]:
    """Yields a paragraph, and the bullets and the indented lines that may follow it."""
    texts: list[str] = []
    kinds: list[str] = []
    for row in rows:
        if _BULLET.match(row):
            kinds.append("bullet")
            texts.append(row[2:])
        elif row.startswith("    ") and (not kinds or kinds[-1] != "bullet"):
            kinds.append("equation")
            texts.append(row)
        elif texts and kinds[-1] != "equation":
            texts[-1] += f" {row.strip()}"
        else:
            kinds.append("text")
            texts.append(row)
    for number, (kind, text) in enumerate(zip(kinds, texts, strict=True)):
        if kind == "equation":
            if number == 0 or kinds[number - 1] != kind:
                yield from (".. code-block:: text", "")
            yield text
        else:
            yield inline(text) if kind == "text" else f"* {inline(text)}"
        if number + 1 == len(kinds) or kinds[number + 1] != kind or kind == "text":
            yield ""


def inline(text: str) -> str:
    """Returns a sentence with its names in backticks as links and everything else as it stands.

    Example:
        >>> print(inline("See `Cell`s of *args and `a b`."))
        See :py:obj:`Cell`\\ s of \\*args and ``a b``.
    """
    made, end = "", 0
    for match in _QUOTED.finditer(text):
        made += escape(text[end : match.start()])
        quoted = match[1]
        if made and not made.endswith((" ", "(")):
            made += "\\ "
        made += f":py:obj:`{quoted}`" if _NAME.fullmatch(quoted) else _literal(quoted)
        end = match.end()
        if text[end : end + 1].isalnum():
            made += "\\ "
    made += escape(text[end:])
    return f"\\ {made}" if re.match(r"[^\w:`\\(]|\w+[.)] |\(\w+\) |:", made) else made


def _literal(quoted: str) -> str:
    usable = quoted == quoted.strip() and not quoted.endswith("\\")
    return f"``{quoted}``" if usable else escape(quoted)


def escape(text: str) -> str:
    """Returns a text in which no character is markup."""
    return re.sub(r"([\\*_|`])|(?<=:)(:)", r"\\\1\2", text)


def _rewrite(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    lines[:] = to_rst(list(lines))


def _without_flax(
    app: Any, what: str, name: str, value: Any, options: Any, signature: str, returned: str
) -> tuple[str, str] | None:
    """Leaves the two arguments out of a signature that Flax adds to every module."""
    if signature and ", parent:" in signature:
        return re.sub(r", parent: .*\)$", ")", signature), returned
    return None


def _is_left_out(
    app: Any, what: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    """Leaves out what named tuples say of their fields, which their docstring says better."""
    return True if str(getattr(value, "__doc__", "")).startswith("Alias for field") else None


def setup(app: Any) -> dict[str, bool]:
    """Connects the extension to Sphinx."""
    app.connect("autodoc-process-docstring", _rewrite)
    app.connect("autodoc-process-signature", _without_flax)
    app.connect("autodoc-skip-member", _is_left_out)
    return {"parallel_read_safe": True}
