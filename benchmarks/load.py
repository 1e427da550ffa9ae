"""The service under load: requests per second and their latency, for each task.

    python benchmarks/load.py
    python benchmarks/load.py --clients=1,8 --seconds=5 --tasks=classify --json=load.json
    python benchmarks/load.py --memory_requests=20000
    python benchmarks/load.py --torch                    # needs PyTorch

Starts `python -m zoo serve --api` on a port of this computer, or uses a running service (--url,
only on this computer). Each client sends its next request when the last one is answered. In the
last row of a task, ill-behaved clients are added: some send half a request, some leave before the
answer, some hardly read. The measurement ends after a fixed time.

The clients are coroutines with httpx, which speaks HTTP as other programs do. A load generator such
as locust simulates users that wait and think, and has a page of its own. This script measures less:
a closed loop of requests in which every latency is kept. It also reports the clients' own work,
since they share the computer with the service.
"""

import argparse
import asyncio
import contextlib
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
_WORDS = ("the", "else", "clause", "runs", "when", "a", "loop", "ends", "and", "no", "exception")
_SENTENCES = ("das Kind wacht auf .", "der alte Hund schläft .", "die Frau ruft das Kind an .")
TASKS: dict[str, tuple[str, Any]] = {  # for each task a released model, and its request
    "generate": (
        "python_docs_lstm",
        lambda draw: {
            "prompts": ["The for statement"],
            "max_tokens": 64,
            "seed": draw.randrange(2**32),
        },
    ),
    "classify": (
        "python_docs_topics",
        lambda draw: {"texts": [" ".join(draw.choices(_WORDS, k=draw.randrange(5, 25)))]},
    ),
    "translate": (
        "toy_german_attention",
        lambda draw: {"texts": [draw.choice(_SENTENCES)]},
    ),
}


class Load(NamedTuple):
    """One row of the table.

    Attributes:
        task: generate, classify or translate.
        clients: number of clients at a time.
        bad_clients: number of ill-behaved clients beside them.
        refused: number of requests that were answered with 503 or 429.
        failed: number of requests with another answer than 200, or without an answer.
        rate: answered requests per second.
        p50, p95, p99: milliseconds until an answer, at these percentiles.
        batch: mean number of texts in a call of the model.
        megabytes: memory of the service afterwards.
        client_cpu: seconds of processor time of the clients for each second.
    """

    task: str
    clients: int
    bad_clients: int
    refused: int
    failed: int
    rate: float
    p50: float
    p95: float
    p99: float
    batch: float
    megabytes: float
    client_cpu: float


async def measure(url: str, task: str, clients: int, seconds: float, bad_clients: int = 0) -> Load:
    """Sends requests for some seconds, and counts the answers until then."""
    times: list[float] = []
    counts = {"refused": 0, "failed": 0}
    end = time.monotonic() + seconds

    async def ask(seed: int) -> None:
        draw = random.Random(seed)
        async with _connect(url) as client:
            while (started := time.monotonic()) < end:
                status = await _status(client, task, TASKS[task][1](draw))
                if status == 200:
                    times.append(time.monotonic() - started)
                else:
                    counts["refused" if status in (429, 503) else "failed"] += 1
                    await asyncio.sleep(0.05)

    async with _connect(url) as client:
        before = await _numbers(client, task)
        started, worked = time.monotonic(), _own_work()
        bad = [asyncio.create_task(_misbehave(url, task, seed)) for seed in range(bad_clients)]
        await asyncio.gather(*(ask(seed) for seed in range(clients)))
        passed, work = time.monotonic() - started, _own_work() - worked
        for one in bad:
            one.cancel()
        await asyncio.gather(*bad, return_exceptions=True)
        after = await _numbers(client, task)
    batch = (after.texts - before.texts) / max(after.batches - before.batches, 1)
    percentiles = np.percentile(times, (50, 95, 99)) * 1000 if times else [float("nan")] * 3
    p50, p95, p99 = (float(one) for one in percentiles)
    rate, client_cpu = len(times) / passed, work / passed
    kinds = (counts["refused"], counts["failed"])
    times_ms = (p50, p95, p99)
    numbers = (rate, *times_ms, batch, after.megabytes, client_cpu)
    return Load(task, clients, bad_clients, *kinds, *numbers)


async def _status(client: httpx.AsyncClient, task: str, request: dict[str, Any]) -> int:
    """Returns the status of an answer; 0 if there is none."""
    try:
        return (await client.post(f"/v1/{task}", json=request)).status_code
    except httpx.HTTPError:
        return 0


def _own_work() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _connect(url: str) -> httpx.AsyncClient:
    """Returns a client with a connection of its own; a pool shared by many would be slower."""
    return httpx.AsyncClient(base_url=url, timeout=120, verify=False)


class Numbers(NamedTuple):
    """The service's own metrics: its memory in MB, calls of a model, and texts in them."""

    megabytes: float
    batches: float
    texts: float


async def _numbers(client: httpx.AsyncClient, task: str) -> Numbers:
    page = (await client.get("/metrics")).text
    lines = [line.rpartition(" ") for line in page.splitlines() if not line.startswith("#")]
    told = {name: float(value) for name, _, value in lines}
    model = f'{{model="{TASKS[task][0]}"}}'
    return Numbers(
        told.get("process_resident_memory_bytes", float("nan")) / 1e6,
        told.get(f"zoo_batch_texts_count{model}", 0.0),
        told.get(f"zoo_batch_texts_sum{model}", 0.0),
    )


