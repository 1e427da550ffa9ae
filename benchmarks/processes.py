"""What every benchmark does: measure in processes of their own, one at a time."""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


def run_apart(script: str, *arguments: str) -> Any:
    """What a script prints last, as JSON; its mistakes end this process, in one line."""
    command = [sys.executable, script, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        told = result.stderr.strip().splitlines()[-1:]
        raise SystemExit(f"error: {' '.join(arguments)} can't be run: {' '.join(told)}")
    return json.loads(result.stdout.splitlines()[-1])


def median_seconds(call: Callable[[], Any], times: int) -> float:
    """The median of how long some calls take, one after the other."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def peak_megabytes() -> float:
    """The most memory that this process has had: on its GPU, if it has used one, or else here."""
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized():
        return sys.modules["torch"].cuda.max_memory_allocated() / 1e6
    if "jax" in sys.modules:
        told = sys.modules["jax"].local_devices()[0].memory_stats()  # None on a CPU
        if told:
            return told["peak_bytes_in_use"] / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
