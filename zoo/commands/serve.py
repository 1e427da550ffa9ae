"""`python -m zoo serve`: serves a local page on which models generate, label, tag, translate."""

import argparse
import importlib.util
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zoo.commands.serve_flags import add_service_flags, read_service_flags
from zoo.errors import UserError
from zoo.terminal import EXIT_UNEXPECTED

if TYPE_CHECKING:
    from zoo.serve.models import ServedModels
    from zoo.serve.service.settings import ServiceSettings

SUMMARY = "open a local page on which models generate, label, tag and translate, or a service"
EXAMPLES = """\
examples:
  python -m zoo serve
  python -m zoo serve runs/lstm runs/kn5 runs/topics runs/toy_german
  python -m zoo serve python_docs_lstm --port=0
  python -m zoo serve --api python_docs_lstm --port=8000 --workers=2 --token_file=token.txt

Without a name, every released checkpoint is served; see `python -m zoo list`. The page can be used
only on this computer, unless --host says otherwise. There is no password. Ctrl-C ends the server.

With --api it is a service for programs instead; docs/serving.md tells how to run it. It can require
a token, which it reads from --token_file or from the environment variable ZOO_SERVE_TOKEN.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add("checkpoints", nargs="*", metavar="NAME", help="a released name, a directory or a file")
    add(
        "--host",
        default="127.0.0.1",
        help="the address to listen on; 0.0.0.0 means every address of this computer "
        "(default: %(default)s)",
    )
    add(
        "--port",
        type=int,
        default=8765,
        help="the port to listen on; 0 means any free port (default: %(default)s)",
    )
    add_service_flags(parser)


def run(arguments: argparse.Namespace) -> None:
    """Serves the page until it is interrupted.

    Raises:
        UserError: if a name is not a model, the address is in use, or a package is missing.
    """
    settings = read_service_flags(arguments)
    if not 0 <= arguments.port < 2**16:
        raise UserError(f"--port is {arguments.port}; use 0 to {2**16 - 1}")
    for package in ("starlette", "uvicorn", *(["prometheus_client"] if settings else [])):
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"the {'service' if settings else 'page'} needs the package {package}; "
                "type: pip install 'recurrent-zoo[serve]'"
            )
    if not arguments.host.strip():
        raise UserError(
            "--host is empty, which would open the page to every network of this computer; "
            "use --host=127.0.0.1 for this computer alone, or --host=0.0.0.0 for every network"
        )
    models = None if settings else _open_models(arguments.checkpoints)
    listening = _listen(arguments.host, arguments.port)
    bound, port = listening.getsockname()[:2]
    is_everywhere = ipaddress.ip_address(bound).is_unspecified  # --host=0 means 0.0.0.0, too
    host = bound if is_everywhere else arguments.host
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    whom = ", open to every network of this computer," if is_everywhere else ""
    where = f"on {address}{whom} until Ctrl-C"
    if settings:
        _serve_api(arguments, settings, listening, host, where)
    elif models:
        print(f"serving {', '.join(models.names)} {where}", flush=True)
        _serve(models, listening, host)


def _serve_api(
    arguments: argparse.Namespace,
    settings: "ServiceSettings",
    listening: socket.socket,
    host: str,
    where: str,
) -> None:
    """Runs the service in one or several processes, until a signal."""
    number_of_first = os.getpid()

    def work() -> None:
        import zoo
        from zoo.serve.connections import make_server
        from zoo.serve.service.app import make_service
        from zoo.serve.service.observing import log_json_lines

        models = _open_models(arguments.checkpoints, all_of_them=True)
        failed = threading.Event()

        def give_up() -> None:
            failed.set()
            signal.raise_signal(signal.SIGTERM)

        service = make_service(
            models, settings, host=host, version=zoo.__version__, give_up=give_up
        )
        log_json_lines()
        is_worker = os.getpid() != number_of_first
        by = f" by worker {os.getpid()}" if is_worker else ""
        print(f"serving {', '.join(models.names)} {where}{by}", flush=True)
        server = make_server(
            service, most_connections=settings.max_connections, grace=settings.grace
        )
        try:
            server.run(sockets=[listening])
        finally:
            if failed.is_set():
                raise SystemExit(EXIT_UNEXPECTED)

    with listening:
        if arguments.workers == 1:
            work()
        else:
            from zoo.serve.workers import run_workers

            run_workers(work, arguments.workers)


def _open_models(places: Sequence[str], *, all_of_them: bool = False) -> "ServedModels":
    """Returns the models, after a check that all exist; the first or all of them are loaded."""
    from zoo.hub import list_checkpoints
    from zoo.serve.models import ServedModels

    places = places or [released.name for released in list_checkpoints()]
    if not places:
        raise UserError("no checkpoint is released here; give a name, or the directory of a run")
    models = ServedModels(places)
    for name in models.names if all_of_them else models.names[:1]:
        models.load(name)
    return models


def _listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens at the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host, port, family)
        return socket.create_server((host, port), family=family)
    except (UnicodeError, TypeError) as error:  # for text that cannot be a name
        raise UserError(
            f"--host is {host!r}, which is not the name of a computer; use an address such as "
            "127.0.0.1"
        ) from error
    except OSError as error:
        raise UserError(
            f"cannot listen on port {port} of {host}: {error.strerror}; "
            "give another port with --port (0 means any free port), or another --host"
        ) from error


def _serve(models: "ServedModels", listening: socket.socket, host: str) -> None:
    """Answers requests until Ctrl-C, which raises KeyboardInterrupt."""
    from zoo.serve.app import make_app
    from zoo.serve.connections import make_server

    with listening:
        make_server(make_app(models, host=host)).run(sockets=[listening])
