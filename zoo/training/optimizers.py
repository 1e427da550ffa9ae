"""Optimizers and learning-rate schedules, built from a config with Optax."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zoo.checks import check_choice, check_least, check_rates
from zoo.errors import UserError
from zoo.training.layer_rates import scale_by_depth
from zoo.types import Params, PyTree

NAMES = ("sgd", "momentum", "adam", "adamw")
SCHEDULES = ("constant", "cosine", "linear", "step", "plateau")


@dataclass(frozen=True)
class OptimizerConfig:
    """The settings of the optimizer.

    Attributes:
        name: sgd, momentum, adam (Kingma and Ba 2015) or adamw (Loshchilov and Hutter 2019).
        learning_rate: the rate after warm-up and before any decay.
        momentum: decay of the first moment, in momentum, adam and adamw.
        second_moment_decay: decay of the second moment, in adam and adamw.
        weight_decay: adamw subtracts learning_rate * weight_decay * params from the parameters;
            the other optimizers add weight_decay * params to the clipped gradient.
        decay_recurrent_kernels: apply weight_decay to the recurrent kernels too, which shortens
            the memory of a plain recurrent network.
        clip_norm: the largest norm of the gradient; a longer gradient is scaled down to it. 0
            means no limit.
        warmup_steps: the number of steps in which the rate rises linearly from 0.
        schedule: the rate after warm-up. "constant" keeps it. "cosine" lowers it to 0 at the
            run's last step. "linear" lowers it on a line to 0 there; after a warm-up of a tenth of
            the steps, this is the slanted triangle of Howard and Ruder (2018). "step" multiplies
            it by decay_factor at decay_start_steps and every decay_every_steps after that.
            "plateau" multiplies it by decay_factor when validation has not improved for
            decay_patience evaluations, and goes back to the best parameters.
        decay_factor: the factor of the schedules step and plateau.
        decay_start_steps: the first step at which the schedule step lowers the rate.
        decay_every_steps: the number of steps between two such steps.
        decay_patience: the number of evaluations without improvement that plateau waits for.
        layer_rate_factor: the rate of each layer as a fraction of the rate of the layer above it,
            for fine-tuning; 1 gives all layers one rate. See `zoo.training.layer_rates`.
        unfreeze_every_steps: the number of steps after which the next layer from the top begins to
            learn, for fine-tuning; 0 means that all layers learn from the first step on.
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
    layer_rate_factor: float = 1.0
    unfreeze_every_steps: int = 0

    def __post_init__(self) -> None:
        check_choice("optimizer.name", self.name, NAMES)
        check_choice("optimizer.schedule", self.schedule, SCHEDULES)
        positive = ("learning_rate", "decay_factor", "decay_every_steps", "decay_patience")
        for name in (*positive, "layer_rate_factor"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"optimizer.{name} is {getattr(self, name)}; use more than 0")
        if self.layer_rate_factor > 1:
            raise UserError(
                f"optimizer.layer_rate_factor is {self.layer_rate_factor}; use at most 1"
            )
        others = ("clip_norm", "weight_decay", "warmup_steps", "decay_start_steps")
        check_least(0, "optimizer", self, *others, "unfreeze_every_steps")
        check_rates("optimizer", self, "momentum", "second_moment_decay")


def make_schedule(config: OptimizerConfig, num_steps: int) -> optax.Schedule:
    """Returns the learning rate as a function of the steps taken, without "plateau".

    Args:
        config: the optimizer's settings.
        num_steps: the length of the run, at which cosine and linear reach 0.

    Example:
        >>> rate = make_schedule(OptimizerConfig(learning_rate=1.0, warmup_steps=4), 100)
        >>> [float(rate(step)) for step in (0, 2, 4, 50)]
        [0.0, 0.5, 1.0, 1.0]
    """
    decay_steps = max(1, num_steps - config.warmup_steps)
    if config.schedule == "cosine":
        after = optax.cosine_decay_schedule(config.learning_rate, decay_steps)
    elif config.schedule == "linear":
        after = optax.linear_schedule(config.learning_rate, 0.0, decay_steps)
    elif config.schedule == "step":
        after = _staircase(config)
    else:
        after = optax.constant_schedule(config.learning_rate)
    if not config.warmup_steps:
        return after
    warmup = optax.linear_schedule(0.0, config.learning_rate, config.warmup_steps)
    return optax.join_schedules([warmup, after], [config.warmup_steps])


