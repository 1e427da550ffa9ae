"""The configs of configs/ by name; no file of them is run. Needs no JAX."""

import ast
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
ROOTS = (_PACKAGE / "configs", _PACKAGE.parent / "configs")  # installed; a checkout


def config_paths() -> dict[str, Path]:
    """Returns the files of configs/ by name, in the order of the names."""
    found = {path.stem: path for root in reversed(ROOTS) for path in root.glob("*.py")}
    return dict(sorted(found.items()))


def list_configs() -> list[str]:
    """Returns the names of the configs in configs/, sorted.

    Example:
        >>> "csv_classifier" in list_configs()
        True
    """
    return list(config_paths())


def config_summaries() -> dict[str, str]:
    """Returns the first line of each file of configs/ by its name."""
    trees = {name: ast.parse(path.read_text("utf-8")) for name, path in config_paths().items()}
    documented = {name: ast.get_docstring(tree) or "" for name, tree in trees.items()}
    return {name: text.partition("\n")[0].rstrip(".") for name, text in documented.items()}
