"""`import zoo` costs nothing and every public name is there."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import zoo

ROOT = Path(__file__).parents[1]


def run_python(program):
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_import_loads_nothing_heavy():
    heavy = "{'jax', 'flax', 'numpy', 'optax', 'orbax', 'tensorflow_datasets', 'ml_collections'}"
    assert run_python(f"import sys, zoo; print({heavy} & set(sys.modules))") == "set()\n"


@pytest.mark.parametrize("name", zoo.__all__)
def test_every_public_name_is_there_described_and_listed(name):
    value = getattr(zoo, name)
    assert name in dir(zoo)
    if name == "__version__":
        assert value[0].isdigit()
    else:
        assert inspect.getdoc(value)
        assert value.__name__ == name


def test_type_checkers_see_the_same_names_from_the_same_modules():
    tree = ast.parse((ROOT / "zoo" / "__init__.py").read_text())
    (checked,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    imported = {
        alias.name: node.module
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    lazily = {name: getattr(zoo, name).__module__ for name in zoo.__all__ if name != "__version__"}
    assert imported == lazily


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'zoo' has no attribute 'generat'"):
        zoo.generat  # noqa: B018


def test_submodules_are_importable_beside_the_lazy_names():
    assert run_python("from zoo import hub; print(hub.__name__)") == "zoo.hub\n"


def test_the_command_line_prints_the_version(capsys):
    from zoo.__main__ import main

    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"recurrent-zoo {zoo.__version__}\n"
