"""Averages of the parameters over the training steps, which are evaluated, saved and used.

    a_k = a_{k-1} + w_k (params_k - a_{k-1}),    w_k = max(1 - d, 1 / k)

k counts the steps since averaging began. So a_k is the mean of the parameters over the first
1 / (1 - d) steps, and from there on an exponential moving average with decay d. With d = 1 it is
the mean over all steps: averaged stochastic gradient descent (ASGD; Polyak and Juditsky 1992). The
training steps themselves use the parameters, not the average. Before averaging begins, the average
is a copy of the parameters.

Averaging begins at the first step, or when validation stalls. Validation stalls when a score is
worse than the best score of all evaluations except the last n before it (non-monotonically
triggered ASGD, "NT-ASGD"; Merity et al. 2018, algorithm 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import struct

from zoo.types import Params


@dataclass(frozen=True)
class AveragingConfig:
    """The settings of the average.

    Attributes:
        start: the moment when averaging begins, one of `zoo.tasks.settings.AVERAGING_STARTS`.
        decay: d.
    """

    start: str = "never"
    decay: float = 1.0


class Average(struct.PyTreeNode):
    """The average of a run's parameters.

    Attributes:
        params: a_k.
        count: int32, k; -1 before averaging begins.
        decay: d.
    """

    params: Params
    count: jax.Array
    decay: float = struct.field(pytree_node=False)

    def begin(self) -> "Average":
        """Returns an average that begins at the next step; an average that has begun continues."""
        return self.replace(count=jnp.maximum(self.count, 0))

    def follow(self, params: Params) -> "Average":
        """Returns the average after one more step.

        Args:
            params: the parameters after that step, in the same tree as the average.

        Example:
            >>> average = Average(jnp.zeros(()), jnp.asarray(0), decay=1.0)
            >>> for value in (4.0, 2.0, 3.0):
            ...     average = average.follow(jnp.asarray(value))
            >>> average.params.item()
            3.0
        """
        begun = self.count >= 0
        count = jnp.where(begun, self.count + 1, -1)
        weight = jnp.maximum(1 - self.decay, 1 / jnp.maximum(count, 1).astype(jnp.float32))

        def move(old: jax.Array, new: jax.Array) -> jax.Array:
            return jnp.where(count <= 1, new, old + weight * (new - old))

        return self.replace(params=jax.tree.map(move, self.params, params), count=count)


def start_average(config: AveragingConfig, params: Params) -> Average | None:
    """Returns the average before the first step, or None if the config asks for no average."""
    if config.start == "never":
        return None
    count = jnp.asarray(0 if config.start == "first_step" else -1, jnp.int32)
    return Average(jax.tree.map(jnp.copy, params), count, config.decay)


def is_stalled(scores: Sequence[float], patience: int) -> bool:
    """Returns whether the last score is worse than the best of the scores before the window.

    The window holds the `patience` scores just before the last one.

    Args:
        scores: the scores of all evaluations so far; lower is better.
        patience: n.

    Example:
        >>> is_stalled([5.0, 4.0, 4.5], patience=1), is_stalled([5.0, 4.0, 4.5, 4.2], patience=1)
        (False, True)
    """
    earlier = scores[: -1 - patience]
    return bool(earlier) and scores[-1] > min(earlier)
