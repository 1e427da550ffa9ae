"""The picture and the page of the cells have all of them."""

from pathlib import Path

from tiny_run import ROOT

from docs.family_tree import TREE, main
from zoo.layers.cells import cell_names


def test_each_cell_stands_once_in_the_tree() -> None:
    shown = [name for kin in TREE for name in kin.names]
    assert sorted(shown) == sorted(cell_names())


def test_each_cell_has_its_paragraph() -> None:
    page = (ROOT / "docs" / "cells.md").read_text("utf-8")
    changed = page.partition("\n## What each cell changed\n")[2].partition("\n## ")[0]
    assert {name for name in cell_names() if f"`{name}`" not in changed} == set()


def test_the_picture_is_drawn(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["family_tree.py", str(tmp_path / "cells.png")])
    main()
    assert (tmp_path / "cells.png").stat().st_size > 10_000
