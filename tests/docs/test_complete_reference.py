"""The reference has every public name, every field of every config and every command."""

import dataclasses
import re
import subprocess
import sys

import pytest
from tiny_run import ROOT

import zoo
from zoo.__main__ import COMMANDS
from zoo.training.config_fields import record_fields

sys.path.insert(0, str(ROOT / "docs" / "extensions"))

import made

REFERENCE = ROOT / "docs" / "reference"
ROOMS = sorted(path.parent.name for path in (ROOT / "zoo").glob("*/__init__.py"))


def test_every_public_name_stands_in_one_group() -> None:
    groups = re.findall(r"<!-- made: names (.*) -->", (REFERENCE / "api.md").read_text("utf-8"))
    names = " ".join(groups).split()
    assert sorted([*names, "__version__"]) == sorted(zoo.__all__)
    assert "`zoo.__version__`" in (REFERENCE / "api.md").read_text("utf-8")


@pytest.mark.parametrize("record", [record for _, record in made.records()])
def test_every_field_of_a_config_is_described(record: type) -> None:
    described = {name: told for name, _, told in record_fields(record)}
    assert list(described) == [field.name for field in dataclasses.fields(record)]
    assert all(described.values()), described
    assert all(f".{name}`" in made.fields() for name in described)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_of_a_command_is_described(name: str) -> None:
    parser = made.parsers()[name]
    _, _, page = made.commands().partition(f"## {name}\n")
    page = page.partition("\n## ")[0]
    for action in (one for one in parser._actions if one.dest != "help"):
        assert action.help, action
        assert f"`{action.option_strings[0] if action.option_strings else action.metavar}" in page


def test_every_flag_of_train_py_is_described() -> None:
    done = subprocess.run(
        [sys.executable, "train.py", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    flags = re.findall(r"^  (--\w+)", done.stdout, re.MULTILINE)
    assert {"--workdir", "--coordinator"} <= set(flags)
    _, _, page = made.commands().partition("## train\n")
    assert all(flag in page.partition("\n## ")[0] for flag in flags)


def test_every_module_has_a_page() -> None:
    pages = {path.stem for path in (REFERENCE / "modules").glob("*.md")} - {"index"}
    assert pages == {*ROOMS, "zoo"}
    listed = [name for page in pages for name in made.module_names(page)]
    files = [path for path in (ROOT / "zoo").rglob("*.py") if path.parent != ROOT / "zoo"]
    assert len(listed) == len(set(listed))
    assert len(listed) >= len(files)


def test_all_models_corpora_and_configs_are_there() -> None:
    models, corpora, configs = made.models(), made.corpora(), made.configs()
    assert all(f"\n## {one.name}\n" in models for one in zoo.list_checkpoints())
    assert all(f"## {path.stem}\n" in configs for path in (ROOT / "configs").glob("*.py"))
    assert "| `toy_german` | none |" in corpora
    assert "train: `ptb.train.txt`" in corpora


def test_a_part_is_made_in_place_of_its_comment() -> None:
    assert made.expand("a\n<!-- made: names load -->\nb").splitlines()[1:4] == [
        "```{eval-rst}",
        ".. autofunction:: zoo.load",
        "",
    ]
