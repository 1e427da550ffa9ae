"""`python -m zoo serve --api` as it is typed."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import tiny_checkpoints

from zoo.__main__ import main

ROOT = Path(__file__).parents[3]
FLAGS = ["--port=0", "--slots=2", "--max_characters=20", "--beam_sizes=2"]
TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return str(tiny_checkpoints.save(tmp_path_factory.mktemp("command"), "characters"))


@pytest.fixture
def command(capsys):
    """Runs it in this process; gives its exit code, output and errors."""

    def run(*arguments):
        code = main(["serve", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--slots=4"], "--slots is a flag of the service; add --api, or leave it out"),
        (["--token_file=x"], "--token_file is a flag of the service"),
        (["--workers=2"], "--workers is a flag of the service"),
        (["--api", "--workers=0"], "--workers is 0; use 1 to 256"),
        (["--api", "--slots=0"], "slots is 0; use 1 to 1,024"),
        (["--api", "--max_texts=-1"], "max_texts is -1; use 1 to 1,024"),
        (["--api", "--timeout=nan"], "timeout is nan; use a number of at least 0"),
        (["--api", "--rate=-1"], "rate is -1.0; use a number of at least 0"),
        (["--api", "--beam_sizes=5,99"], "use beam sizes from 1 to 32"),
        (["--api", "--beam_sizes=a"], "argument --beam_sizes: invalid"),
        (["--api", "--allow_host=a b"], "allow_host is 'a b'; use the name of a host"),
        (["--api", "--token_file=/no/such/file"], "cannot be read: No such file or directory"),
    ],
)
def test_a_flag_that_won_t_do_is_told_before_any_model_is_read(command, flags, told):
    code, out, err = command("no-such-model", *flags)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err


def test_a_token_that_is_too_short_is_told_without_it(command, tmp_path, monkeypatch):
    (tmp_path / "token").write_text("secret\n")
    code, _, err = command("x", "--api", f"--token_file={tmp_path / 'token'}")
    assert (code, err.count("\n")) == (2, 1)
    assert "the token is too short" in err
    monkeypatch.setenv("ZOO_SERVE_TOKEN", "another secret")
    code, _, err = command("x", "--api")
    assert code == 2
    assert "the token is too short" in err
    assert "secret" not in err.replace("secrets", "")
    (tmp_path / "token").write_text("\n")
    assert "is empty" in command("x", "--api", f"--token_file={tmp_path / 'token'}")[2]


@contextlib.contextmanager
def running(*arguments, **environment):
    """The service in a process of its own; gives the process and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", "serve", "--api", *arguments, *FLAGS],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        found = re.search(r"serving .* on (http://\S+?:\d+) until Ctrl-C", line)
        assert found, line + process.stderr.read()
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def wait_until_ready(address):
    deadline = time.monotonic() + 300
    with httpx.Client(base_url=address, timeout=60) as client:
        while client.get("/ready").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_it_ends_what_it_began_when_it_is_stopped(place):
    with running(place, ZOO_SERVE_TOKEN=TOKEN) as (process, address):
        wait_until_ready(address)
        request = {"prompts": ["a net"] * 6, "max_tokens": 500}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx.post(f"{address}/v1/generate", json=request).status_code == 401
        answers = []

        def ask():
            answers.append(
                httpx.post(f"{address}/v1/generate", json=request, headers=headers, timeout=120)
            )

        asking = threading.Thread(target=ask)
        asking.start()
        metrics = ""
        while 'zoo_batch_texts_count{model="characters"}' not in metrics:
            metrics = httpx.get(f"{address}/metrics", headers=headers).text
        process.send_signal(signal.SIGTERM)
        asking.join(120)
        assert process.wait(60) == 143
        assert [one.status_code for one in answers] == [200]
        assert [one["num_tokens"] for one in answers[0].json()["results"]] == [500] * 6
        log = process.stderr.read().splitlines()
    records = [json.loads(line) for line in log if line != "terminated"]
    assert [one["event"] for one in records if one["event"] != "request"] == ["ready", "stopped"]
    (finished,) = [
        one for one in records if one.get("path") == "/v1/generate" and one["status"] == 200
    ]
    assert {"time", "level", "id", "client", "method", "seconds"} <= finished.keys()
    assert TOKEN not in "".join(log)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")
def test_two_workers_answer_at_one_address_and_a_third_takes_the_place_of_one(place, monkeypatch):
    program = (
        "import sys; from zoo.serve import workers; workers._SHORTEST_LIFE = 0.0; "
        "from zoo.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--api", place, "--workers=2", *FLAGS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        lines = [process.stdout.readline() for _ in range(2)]
        address = re.search(r"http://\S+?:\d+", lines[0])[0]
        first, second = (int(line.rsplit(" ", 1)[1]) for line in lines)
        assert first != second
        wait_for_workers(address, 2)
        os.kill(first, signal.SIGKILL)
        third = int(process.stdout.readline().rsplit(" ", 1)[1])
        assert third not in (first, second)
        wait_for_workers(address, 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        for worker in (second, third):
            with pytest.raises(ProcessLookupError):
                os.kill(worker, 0)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def wait_for_workers(address, count):
    """Waits until that many workers say that they are ready."""
    deadline = time.monotonic() + 300
    page = ""
    while f"zoo_ready_workers {count:.1f}" not in page:
        assert time.monotonic() < deadline
        with contextlib.suppress(httpx.HTTPError):
            page = httpx.get(f"{address}/metrics", timeout=60).text
        time.sleep(0.1)


def test_a_worker_that_cannot_start_ends_the_service(command, tmp_path):
    program = "import sys; from zoo.__main__ import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, "serve", "--api", str(tmp_path), "--workers=2", *FLAGS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "error: a worker ended soon after its start, with code 2" in done.stderr
