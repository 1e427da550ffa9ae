"""A service on a port of this computer, with tiny models, whose programs are few."""

from pathlib import Path

import httpx
import pytest
import tiny_checkpoints

pytest.importorskip("prometheus_client")

from running_service import Running

from zoo.serve.models import ServedModels
from zoo.serve.service import engine

NAMES = ("lstm", "characters", "topics", "names", "german")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> ServedModels:
    """The models of the service."""
    root: Path = tmp_path_factory.mktemp("service")
    return ServedModels([str(tiny_checkpoints.save(root, name)) for name in NAMES])


@pytest.fixture(scope="session")
def few_sizes():
    """Few sizes of batches, so that few programs are compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CLASSIFY_SIZES", (1, 4))
        patch.setattr(engine, "TAG_SIZES", (1, 2))
        patch.setattr(engine, "TRANSLATE_SIZES", (1, 2))
        yield


@pytest.fixture(scope="session")
def running(served, few_sizes):
    """The service of most tests."""
    service = Running(served)
    service.early = httpx.post(f"{service.address}/v1/generate", json={"prompts": ["a"]})
    yield service.wait()
    service.stop()


@pytest.fixture
def ask(running):
    """Posts a request to one of the uses; gives its answer."""
    with httpx.Client(base_url=running.address, timeout=60) as client:

        def post(use, **fields):
            return client.post(f"/v1/{use}", json=fields)

        post.client = client
        yield post
