"""`python -m zoo serve` as it is typed."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from zoo.__main__ import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(capsys):
    """Runs it in this process; gives its exit code, output and errors."""

    def run(*arguments):
        code = main(["serve", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


def test_a_name_that_is_no_model_ends_it_before_it_starts(command, places):
    code, out, err = command(places[0], "no-such-model", "--port=0")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: there is no checkpoint 'no-such-model'")


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_a_missing_package_is_told(command, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert command("x") == (
        2,
        "",
        f"error: the page needs the package {package}; type: pip install 'recurrent-zoo[serve]'\n",
    )


def test_without_a_name_and_without_a_release_it_asks_for_one(command, monkeypatch):
    monkeypatch.setattr("zoo.hub.list_checkpoints", list)
    code, _, err = command()
    assert (code, err.count("\n")) == (2, 1)
    assert "no checkpoint is released here; give a name" in err


@pytest.mark.parametrize("flag", ["--port=65536", "--port=-1", "--port=web", "--host=no.such.host"])
def test_an_address_that_won_t_do_is_told(command, places, flag):
    code, out, err = command(places[0], flag)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert flag[2:6] in err


@pytest.mark.parametrize("host", ["", " "])
def test_an_empty_host_is_refused_before_any_model_is_read(command, monkeypatch, host):
    monkeypatch.setattr("zoo.hub.list_checkpoints", lambda: pytest.fail("models were looked for"))
    code, out, err = command(f"--host={host}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: --host is empty, which would open the page to every network")


@pytest.mark.parametrize("host", ["a" * 300, ".." * 40, "\udcff", "[::1]"])
def test_a_host_that_can_be_no_name_is_told(command, places, host):
    code, out, err = command(places[0], f"--host={host}", "--port=0")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("host", "bound", "said"),
    [
        ("127.0.0.1", "127.0.0.1", " until"),
        ("localhost", "localhost", " until"),
        ("0.0.0.0", "0.0.0.0", ", open to every network of this computer, until"),
        ("0", "0.0.0.0", ", open to every network of this computer, until"),
        ("0x0", "0.0.0.0", ", open to every network of this computer, until"),
    ],
)
def test_it_says_whom_it_serves(command, places, monkeypatch, host, bound, said):
    hosts = []

    def serve(models, listening, host):
        listening.close()
        hosts.append(host)

    monkeypatch.setattr("zoo.commands.serve._serve", serve)
    code, out, err = command(places[0], f"--host={host}", "--port=0")
    assert (code, err, hosts) == (0, "", [bound])
    assert re.search(rf"serving lstm on http://{re.escape(bound)}:\d+{said} Ctrl-C\n", out)


def test_a_port_that_is_taken_is_told(command, places):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, _, err = command(places[0], f"--port={port}")
    assert (code, err.count("\n")) == (2, 1)
    assert f"cannot listen on port {port} of 127.0.0.1: Address already in use" in err


def test_other_commands_load_no_server():
    program = "import sys, zoo.__main__; print({'starlette', 'uvicorn', 'jax'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n"


def test_it_serves_this_computer_until_ctrl_c_even_while_it_writes(places):
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("started in a shell's background, where Ctrl-C is ignored")
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", "serve", *places, "--port=0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("serving lstm, gru, counts, characters, topics, names,")
        address = line.split(" on ")[1].split(" until ")[0]
        assert address.startswith("http://127.0.0.1:")
        request = urllib.request.Request(
            f"{address}/api/generate",
            json.dumps({"model": "characters", "max_tokens": 500}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.loads(answer.readline()) == {"models": ["characters"], "unknown": []}
            process.send_signal(signal.SIGINT)
            deadline = time.monotonic() + 60
            assert process.wait(deadline - time.monotonic()) == 130
        assert process.stderr.read().strip() in ("", "interrupted")
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
