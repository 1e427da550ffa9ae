"""Several processes, one a host, that train one model together.

Every process runs the same program. The first one writes the run's directory, which all of them
have to see; the others read it. What has to be agreed on, such as the wish to stop, is asked of
all.
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np

from zoo.errors import UserError
from zoo.types import PyTree

T = TypeVar("T")
_TEXT_BYTES = 1024


def connect(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    """Joins the other processes; has to come before anything else of JAX.

    Args:
        coordinator: HOST:PORT of the first process; None where the environment (Cloud TPU, Slurm,
            GKE) tells all three.
        num_processes: how many there are.
        process_id: which this one is, from 0.

    Raises:
        UserError: an argument is missing, or the others can't be reached.
    """
    given = [value for value in (coordinator, num_processes, process_id) if value is not None]
    if len(given) not in (0, 3):
        raise UserError("--coordinator, --num_processes and --process_id go together: give all")
    if given and num_processes < 1:  # type: ignore[operator]
        raise UserError(f"--num_processes is {num_processes}; use at least 1")
    if given and not 0 <= process_id < num_processes:  # type: ignore[operator]
        raise UserError(f"--process_id is {process_id}; use 0 to {num_processes - 1}")  # type: ignore[operator]
    try:
        jax.distributed.initialize(coordinator, num_processes, process_id)
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"the processes of the run can't be joined ({str(error).splitlines()[0]}); give "
            "--coordinator=HOST:PORT --num_processes=N --process_id=I"
        ) from error


def is_first() -> bool:
    """Whether this process writes the run's directory and the log."""
    return jax.process_index() == 0


def any_of_all(wish: bool) -> bool:
    """Whether any process has a wish; all have to ask at the same point.

    Example:
        >>> any_of_all(False)
        False
    """
    if jax.process_count() == 1:
        return wish
    from jax.experimental import multihost_utils

    return bool(multihost_utils.process_allgather(np.asarray(wish)).any())


def together(action: Callable[[], T]) -> T:
    """Runs an action on every process, and returns once all of them have ended it.

    If the action fails on one process, all processes raise an error. Without this, the others would
    wait for ever for the process that has ended. All have to call it at the same point.

    Args:
        action: what to do. It may do something on the first process only, such as write a file.

    Returns:
        What the action returned on this process.

    Raises:
        UserError: the action failed on another process, whose number and error the message has. An
            error of this process is raised as it is.

    Example:
        >>> together(lambda: "done")
        'done'
    """
    if jax.process_count() == 1:
        return action()
    failed: Exception | None = None
    try:
        result = action()
    except Exception as error:  # whatever it is, the others must not wait
        failed = error
    told = "" if failed is None else " ".join(f"{failed}".split()) or type(failed).__name__
    for process, text in enumerate(gather_texts(told)):
        if failed is not None:
            raise failed
        if text:
            raise UserError(f"{text} (says process {process})")
    return result


def gather_texts(text: str) -> list[str]:
    """Returns the text of each process, at most 1024 bytes of it; all have to ask together.

    Example:
        >>> gather_texts("here")
        ['here']
    """
    if jax.process_count() == 1:
        return [text]
    from jax.experimental import multihost_utils

    content = text.encode("utf-8", errors="backslashreplace")[:_TEXT_BYTES]
    padded = np.frombuffer(content.ljust(_TEXT_BYTES, b"\0"), np.uint8)
    rows = np.asarray(multihost_utils.process_allgather(padded))
    return [row.tobytes().rstrip(b"\0").decode("utf-8", errors="replace") for row in rows]


def gather(tree: PyTree) -> PyTree:
    """A tree of arrays, wherever they lie, as whole NumPy arrays on every process.

    Example:
        >>> gather({"bias": jax.numpy.ones(2)})
        {'bias': array([1., 1.], dtype=float32)}
    """
    if jax.process_count() == 1:
        return jax.device_get(tree)
    from jax.experimental import multihost_utils

    def fetch(array: jax.Array) -> np.ndarray:
        if not isinstance(array, jax.Array) or array.is_fully_replicated:
            return np.asarray(array)
        return np.asarray(multihost_utils.process_allgather(array, tiled=True))

    return jax.tree.map(fetch, tree)


def on_one_host(tree: PyTree) -> PyTree:
    """Arrays that this process can use alone: those it has, or of several hosts whole copies."""
    return tree if jax.process_count() == 1 else gather(tree)
