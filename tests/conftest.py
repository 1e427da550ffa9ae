"""What every test runs under: the CPU, strict arrays, float32, quick compilations."""

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Small programs, each run a few times: compiling costs more than running. Processes inherit it.
# XLA's newer code generators for fused operations double the time that LLVM alone would take.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
)
# What one process compiles, the others take: those of pytest-xdist, and those that tests start.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _programs = tempfile.mkdtemp(prefix="zoo_programs_")
    atexit.register(shutil.rmtree, _programs, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _programs
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import jax
import pytest

gc.set_threshold(100_000, 20, 50)  # tracing makes many objects, and few of them are garbage

LONGEST = ("test_notebooks.py", "test_many_hosts.py", "test_resume.py")  # a minute or more each
MOST_MAPS = 20_000
STRICT_ROOMS = ("layers", "models")  # optax, used above them, mixes int32 counts with floats


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no process works on them alone when all others are done."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="module", autouse=True)
def few_programs() -> Iterator[None]:
    """Compiled programs go before a process has all the memory maps that Linux allows it, 65,530;
    the compiler would end in a segmentation fault."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()


@pytest.fixture(scope="session", autouse=True)
def prepared_corpora(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Corpora are prepared in a cache of this test run, which its processes share."""
    base = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str((base.parent if "gw" in base.name else base) / "zoo_cache"))
        yield


@pytest.fixture(autouse=True)
def strict_arrays(request: pytest.FixtureRequest) -> Iterator[None]:
    """Arrays of different ranks are never added, nor, where only our code runs, of different
    dtypes; and float64 is off unless a test asks for it."""
    assert not jax.config.jax_enable_x64, "an earlier test left float64 on; use the fixture"
    dtypes = "strict" if request.path.parent.name in STRICT_ROOMS else "standard"
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion(dtypes):
        yield


@pytest.fixture
def float64(strict_arrays: None) -> Iterator[None]:
    """Arrays made in this test are float64; the setting ends with the test."""
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small text, of a module's own; a module with labelled or paired texts has another."""
    from tiny_run import write_corpus

    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def optax_dtypes(strict_arrays: None) -> Iterator[None]:
    """For tests that take train steps: Optax itself adds integers to floats."""
    with jax.numpy_dtype_promotion("standard"):
        yield
