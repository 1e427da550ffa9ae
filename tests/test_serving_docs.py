"""The commands of docs/serving.md, in its order, with tiny models under the names that it uses."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_checkpoints

pytest.importorskip("prometheus_client")

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(
    r"^```bash\n(.*?)^```", (ROOT / "docs/serving.md").read_text(), re.DOTALL | re.MULTILINE
)
NAMES = {
    "python_docs_lstm": "characters",
    "python_docs_topics": "topics",
    "toy_german_attention": "german",
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Types lines in a directory of its own; what goes on until Ctrl-C is ended in the end."""
    room = tmp_path_factory.mktemp("serving")
    for name, tiny in NAMES.items():
        run = tiny_checkpoints.save(room / "runs", tiny)
        shutil.copytree(run / "checkpoints/1", room / "released" / name)
    ports = {f":{port}": f":{free_port()}" for port in (8000, 8001)}
    ports |= {f"port={port[1:]}": f"port={free[1:]}" for port, free in ports.items()}
    environment = os.environ | {"ZOO_CHECKPOINTS": str(room / "released"), "PYTHONPATH": str(ROOT)}
    few = {"--max_characters=200": "--max_characters=40"}  # fewer programs
    services = []

    def type_(line):
        for told, typed in {**ports, **few}.items():
            line = line.replace(told, typed)
        line = line.replace("python ", f"{sys.executable} ", 1).replace(
            "benchmarks/", f"{ROOT}/benchmarks/"
        )
        if " serve " in line:
            services.append(
                subprocess.Popen(line.split(), cwd=room, env=environment, stdout=subprocess.PIPE)
            )
            assert services[-1].stdout.readline().startswith(b"serving ")
            return ""
        done = subprocess.run(
            ["bash", "-c", line], cwd=room, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (line, done.stderr)
        return done.stdout

    yield type_
    for service in services:
        service.send_signal(signal.SIGTERM)
    for service in services:
        assert service.wait(60) == 143
        service.stdout.close()


@pytest.mark.skipif(not shutil.which("curl"), reason="the page types curl")
def test_every_command_does_what_the_page_says(shell):
    said = {}
    for block in BLOCKS:
        for line in block.splitlines():
            if not line.startswith("pip install"):  # which .ci/run does
                said[line] = shell(line)
    answers = {
        line.split("/v1/")[1].split()[0]: json.loads(text)
        for line, text in said.items()
        if "/v1/" in line and "stream" not in line
    }
    texts = [one["text"] for one in answers["generate"]["results"]]
    assert [text[:7] for text in texts] == ["The for", "A class"]
    assert len(answers["classify"]["results"][0]["labels"]) == 1
    assert answers["translate"]["model"] == "toy_german_attention"
    assert answers["models"]["models"][0]["name"] == "python_docs_lstm"
    (events,) = [text for line, text in said.items() if "stream" in line]
    assert events.startswith("event: start\n")
    assert "event: end\n" in events
    (table,) = [text for line, text in said.items() if "load.py" in line]
    assert table.count("| classify |") == 3
    (metrics,) = [text for line, text in said.items() if line.endswith("/metrics")]
    assert 'zoo_requests_total{path="/v1/translate",status="200"} 1.0' in metrics


def test_every_flag_it_names_is_one():
    told = subprocess.run(
        [sys.executable, "-m", "zoo", "serve", "--help"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    page = (ROOT / "docs/serving.md").read_text()
    table = page.split("## Flags")[1].split("\n## ")[0]
    for flag in re.findall(r"`(--\w+)`", table):
        assert f"{flag} " in told, flag
