"""The Dockerfile, as far as it can be checked without a registry and without Docker."""

import argparse
import json
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import tiny_checkpoints

pytest.importorskip("prometheus_client")

from running_service import Running

from zoo.commands import serve
from zoo.serve.models import ServedModels

ROOT = Path(__file__).parents[1]


def instructions():
    """The lines of the last image: pairs of an instruction and its argument."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = [tuple(line.split(maxsplit=1)) for line in lines]
    last = max(place for place, (name, _) in enumerate(pairs) if name == "FROM")
    return pairs[:last], pairs[last:]


def argument(name):
    (found,) = [value for key, value in instructions()[1] if key == name]
    return found


def test_the_image_has_a_wheel_and_no_sources():
    building, final = instructions()
    assert any("pip wheel" in value for name, value in building if name == "RUN")
    copied = [value for name, value in final if name == "COPY"]
    assert copied == ["--from=build /wheels /wheels"]
    assert not [name for name, _ in building + final if name == "ADD"]


def test_it_runs_as_a_user_without_rights():
    names = [name for name, _ in instructions()[1]]
    assert int(argument("USER").split(":")[0]) > 0
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "RUN" not in names[names.index("USER") :]


def test_its_command_is_one_that_the_package_has():
    entry, names = json.loads(argument("ENTRYPOINT")), json.loads(argument("CMD"))
    assert entry[:4] == ["python", "-m", "zoo", "serve"]
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    arguments = parser.parse_args([*entry[4:], *names])
    assert arguments.api
    assert arguments.host == "0.0.0.0"
    assert str(arguments.port) == argument("EXPOSE")
    assert all((ROOT / "checkpoints" / name).is_dir() for name in arguments.checkpoints)


def test_its_health_check_says_whether_the_service_lives(tmp_path):
    command = json.loads(argument("HEALTHCHECK").partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]

    def check(port):
        program = command[2].replace(f":{argument('EXPOSE')}/", f":{port}/")
        assert program != command[2]
        done = subprocess.run([sys.executable, "-c", program], capture_output=True)
        return done.returncode

    models = ServedModels([str(tiny_checkpoints.save(tmp_path, "characters"))])
    service = Running(models)
    try:
        assert check(service.port) == 0
    finally:
        service.stop()
    assert check(service.port) != 0


WRITES_NOTHING = """
import os, sys, threading, time, urllib.request
import signal
allowed = ("/dev/", "/proc/", os.environ["TMPDIR"])

def watch(event, arguments):
    wanted = ()
    if event == "open" and isinstance(arguments[0], str):
        flags = arguments[2] if isinstance(arguments[2], int) else 0
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            wanted = arguments[:1]
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.symlink", "os.link", "os.truncate"):
        wanted = arguments[:1]
    for path in wanted:
        if not os.path.abspath(os.fspath(path)).startswith(allowed):
            print("wrote", event, path, flush=True)

sys.addaudithook(watch)

def ask():
    address = ""
    while not address:
        time.sleep(0.1)
        address = output.address
    while True:
        try:
            urllib.request.urlopen(address + "/ready").read()
            break
        except OSError:
            time.sleep(0.1)
    request = urllib.request.Request(
        address + "/v1/generate", b'{"prompts": ["a"], "max_tokens": 3}',
        {"Content-Type": "application/json"},
    )
    print("answered", urllib.request.urlopen(request).status, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

class Output:
    address = ""
    def __init__(self, stream): self.stream = stream
    def write(self, text):
        if " on http" in text: self.address = text.split(" on ")[1].split(" until ")[0]
        return self.stream.write(text)
    def __getattr__(self, name): return getattr(self.stream, name)

output = sys.stdout = Output(sys.stdout)
threading.Thread(target=ask, daemon=True).start()
from zoo.__main__ import main
main(["serve", "--api", sys.argv[1], "--port=0", "--slots=2", "--max_characters=20"])
"""


def test_it_writes_nothing_outside_of_tmp(tmp_path):
    place = tiny_checkpoints.save(tmp_path, "characters")
    room = tmp_path / "tmp"
    room.mkdir()
    environment = dict(
        pair.split("=", 1) for pair in shlex.split(argument("ENV"))
    )  # as the image sets it
    assert environment.pop("HOME") == argument("WORKDIR") == "/tmp"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WRITES_NOTHING), str(place)],
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "HOME": str(room)}
        | {"TMPDIR": str(room)}
        | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "answered 200" in done.stdout, done.stderr
    assert "wrote" not in done.stdout


def test_what_the_image_needs_is_sent_to_it():
    left_out = (ROOT / ".dockerignore").read_text().split()
    needed = ("zoo", "checkpoints", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md")
    for name in needed:
        assert (ROOT / name).exists()
        assert name not in left_out
    assert "tests" in left_out
    assert ".*" in left_out  # the history of the repository among them
    assert re.fullmatch(r"\d\.\d+", dict(instructions()[0])["ARG"].removeprefix("PYTHON="))
