"""What the tests of the server share: its models, which are tiny."""

from pathlib import Path

import pytest
import tiny_checkpoints

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from zoo.serve.limits import RateLimit
from zoo.serve.models import ServedModels

PATIENT = {"burst": 10_000, "per_second": 10_000.0}


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The runs' directories."""
    root: Path = tmp_path_factory.mktemp("served")
    return [str(tiny_checkpoints.save(root, name)) for name in tiny_checkpoints.NAMES]


@pytest.fixture(scope="session")
def models(places: list[str]) -> ServedModels:
    """All of them, served."""
    return ServedModels(places)


@pytest.fixture
def rate_limit() -> RateLimit:
    """One that no test reaches by chance."""
    return RateLimit(**PATIENT)
