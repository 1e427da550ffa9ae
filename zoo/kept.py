"""The cache on this machine: prepared corpora and compiled programs."""

import hashlib
import os
import platform
import sys
import time
import warnings
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

COMPILED = "compiled"  # the directory of programs in the cache
_DAYS_UNUSED = 30
_SHORTEST_COMPILATION = 0.1  # seconds; faster compilations are not stored


def cache_root(chosen: str = "") -> Path:
    """Returns the directory of the cache.

    Args:
        chosen: the user's choice; "" means the environment variable ZOO_CACHE, or
            ~/.cache/recurrent-zoo if the variable is not set.

    Example:
        >>> cache_root("kept").name
        'kept'
    """
    directory = chosen or os.environ.get("ZOO_CACHE") or "~/.cache/recurrent-zoo"
    return Path(directory).expanduser()


def keep_compiled_programs() -> None:
    """Makes JAX store the programs that it compiles, and use the programs that are stored.

    JAX names a program after everything that it is compiled from, so a changed model never gets an
    old program. Each version of JAX and each kind of processor has its own directory. Programs that
    were not used for 30 days are deleted. If the directory cannot be written or a file is damaged,
    programs are compiled again. If the user has set JAX's own variable JAX_COMPILATION_CACHE_DIR,
    this function does nothing.
    """
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    programs = cache_root() / COMPILED
    directory = programs / f"jax-{version('jax')}-{_processor()}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if not os.access(directory, os.W_OK):
        return
    _delete_unused(programs)
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
    settings: dict[str, str | float] = {
        "jax_compilation_cache_dir": str(directory),
        "jax_persistent_cache_min_compile_time_secs": _SHORTEST_COMPILATION,
    }
    for name, value in settings.items():
        if name.upper() not in os.environ:
            os.environ[name.upper()] = str(value)
            _tell_jax(name, value)


def _tell_jax(name: str, value: str | float) -> None:
    """Sets a value of JAX if JAX is already imported and has read its environment."""
    if "jax" in sys.modules:
        sys.modules["jax"].config.update(name, value)


def _processor() -> str:
    """Returns a digest of the processor's architecture and instruction sets."""
    described = platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        described += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(described.encode()).hexdigest()[:12]


def _delete_unused(programs: Path) -> None:
    oldest = time.time() - _DAYS_UNUSED * 24 * 3600
    for path in programs.glob("*/*"):
        with suppress(OSError):  # another process may be deleting it too
            found = path.stat()
            if max(found.st_atime, found.st_mtime) < oldest:
                path.unlink()
