"""The experiment on cells: every model is as large as it may be, and the report is complete."""

import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from experiments.cells import (
    KINDS,
    MOST_PARAMETERS,
    Entry,
    make_config,
    num_parameters,
    widest,
    write_report,
)
from zoo.layers.cells import cell_names

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("cell", cell_names())
def test_a_model_is_as_large_as_it_may_be(cell: str) -> None:
    width = widest(cell)
    assert width % 8 == 0
    assert num_parameters(cell, width) <= MOST_PARAMETERS < num_parameters(cell, width + 8)
    assert num_parameters(cell, width) > 0.95 * MOST_PARAMETERS


def test_all_cells_get_the_same_but_for_the_cell_and_the_width() -> None:
    arguments = Namespace(smoke=False, data_directory="DIR", num_seeds=2, num_steps=2656)
    one, other = (make_config(cell, arguments).to_dict() for cell in ("lstm", "s5"))
    for name in ("cell", "embedding_size", "hidden_sizes"):
        assert one["model"].pop(name) != other["model"].pop(name)
    assert one == other
    assert one["training"]["num_steps"] == 2656


def test_the_report_has_the_best_cell_first(tmp_path: Path) -> None:
    def entry(cell: str, perplexity: float) -> Entry:
        scores = {kind: [perplexity + n, perplexity + n + 2] for n, kind in enumerate(KINDS)}
        return Entry(cell, 160, 2_299_000, scores, 1.25)

    arguments = Namespace(workdir=tmp_path, num_seeds=2, num_steps=2656)
    table = write_report(arguments, [entry("gru", 130.0), entry("lstm", 120.0)])
    assert (tmp_path / "cells.md").read_text() == table
    assert (tmp_path / "cells.png").stat().st_size > 5_000
    assert re.findall(r"`(\w+)`", table) == ["lstm", "gru"]
    row = "| `lstm` | 160 | 2,299,000 | 121.0 +- 1.4 | 122.0 +- 1.4 | 123.0 +- 1.4 | 124.0 +- 1.4 |"
    assert f"{row} 1.2 |" in table.splitlines()


@pytest.mark.slow
def test_a_stopped_experiment_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "experiments/cells.py", f"--workdir={tmp_path}", "--smoke"]
    first, again = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert "== gru" in first
    assert "==" not in again  # every run had finished
    assert again.splitlines()[-1] == first.splitlines()[-1]
    assert all(f"`{cell}`" in again for cell in ("gru", "lru"))
