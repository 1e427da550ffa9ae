"""Imports point down only, wherever they stand in a file; and no file grows past one sitting."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "zoo").rglob("*.py"))
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in FILES}

# What each room may import of ours beside itself: rooms, or single modules of them.
DOWN = {
    "types": set(),
    "errors": set(),
    "special_tokens": set(),
    "progress": set(),
    "side_by_side": {"types"},
    "fetching": {"types"},
    "kept": set(),
    "by_name": set(),
    "checks": {"errors"},
    "given": {"errors"},
    "whole_file": {"errors"},
    "whole_characters": {"errors"},
    "unique_keys": set(),
    "buckets": {"errors"},
    "layers": {"checks", "errors"},
    "report": {"errors", "whole_file"},
    "cards": {"errors"},
    "terminal": {"errors"},
    "data": {
        "buckets",
        "checks",
        "errors",
        "kept",
        "special_tokens",
        "unique_keys",
        "whole_characters",
    },
    "models": {"by_name", "checks", "layers", "errors", "special_tokens"},
    "exchange": {"models", "data", "errors", "special_tokens", "whole_characters", "whole_file"},
    "decoding": {
        "models",
        "layers",
        "data",
        "checks",
        "errors",
        "fetching",
        "given",
        "progress",
        "side_by_side",
        "special_tokens",
        "whole_characters",
    },
    "evaluation": {
        "models",
        "layers",
        "data",
        "decoding.translation",
        "checks",
        "errors",
        "fetching",
        "given",
        "progress",
        "side_by_side",
        "special_tokens",
    },
}
DOWN["diagnostics"] = DOWN["evaluation"] | {"evaluation", "whole_file"}
DOWN["tasks"] = DOWN["diagnostics"] | {"diagnostics", "decoding", "hub"}
DOWN["training"] = DOWN["tasks"] | {"buckets", "tasks", "report", "hub", "terminal", "whole_file"}
DOWN["soundness"] = {
    "training.checkpoints",
    "training.arrays",
    "training.compact",
    "training.step_files",
    "training.stored",
    "errors",
}
DOWN["hub"] = {
    "buckets",
    "soundness",
    "cards",
    "training.checkpoints",
    "training.compact",
    "training.places",
    "models.registry",
    "models.trained",
    "tasks.registry",
    "tasks.task",
    "exchange",
    "given",
    "exchange.arpa",
    "exchange.safetensors_file",
    "errors",
}
DOWN["__init__"] = set(DOWN)
DOWN["serve"] = DOWN["diagnostics"] | {
    "unique_keys",
    "whole_characters",
    "diagnostics",
    "decoding",
    "report",
    "hub",
    "exchange",
    "tasks.registry",
    "terminal",
}
DOWN["commands"] = set(DOWN)
DOWN["__main__"] = {"__init__", "commands", "errors", "kept", "terminal"}

# Above zoo, and so never imported by it.
TOP = {"train", "configs", "experiments", "benchmarks", "tests"}
# What maths on arrays has no business with.
OUTSIDE_MATHS = {"optax", "orbax", "tensorflow_datasets", "ml_collections", "absl", "argparse"}


def room_of(module: str) -> str:
    """`zoo.data.batching` is in the room data; `zoo` itself is __init__."""
    return module.split(".")[1] if "." in module else "__init__"


def imported(source: str) -> set[str]:
    """The modules that a file imports at any depth, or names in a string to import later."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports from the top: from zoo.room import name"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = inner in MODULES or f"{inner}.__init__" in MODULES
                modules.add(inner if is_module else str(node.module))
        elif isinstance(node, ast.Constant) and node.value in MODULES:
            modules.add(str(node.value))
    return modules


def edges_up(room: str, source: str) -> set[str]:
    """The imports of a file in that room that do not point down."""
    allowed = DOWN[room] | {room, "types"}
    found = set()
    for module in imported(source):
        top, _, inner = module.partition(".")
        outside = top in TOP or (room in ("layers", "models") and top in OUTSIDE_MATHS)
        ours = top == "zoo" and room_of(module) not in allowed and inner not in allowed
        if outside or ours:
            found.add(module)
    return found


def test_every_room_has_its_place() -> None:
    assert {room_of(module) for module in MODULES} <= set(DOWN)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    assert edges_up(room_of(module), MODULES[module].read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("layers", "from zoo.models.registry import build"),
        ("layers", "def f():\n    from zoo.data import batching"),
        ("layers", "import zoo"),
        ("models", "import optax"),
        ("models", "def f():\n    from ml_collections import ConfigDict"),
        ("models", "if TYPE_CHECKING:\n    import zoo.training.state"),
        ("data", "from zoo import tasks"),
        ("data", "MODULE = 'zoo.models.registry'"),
        ("evaluation", "from zoo.decoding.text import default_stop"),
        ("tasks", "from zoo.training.state import TrainState"),
        ("training", "def f():\n    from zoo.serve import app"),
        ("training", "import train"),
        ("hub", "from zoo.training.loop import train"),
        ("hub", "from zoo.models.recurrent_lm import RecurrentLM"),
        ("errors", "from zoo.layers import cells"),
    ],
)
def test_an_edge_that_points_up_is_found(room: str, source: str) -> None:
    assert edges_up(room, source)


def test_the_map_of_the_readme_is_in_the_order_of_the_imports() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rooms = re.findall(r"^zoo/(\w+)/", readme, re.MULTILINE)
    folders = {path.name for path in (ROOT / "zoo").iterdir() if (path / "__init__.py").exists()}
    assert set(rooms) == folders
    for number, room in enumerate(rooms):
        below = {name.partition(".")[0] for name in DOWN[room]} & folders
        assert below - {room} <= set(rooms[number + 1 :]), room


@pytest.mark.parametrize("module", MODULES)
def test_a_file_has_fewer_than_350_lines(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) < 350
