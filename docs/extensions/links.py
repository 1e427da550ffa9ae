"""Links from pages to files of the repository, which lie outside the site.

A page says `zoo/layers/cells/lstm.py`. The site shows the code of that module, so the name becomes
a link to it. A link to any other file of the repository, such as `../configs/trec_classifier.py`,
leads to the code host if SITE_REPOSITORY is the repository's address. Otherwise only the text of
the link is left.
"""

import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes

ROOT = Path(__file__).parents[2]
_MODULE = re.compile(r"zoo/[\w/]+\.py")
_LINK = re.compile(r"\[([^\[\]]+)\]\(((?:\.\./)+[\w./-]+)(#[\w-]+)?\)")
_PAGES = {"RESULTS.md": "results", "CHANGELOG.md": "changelog", "CONTRIBUTING.md": "contributing"}


def address_of(path: str) -> str:
    """Returns where the code host shows a file, or "" if the repository's address is not known."""
    repository = os.environ.get("SITE_REPOSITORY", "").rstrip("/")
    return f"{repository}/blob/HEAD/{path}" if repository else ""


def outward(app: Any, page: str, source: list[str]) -> None:
    """Turns links to files outside docs/ into links to the code host, or into names."""
    here = (ROOT / "docs" / page).parent

    def replace(match: re.Match[str]) -> str:
        text, path, anchor = match[1], (here / match[2]).resolve(), match[3] or ""
        if path.is_relative_to(ROOT / "docs") or not path.exists():
            return match[0]
        name = path.relative_to(ROOT).as_posix()
        if name in _PAGES:
            return f"[{text}]({'../' * page.count('/')}{_PAGES[name]}.md{anchor})"
        return f"[{text}]({address_of(name)})" if address_of(name) else text

    source[0] = _LINK.sub(replace, source[0])


def inward(app: Any, doctree: nodes.document, page: str) -> None:
    """Turns the names of modules into links to their code on this site."""
    depth = "../" * page.count("/")
    shown = getattr(app.env, "_viewcode_modules", {})
    for literal in list(doctree.findall(nodes.literal)):
        path = literal.astext()
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if not _MODULE.fullmatch(path) or not shown.get(module):
            continue
        if isinstance(literal.parent, nodes.reference):
            continue
        uri = f"{depth}_modules/{module.replace('.', '/')}.html"
        link = nodes.reference("", "", refuri=uri, internal=True)
        literal.replace_self(link)
        link += literal


def back_to_modules(app: Any) -> tuple[()]:
    """Lets the code of a module lead back to the page of its package.

    A public name stands on two pages, and Sphinx would mix the address of one with the anchor of
    the other. A module whose code Python does not have is left out of the index.
    """
    shown = getattr(app.env, "_viewcode_modules", {})
    for module, entry in list(shown.items()):
        if not entry:
            del shown[module]
            continue
        code, tags, used, _ = entry
        room = module.split(".")[1] if "." in module else "zoo"
        page = room if (ROOT / "zoo" / room).is_dir() else "zoo"
        shown[module] = code, tags, dict.fromkeys(used, f"reference/modules/{page}"), module
    return ()


def setup(app: Any) -> dict[str, bool]:
    """Connects the extension to Sphinx."""
    app.connect("source-read", outward)
    app.connect("doctree-resolved", inward)
    app.connect("html-collect-pages", back_to_modules, priority=100)  # before code is shown
    return {"parallel_read_safe": True}
