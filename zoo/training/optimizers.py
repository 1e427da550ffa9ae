"""Optimizers and learning-rate schedules from config, all of them optax's."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zoo.checks import check_choice, check_least, check_rates
from zoo.errors import UserError
from zoo.types import Params, PyTree

NAMES = ("sgd", "momentum", "adam", "adamw")
SCHEDULES = ("constant", "cosine", "step", "plateau")


@dataclass(frozen=True)
class OptimizerConfig:
    """The settings of the optimizer.

    Attributes:
        name: sgd, momentum, adam (Kingma and Ba 2015) or adamw (Loshchilov and Hutter 2019).
        learning_rate: the rate after warm-up and before any decay.
        momentum: decay of the first moment, of momentum, adam and adamw.
        second_moment_decay: decay of the second moment, of adam and adamw.
        weight_decay: adamw takes learning_rate * weight_decay * params off the parameters; the
            others add weight_decay * params to the clipped gradient.
        decay_recurrent_kernels: whether weight_decay is on the recurrent kernels too; it shortens
            the memory of a plain recurrent network.
        clip_norm: gradients longer than this are scaled down to it; 0 for no limit.
        warmup_steps: the rate rises linearly from 0 over these steps.
        schedule: what follows: constant; cosine, down to 0 at the run's last step; step, times
            decay_factor at decay_start_steps and every decay_every_steps from then on; plateau,
            times decay_factor whenever validation has not improved for decay_patience
            evaluations, going on from the best parameters.
        decay_factor: see schedule.
        decay_start_steps: see schedule.
        decay_every_steps: see schedule.
        decay_patience: see schedule.
    """

    name: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    second_moment_decay: float = 0.999
    weight_decay: float = 0.0
    decay_recurrent_kernels: bool = True
    clip_norm: float = 1.0
    warmup_steps: int = 0
    schedule: str = "constant"
    decay_factor: float = 0.5
    decay_start_steps: int = 1
    decay_every_steps: int = 1
    decay_patience: int = 1

    def __post_init__(self) -> None:
        check_choice("optimizer.name", self.name, NAMES)
        check_choice("optimizer.schedule", self.schedule, SCHEDULES)
        for name in ("learning_rate", "decay_factor", "decay_every_steps", "decay_patience"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"optimizer.{name} is {getattr(self, name)}; use more than 0")
        positive = ("clip_norm", "weight_decay", "warmup_steps", "decay_start_steps")
        check_least(0, "optimizer", self, *positive)
        check_rates("optimizer", self, "momentum", "second_moment_decay")


def make_schedule(config: OptimizerConfig, num_steps: int) -> optax.Schedule:
    """The learning rate as a function of the steps taken, without what validation does to it.

    Args:
        config: the optimizer's settings.
        num_steps: length of the run, at which cosine reaches 0.

    Example:
        >>> rate = make_schedule(OptimizerConfig(learning_rate=1.0, warmup_steps=4), 100)
        >>> [float(rate(step)) for step in (0, 2, 4, 50)]
        [0.0, 0.5, 1.0, 1.0]
    """
    if config.schedule == "cosine":
        decay_steps = max(1, num_steps - config.warmup_steps)
        after = optax.cosine_decay_schedule(config.learning_rate, decay_steps)
    elif config.schedule == "step":
        after = _staircase(config)
    else:
        after = optax.constant_schedule(config.learning_rate)
    if not config.warmup_steps:
        return after
    warmup = optax.linear_schedule(0.0, config.learning_rate, config.warmup_steps)
    return optax.join_schedules([warmup, after], [config.warmup_steps])


def _staircase(config: OptimizerConfig) -> optax.Schedule:
    """Schedule "step", as a function of the steps after warm-up.

    Not optax.exponential_decay, whose first step down can't be nearer than the next ones are.
    """

    def rate(step: jax.typing.ArrayLike) -> jnp.ndarray:
        since_start = jnp.asarray(step) + config.warmup_steps - config.decay_start_steps
        times = jnp.maximum(since_start // config.decay_every_steps + 1, 0)
        return config.learning_rate * jnp.float32(config.decay_factor) ** times.astype(jnp.float32)

    return rate


def make_optimizer(
    config: OptimizerConfig, num_steps: int, frozen: Mapping[str, np.ndarray] | None = None
) -> optax.GradientTransformation:
    """Clip, then decay, then the update rule.

    Args:
        config: the optimizer's settings.
        num_steps: length of the run.
        frozen: by the name of a parameter, or of a module, which elements stay as they are, a bool
            array that broadcasts to each. Their gradients do not count for clipping, and nothing
            decays them.

    Example:
        >>> import jax.numpy as jnp
        >>> optimizer = make_optimizer(OptimizerConfig("sgd", 0.1, weight_decay=0.5), 10)
        >>> params = jnp.array(2.0)
        >>> updates, _ = optimizer.update(jnp.array(0.0), optimizer.init(params), params)
        >>> round(float(updates), 6)  # towards zero
        -0.1
    """
    if frozen:
        return optax.chain(_zero(frozen), make_optimizer(config, num_steps), _zero(frozen))
    rate = make_schedule(config, num_steps)
    steps = [optax.clip_by_global_norm(config.clip_norm)] if config.clip_norm else []
    mask = None if config.decay_recurrent_kernels else _all_but_recurrent_kernels
    if config.name == "adamw":
        steps.append(
            optax.adamw(
                rate,
                b1=config.momentum,
                b2=config.second_moment_decay,
                weight_decay=config.weight_decay,
                mask=mask,
            )
        )
        return optax.chain(*steps)
    if config.weight_decay:
        steps.append(optax.add_decayed_weights(config.weight_decay, mask))
    if config.name == "adam":
        steps.append(optax.adam(rate, b1=config.momentum, b2=config.second_moment_decay))
    else:
        momentum = config.momentum if config.name == "momentum" else None
        steps.append(optax.sgd(rate, momentum=momentum))
    return optax.chain(*steps)


def _all_but_recurrent_kernels(params: Params) -> PyTree:
    """True in the place of every parameter but those that multiply a previous state."""

    def is_other(path: jax.tree_util.KeyPath, _: PyTree) -> bool:
        return getattr(path[-1], "key", None) != "recurrent_kernel"

    return jax.tree_util.tree_map_with_path(is_other, params)


def _zero(frozen: Mapping[str, np.ndarray]) -> optax.GradientTransformation:
    """Zeros in the place of the frozen elements' updates."""

    def update(updates: PyTree, params: Params) -> PyTree:
        del params
        stopped = {
            name: jax.tree.map(lambda own, mask=mask: jnp.where(mask, 0, own), updates[name])
            for name, mask in frozen.items()
        }
        return {**updates, **stopped}

    return optax.stateless(update)
