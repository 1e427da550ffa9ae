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


def without_code(app: Any) -> tuple[()]:
    """Leaves the modules out of the index of code whose code Python does not have."""
    shown = getattr(app.env, "_viewcode_modules", {})
    for module in [name for name, code in shown.items() if not code]:
        del shown[module]
    return ()


def setup(app: Any) -> dict[str, bool]:
    """Connects the extension to Sphinx."""
    app.connect("source-read", outward)
    app.connect("doctree-resolved", inward)
    app.connect("html-collect-pages", without_code, priority=100)  # before the index is made
    return {"parallel_read_safe": True}
