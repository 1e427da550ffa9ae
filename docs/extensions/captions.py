"""Gives the captions of tables of contents the level that a screen reader needs of a heading."""

from typing import Any

_AFTER_THE_THEME = 900  # its handlers have priority 500


def _add_levels(_app: Any, _page: str, _template: str, context: dict[str, Any], _tree: Any) -> None:
    for part in ("furo_navigation_tree", "body"):
        if part in context:
            caption = 'class="caption" role="heading"'
            context[part] = context[part].replace(f"{caption}>", f'{caption} aria-level="2">')


def setup(app: Any) -> dict[str, bool]:
    """Adds the levels to every page."""
    app.connect("html-page-context", _add_levels, priority=_AFTER_THE_THEME)
    return {"parallel_read_safe": True}
