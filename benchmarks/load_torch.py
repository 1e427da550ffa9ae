"""PyTorch's side of benchmarks/load.py: the same models behind Starlette and uvicorn.

    python benchmarks/load_torch.py --port=8001

This is the usual way to serve a model: each request calls the model once, in a thread of the
server's pool, so that several calls compute at the same time. Requests are not put into batches.
Samples start from nothing instead of the prompt.
"""

import argparse
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import use_torch
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

HERE = Path(__file__).resolve().parent
USES = {"generate": "generate", "classify": "classify", "translate": "beam"}  # by task
MAX_TOKENS = 64


def make_app(directory: Path) -> Starlette:
    """Returns the service of the models in a directory, which `prepare` filled."""
    routes = [
        Route(f"/v1/{task}", _endpoint(use_torch.build(use, directory)[1]), methods=["POST"])
        for task, use in USES.items()
    ]
    return Starlette(routes=[*routes, Route("/ready", _ready), Route("/metrics", _metrics)])


def _endpoint(call: Callable[[list[str]], Any]) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        given = await request.json()
        texts = given.get("texts") or given["prompts"]
        return JSONResponse({"results": await run_in_threadpool(call, texts)})

    return answer


async def _ready(request: Request) -> Response:
    return PlainTextResponse("ready")


async def _metrics(request: Request) -> Response:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident = pages * resource.getpagesize()
    return PlainTextResponse(f"process_resident_memory_bytes {resident}\n")


def prepare(directory: Path) -> None:
    """Writes the weights of the released models, in a process that imports zoo."""
    for use in USES.values():
        command = [sys.executable, str(HERE / "use_zoo.py"), use, str(directory), "1"]
        subprocess.run([*command, str(MAX_TOKENS)], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Serves until it is stopped, and prints its address like `python -m zoo serve`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    port = parser.parse_args().port
    with tempfile.TemporaryDirectory() as directory:
        prepare(Path(directory))
        app = make_app(Path(directory))
    listening = socket.create_server(("127.0.0.1", port))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    print(f"serving {', '.join(USES)} on {address} until Ctrl-C", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run([listening])


if __name__ == "__main__":
    main()
