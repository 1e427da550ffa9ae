"""The common part of all benchmarks: they measure in separate processes, one at a time."""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


def run_apart(script: str, *arguments: str) -> Any:
    """Returns the last line of a script's output as JSON; its errors end this process."""
    command = [sys.executable, script, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        told = result.stderr.strip().splitlines()[-1:]
        raise SystemExit(f"error: {' '.join(arguments)} cannot be run: {' '.join(told)}")
    return json.loads(result.stdout.splitlines()[-1])


def median_seconds(call: Callable[[], Any], times: int) -> float:
    """Returns the median time of some calls, made one after the other."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def peak_megabytes() -> float:
    """Returns the peak memory of this process: on its GPU if it has used one, else on the host."""
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized():
        return sys.modules["torch"].cuda.max_memory_allocated() / 1e6
    if "jax" in sys.modules:
        told = sys.modules["jax"].local_devices()[0].memory_stats()  # None on a CPU
        if told:
            return told["peak_bytes_in_use"] / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