async def _misbehave(url: str, task: str, seed: int) -> None:
    """Sends half requests, leaves before the answer, or hardly reads it, again and again."""
    place = urlsplit(url)
    body = json.dumps(TASKS[task][1](random.Random(seed))).encode()
    head = f"POST /v1/{task} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    whole = head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            try:
                writer.write(whole[: len(whole) // 2] if seed % 3 == 0 else whole)
                await writer.drain()
                if seed % 3 == 2:
                    while await reader.read(1):
                        await asyncio.sleep(0.1)
                else:
                    await asyncio.sleep(0.2)
            finally:
                writer.close()


async def watch_memory(
    url: str, tasks: list[str], num_requests: int, clients: int = 32
) -> list[float]:
    """Returns the service's memory in MB at the start and after each tenth of many requests."""
    draw = random.Random(0)
    async with _connect(url) as client:
        found = [(await _numbers(client, tasks[0])).megabytes]
        for _ in range(10):
            left = iter(range(num_requests // 10))

            async def ask(left: Iterator[int] = left) -> None:
                for number in left:
                    task = tasks[number % len(tasks)]
                    await _status(client, task, TASKS[task][1](draw))

            await asyncio.gather(*(ask() for _ in range(clients)))
            found.append((await _numbers(client, tasks[0])).megabytes)
    return found


@contextlib.contextmanager
def running_service(tasks: list[str], *flags: str, torch: bool = False) -> Iterator[str]:
    """Starts a service of the tasks' models in a process of its own; yields its address when ready.

    Args:
        tasks: keys of TASKS.
        *flags: flags of `zoo serve`.
        torch: start benchmarks/load_torch.py instead.

    Raises:
        SystemExit: if it ended before it was ready.
    """
    names = [TASKS[task][0] for task in tasks]
    ours = ["-m", "zoo", "serve", "--api", *names, "--port=0", *flags]
    program = ["benchmarks/load_torch.py"] if torch else ours
    process = subprocess.Popen(
        [sys.executable, *program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if " on " not in line:
            sys.exit("the service did not start; run it alone to see why")
        url = line.split(" on ")[1].split(" until ")[0]
        while httpx.get(f"{url}/ready").status_code != 200:
            if process.poll() is not None:
                sys.exit("the service ended before it was ready; run it alone to see why")
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


def table(rows: list[Load]) -> str:
    """Returns the rows as a table in Markdown."""
    lines = [
        "| task | clients | bad clients | requests/s | p50 ms | p95 ms | p99 ms | refused | failed "
        "| batch | MB | clients' CPU |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.task} | {row.clients} | {row.bad_clients} | {row.rate:.1f} | {row.p50:.1f} "
        f"| {row.p95:.1f} | {row.p99:.1f} | {row.refused} | {row.failed} | {row.batch:.1f} "
        f"| {row.megabytes:.0f} | {row.client_cpu:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--clients", default="1,8,32,128", help="numbers of clients (default: %(default)s)")
    add("--seconds", type=float, default=20, help="seconds for each row (default: %(default)s)")
    add("--tasks", default=",".join(TASKS), help="tasks to measure (default: %(default)s)")
    add("--bad_clients", type=int, default=9, help="in the last row of a task; 0 for no such row")
    add("--memory_requests", type=int, default=0, help="number of requests for watching the memory")
    add("--workers", type=int, default=1, help="workers of the service (default: %(default)s)")
    add("--torch", action="store_true", help="measure the models in PyTorch, see load_torch.py")
    add("--url", default="", help="address of a service that already runs on this computer")
    add("--json", default="", help="file for the rows")
    arguments = parser.parse_args()
    if arguments.url and urlsplit(arguments.url).hostname not in ("127.0.0.1", "localhost", "::1"):
        parser.error("--url is on another computer; this script may only load this one")
    if arguments.torch and arguments.workers > 1:
        parser.error("--workers is for our service, not for --torch")
    if arguments.url and (arguments.torch or arguments.workers > 1):
        parser.error("--url is a service that already runs; leave out --torch and --workers")
    return arguments


def main() -> None:
    """Measures, and prints the table."""
    arguments = _parse()
    tasks = arguments.tasks.split(",")
    numbers = [int(number) for number in arguments.clients.split(",")]
    service: contextlib.AbstractContextManager[str] = contextlib.nullcontext(arguments.url)
    if not arguments.url:
        workers = f"--workers={arguments.workers}"
        flags = (workers, "--max_characters=200")
        service = running_service(tasks, *flags, torch=arguments.torch)
    with service as url:
        rows = []
        for task in tasks:
            cases = [(number, 0) for number in numbers]
            cases += [(8, arguments.bad_clients)] if arguments.bad_clients else []
            for clients, bad in cases:
                asked = measure(url, task, clients, arguments.seconds, bad)
                rows.append(asyncio.run(asked))
                print(table(rows).splitlines()[-1], file=sys.stderr, flush=True)
        print(table(rows))
        if arguments.memory_requests:
            found = asyncio.run(watch_memory(url, tasks, arguments.memory_requests))
            told = ", ".join(f"{one:.0f}" for one in found)
            print(f"\nMB after each tenth of {arguments.memory_requests:,} requests: {told}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps([row._asdict() for row in rows], indent=1))


if __name__ == "__main__":
    main()
