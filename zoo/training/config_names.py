"""Names of the configs in configs/. No config file is run, and JAX is not needed."""

import ast
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
ROOTS = (_PACKAGE / "configs", _PACKAGE.parent / "configs")  # of a package, of a checkout


def config_paths() -> dict[str, Path]:
    """Returns the files in configs/ by name, sorted by name."""
    found = {path.stem: path for root in reversed(ROOTS) for path in root.glob("*.py")}
    return dict(sorted(found.items()))


def list_configs() -> list[str]:
    """Returns the names of the configs that come with the zoo, sorted.

    Example:
        >>> "csv_classifier" in list_configs()
        True
    """
    return list(config_paths())


def config_summaries() -> dict[str, str]:
    """Returns the first line of each file in configs/ by the file's name."""
    trees = {name: ast.parse(path.read_text("utf-8")) for name, path in config_paths().items()}
    documented = {name: ast.get_docstring(tree) or "" for name, tree in trees.items()}
    return {name: text.partition("\n")[0].rstrip(".") for name, text in documented.items()}
