"""The commands of docs/scaling.md that need one machine, as they stand there."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_run import ROOT

PAGE = (ROOT / "docs/scaling.md").read_text("utf-8")


def commands() -> list[str]:
    section = PAGE.partition("## Two processes on this machine\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```bash\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    return "".join(blocks).splitlines()


@pytest.mark.slow
def test_two_processes_and_then_one_train_a_model(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    lines = [line.replace(":1234", f":{port}") for line in commands()]
    assert len(lines) == 4
    lines = [
        line.replace("python train.py", f"{sys.executable} {ROOT}/train.py")
        .replace("python -m", f"{sys.executable} -m")
        .replace("=configs/", f"={ROOT}/configs/")
        for line in lines
    ]
    done = subprocess.run(
        ["bash", "-ec", "\n".join([*lines[:2], "wait %1", *lines[2:]])],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "2 devices, data 1 x model 2" in done.stdout
    assert "; step 20 of 40" in done.stdout
    assert re.search(r"^step +40$", done.stdout, re.MULTILINE)
