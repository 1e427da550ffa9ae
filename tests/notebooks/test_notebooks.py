"""The notebooks: outputs that belong to their cells, no error, and a run from start to end."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_run import ROOT

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
executing = pytest.importorskip("notebooks.execute")

NAMES = ("lecture", "own_table")
BOOKS = {name: ROOT / "notebooks" / f"{name}.ipynb" for name in NAMES}
NUM_PICTURES = {"lecture": 5, "own_table": 2}


def read(name: str):
    return nbformat.read(BOOKS[name], as_version=4)


def sources(name: str) -> list[str]:
    return [cell.source for cell in executing.code_cells(read(name))]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_belong_to_their_cells_and_have_no_fault(name: str) -> None:
    """`python notebooks/execute.py NOTEBOOK` makes them anew."""
    notebook = read(name)
    nbformat.validate(notebook)
    assert executing.find_faults(notebook) == []
    assert BOOKS[name].stat().st_size <= executing.MOST_BYTES
    outputs = [output for cell in executing.code_cells(notebook) for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == NUM_PICTURES[name]
    assert all(cell.execution_count for cell in executing.code_cells(notebook))


def test_faults_are_found() -> None:
    def faults(*outputs, source="1", hashed="1"):
        cell = nbformat.v4.new_code_cell(source, outputs=list(outputs))
        cell.metadata[executing.HASH] = executing.source_hash(hashed)
        return executing.find_faults(nbformat.v4.new_notebook(cells=[cell]))

    stream = nbformat.v4.new_output("stream", text="all is well")
    assert faults(stream) == []
    assert "another source" in faults(stream, source="2")[0]
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no")
    assert faults(error) == ["code cell 1: ValueError: no"]
    path = nbformat.v4.new_output("stream", text="/home/me/zoo")
    assert "a path of this machine" in faults(path)[0]
    assert "at most" in faults(nbformat.v4.new_output("stream", text="x" * executing.MOST_BYTES))[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_address_is_a_placeholder_that_stands_at_the_top(name: str) -> None:
    first, badge = sources(name)[0], read(name).cells[0].source
    (address,) = re.findall(r'^REPOSITORY = "https://github\.com/(\S+)"$', first, re.MULTILINE)
    assert address.startswith("OWNER/")
    place = f"https://colab.research.google.com/github/{address}/blob/main/notebooks/{name}.ipynb"
    assert f"]({place})" in badge


@pytest.mark.parametrize("name", NAMES)
def test_without_the_zoo_and_an_address_it_says_what_to_do(name: str, tmp_path: Path) -> None:
    """As IPython shows it: what `_render_traceback_` gives."""
    (tmp_path / "cell.py").write_text(sources(name)[0])
    program = (
        "import importlib.util, sys\n"
        "importlib.util.find_spec = lambda name: None\n"
        "try:\n    exec(open('cell.py').read())\n"
        "except Exception as error:\n    sys.exit('\\n'.join(error._render_traceback_()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr == (
        "Recurrent Zoo is not installed. Replace OWNER in the address in this cell.\n"
    )


@pytest.mark.parametrize("name", NAMES)
def test_with_an_address_it_is_installed_from_there(name: str, tmp_path, monkeypatch) -> None:
    commands = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    exec(sources(name)[0].replace("com/OWNER", "com/somebody"), {})
    assert re.fullmatch(
        r"recurrent-zoo\[[\w,]+\] @ git\+https://github\.com/somebody/recurrent-zoo",
        commands[0][-1],
    )


def test_every_section_of_the_lecture_ends_with_an_exercise() -> None:
    text = [cell.source for cell in read("lecture").cells]
    sections = "\n".join(text).split("\n## ")[2:-1]  # without the set-up, and where to read on
    assert len(sections) == 10
    for section in sections:
        assert section.count("**Exercise.**") == 1
        exercise = section.partition("**Exercise.**")[2]
        assert re.search(r"(?ms)^answer = \.\.\.$.*^check\(\s*answer,\s", exercise)
        assert exercise.rstrip().endswith("</details>")


def with_answers(notebook):
    """The notebook with each answer, from the cell behind it, in the place of the dots."""
    for cell, after in zip(notebook.cells, notebook.cells[1:], strict=False):
        if "\nanswer = ..." in f"\n{cell.source}":
            (answer,) = re.findall(r"```python\n(.*?)\n```", after.source, re.DOTALL)
            ast.parse(answer)
            cell.source = cell.source.replace("answer = ...", answer)
    return notebook


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_from_start_to_end_and_its_answers_are_right(name: str) -> None:
    notebook = with_answers(read(name))
    executing.execute(notebook)
    assert executing.find_faults(notebook) == []
    told = "".join(
        output.get("text", "") for cell in executing.code_cells(notebook) for output in cell.outputs
    )
    assert told.count("Right.") == (10 if name == "lecture" else 0)
    assert "Not yet" not in told
