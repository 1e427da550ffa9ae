"""What a task is to the train step: a loss, and the learning rate that a batch deserves."""

from typing import Any, Protocol

import jax

Array = jax.Array
PyTree = Any
Metrics = dict[str, Array]


class Task(Protocol):
    """What a model is trained for. A task is hashable, since it is part of the compiled program."""

    def loss(
        self, params: PyTree, carry: PyTree, batch: Any, key: Array
    ) -> tuple[Array, tuple[PyTree, Metrics]]:
        """Returns the scalar to minimise, the carry for the next batch, and metrics that are sums.

        The scalar is a mean over metrics["num_targets"] targets.
        """
        ...

    def rate_factor(self, batch: Any) -> Array | float:
        """Returns what the learning rate is multiplied by for a batch: 1 unless a task differs."""
        del batch
        return 1.0
