"""Multi-process runs: several processes, one for each host, train one model together.

Every process runs the same program. The first process writes the run's directory, which all of
them must see; the others read it. Whatever they must agree on, such as the wish to stop, is
gathered from all processes.
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np

from zoo.errors import UserError
from zoo.types import Params

T = TypeVar("T")
_TEXT_BYTES = 1024


def connect(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    """Joins the other processes. Must be called before any other use of JAX.

    Args:
        coordinator: address (HOST:PORT) of process 0. None if the environment (Cloud TPU, Slurm,
            GKE) provides all three values.
        num_processes: the number of processes.
        process_id: the number of this process, from 0.

    Raises:
        UserError: if an argument is missing or invalid, or the other processes do not answer.
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
            f"the processes of the run cannot be joined ({str(error).splitlines()[0]}); give "
            "--coordinator=HOST:PORT --num_processes=N --process_id=I"
        ) from error


def is_first() -> bool:
    """Returns whether this process writes the run's directory and the log."""
    return jax.process_index() == 0


def any_of_all(wish: bool) -> bool:
    """Returns whether any process has the wish. All processes must call it at the same point.

    Example:
        >>> any_of_all(False)
        False
    """
    if jax.process_count() == 1:
        return wish
    from jax.experimental import multihost_utils

    return bool(multihost_utils.process_allgather(np.asarray(wish)).any())


def together(action: Callable[[], T]) -> T:
    """Runs an action on every process, and returns once all processes have ended it.

    If the action fails on one process, all processes raise an error. Otherwise the others would
    wait for ever for the failed process. All processes must call it at the same point.

    Args:
        action: the function to call. It may act on the first process only, for example to write a
            file.

    Returns:
        The result of the action on this process.

    Raises:
        UserError: if the action failed on another process; the message has its number and error.
            An error of this process is raised as it is.

    Example:
        >>> together(lambda: "done")
        'done'
    """
    if jax.process_count() == 1:
        return action()
    failed: Exception | None = None
    try:
        result = action()
    except Exception as error:  # whatever the error is, the others must not wait
        failed = error
    told = "" if failed is None else " ".join(f"{failed}".split()) or type(failed).__name__
    for process, text in enumerate(gather_texts(told)):
        if failed is not None:
            raise failed
        if text:
            raise UserError(f"{text} (says process {process})")
    return result


def gather_texts(text: str) -> list[str]:
    """Returns the text of each process, up to 1024 bytes. All processes must call it together.

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


def for_scoring(params: Params) -> Params:
    """Returns parameters as this process scores with them; no host gathers a copy.

    If every process holds all of them, it scores alone, with its own. Otherwise the processes score
    together, with the parts that they hold, so all of them call the same functions.
    """
    if jax.process_count() > 1 and all(
        leaf.is_fully_replicated for leaf in jax.tree.leaves(params)
    ):
        return jax.tree.map(lambda leaf: leaf.addressable_data(0), params)
    return params
