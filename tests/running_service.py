"""A service that runs in a thread, on a port of this computer."""

import socket
import threading
import time

import httpx

from zoo.serve.connections import make_server
from zoo.serve.service.app import make_service
from zoo.serve.service.settings import ServiceSettings

SETTINGS = {"max_characters": 24, "max_texts": 8, "max_tokens": 60, "slots": 4, "beam_sizes": (2,)}


class Running:
    """A service that runs in a thread."""

    def __init__(self, models, **settings):
        self.service = make_service(
            models,
            ServiceSettings(**{**SETTINGS, **settings}),
            host="127.0.0.1",
            version="1",
            give_up=self.give_up,
        )
        self.server = make_server(self.service, grace=5.0)
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listening.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]})
        self.thread.start()

    def give_up(self):
        self.server.should_exit = True

    def stop(self):
        self.server.should_exit = True
        self.thread.join(60)
        self.listening.close()
        assert not self.thread.is_alive()

    def wait(self):
        """Waits until it is ready."""
        deadline = time.monotonic() + 300
        while httpx.get(f"{self.address}/ready").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return self
