"""Executes the notebooks, and keeps their outputs in them.

    pip install '.[plots,serve,test,translation]'
    python notebooks/execute.py notebooks/lecture.ipynb notebooks/own_table.ipynb

Each notebook runs in an empty directory, so that every training starts anew. nbclient executes it.
This is the library behind `jupyter execute`: the Jupyter project maintains it, and it needs neither
a server nor a browser. Each code cell keeps a hash of its source in its metadata. A test compares
the hashes, so that outputs belong to their cells. A notebook with an error, or with a path of this
machine in an output, is not written.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import nbclient
import nbformat

ROOT = Path(__file__).parents[1]
HASH = "source_sha256"
MOST_BYTES = 1_000_000
# What paths of a machine begin with, or go through.
FOREIGN = ("/home/", "/root/", "/tmp/", "/work/", "/usr/", "/Users/", "site-packages")


def main() -> None:
    """Executes the notebooks that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", type=Path, nargs="+", metavar="NOTEBOOK")
    for path in parser.parse_args().notebooks:
        notebook = nbformat.read(path, as_version=4)
        started = time.monotonic()
        execute(notebook)
        if faults := find_faults(notebook):
            raise SystemExit("\n".join([f"{path} is not written:", *faults]))
        path.write_text(nbformat.writes(notebook) + "\n", "utf-8")
        print(
            f"{path}: {(time.monotonic() - started) / 60:.1f} minutes, {path.stat().st_size} bytes"
        )


def execute(notebook: Any, timeout: int = 3600) -> None:
    """Executes a notebook in an empty directory and marks each cell with the hash of its source.

    Args:
        notebook: as nbformat reads it; its outputs are replaced.
        timeout: seconds that one cell may take.
    """
    places = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    with tempfile.TemporaryDirectory() as directory:
        own = {"PYTHONPATH": os.pathsep.join(filter(None, places)), "IPYTHONDIR": directory}
        client = nbclient.NotebookClient(
            notebook,
            timeout=timeout,
            allow_errors=True,
            record_timing=False,
            resources={"metadata": {"path": directory}},
        )
        client.execute(env={**os.environ, **own})
    for cell in code_cells(notebook):
        cell.metadata[HASH] = source_hash(cell.source)
        cell.outputs = _joined(cell.outputs)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}


def code_cells(notebook: Any) -> list[Any]:
    """Returns the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def source_hash(source: str) -> str:
    """Returns the hash of a cell's source."""
    return hashlib.sha256(source.encode()).hexdigest()


def find_faults(notebook: Any) -> list[str]:
    """Returns what is wrong with the outputs of a notebook, one line for each fault."""
    faults = []
    for number, cell in enumerate(code_cells(notebook), 1):
        if cell.metadata.get(HASH) != source_hash(cell.source):
            faults.append(
                f"code cell {number}: the outputs are of another source; execute it again"
            )
        for output in cell.outputs:
            if output.output_type == "error":
                faults.append(f"code cell {number}: {output.ename}: {output.evalue}")
            told = json.dumps({key: value for key, value in output.items() if key != "metadata"})
            pictures = [data for data in output.get("data", {}) if data.startswith("image/")]
            if not pictures and any(place in told for place in FOREIGN):
                faults.append(f"code cell {number}: an output names a path of this machine: {told}")
    size = len(nbformat.writes(notebook).encode())
    if size > MOST_BYTES:
        faults.append(f"the notebook has {size} bytes; at most {MOST_BYTES} are allowed")
    return faults


def _joined(outputs: list[Any]) -> list[Any]:
    """Returns outputs with the pieces of one stream joined, whichever pieces it came in."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


if __name__ == "__main__":
    main()