def count_updates(optimizer_state: PyTree) -> int:
    """Returns the number of updates that the schedule of an optimizer has counted.

    It is the number of steps, unless a plateau went back to the optimizer of an earlier step.

    Example:
        >>> count_updates(make_optimizer(OptimizerConfig(), 10).init(jnp.zeros(2)))
        0
    """

    def is_count(node: PyTree) -> bool:
        return isinstance(node, optax.ScaleByScheduleState)

    [count] = [
        node.count for node in jax.tree.leaves(optimizer_state, is_leaf=is_count) if is_count(node)
    ]
    return int(count.max())  # members that train together have the same


def _staircase(config: OptimizerConfig) -> optax.Schedule:
    """Returns the schedule "step", as a function of the steps after warm-up.

    optax.exponential_decay does not fit: its first step down cannot come sooner than the others.
    """

    def rate(step: jax.typing.ArrayLike) -> jnp.ndarray:
        since_start = jnp.asarray(step) + config.warmup_steps - config.decay_start_steps
        times = jnp.maximum(since_start // config.decay_every_steps + 1, 0)
        return config.learning_rate * jnp.float32(config.decay_factor) ** times.astype(jnp.float32)

    return rate


def make_optimizer(
    config: OptimizerConfig, num_steps: int, frozen: Mapping[str, np.ndarray] | None = None
) -> optax.GradientTransformation:
    """Returns the optimizer: it clips, then decays, then applies the update rule.

    Args:
        config: the optimizer's settings.
        num_steps: the length of the run.
        frozen: which elements stay as they are: by the name of a parameter or of a module, a bool
            array that broadcasts to each parameter. The gradients of frozen elements do not count
            for clipping, and weight decay does not change them.

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
    steps = [optax.clip_by_global_norm(config.clip_norm)] if config.clip_norm else []
    steps += _update_rule(config, num_steps)
    if config.layer_rate_factor != 1 or config.unfreeze_every_steps:
        steps.append(scale_by_depth(config.layer_rate_factor, config.unfreeze_every_steps))
    return optax.chain(*steps)


def _update_rule(config: OptimizerConfig, num_steps: int) -> list[optax.GradientTransformation]:
    """Returns weight decay and the update rule."""
    rate = make_schedule(config, num_steps)
    mask = None if config.decay_recurrent_kernels else _all_but_recurrent_kernels
    moments = {"b1": config.momentum, "b2": config.second_moment_decay}
    if config.name == "adamw":
        return [optax.adamw(rate, **moments, weight_decay=config.weight_decay, mask=mask)]
    decay = [optax.add_decayed_weights(config.weight_decay, mask)] if config.weight_decay else []
    if config.name == "adam":
        return [*decay, optax.adam(rate, **moments)]
    momentum = config.momentum if config.name == "momentum" else None
    return [*decay, optax.sgd(rate, momentum=momentum)]


def _all_but_recurrent_kernels(params: Params) -> PyTree:
    """Returns a tree that is False for the kernels that multiply a previous state, else True."""

    def is_other(path: jax.tree_util.KeyPath, _: PyTree) -> bool:
        return getattr(path[-1], "key", None) != "recurrent_kernel"

    return jax.tree_util.tree_map_with_path(is_other, params)


def _zero(frozen: Mapping[str, np.ndarray]) -> optax.GradientTransformation:
    """Returns a transformation that sets the updates of the frozen elements to zero."""

    def update(updates: PyTree, params: Params) -> PyTree:
        del params
        stopped = {
            name: jax.tree.map(lambda own, mask=mask: jnp.where(mask, 0, own), updates[name])
            for name, mask in frozen.items()
        }
        return {**updates, **stopped}

    return optax.stateless(update)
