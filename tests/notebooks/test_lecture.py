"""The lecture's notebook runs from start to end, in its short mode, and shows what it says."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "lecture.ipynb"


def test_it_runs_from_start_to_end(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_SHORT", "1")
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(ROOT)}}
    )
    client.execute()
    pictures = {path.name for path in (tmp_path / "runs").glob("*.png")}
    assert pictures == {"surfaces.png", "gradients.png", "tokens.png", "alignment.png"}
    shown = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output
    ]
    assert sum("image/png" in output["data"] for output in shown) == len(pictures)
    assert "with KN5" in "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )


def test_it_is_a_notebook_and_names_no_place():
    text = NOTEBOOK.read_text("utf-8")
    nbformat.validate(nbformat.reads(text, as_version=4))
    assert "/home/" not in text
    assert "/tmp/" not in text
