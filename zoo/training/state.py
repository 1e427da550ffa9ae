"""The training state, and the one train step that trains every neural model of the zoo."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.sharding import Mesh

from zoo.tasks.task import Metrics, Objective
from zoo.training.averaging import Average, AveragingConfig, start_average
from zoo.training.devices import shardings
from zoo.types import PyTree

Array = jax.Array


class TrainState(struct.PyTreeNode):
    """Everything that changes while a run is trained. The step also says which batch comes next.

    Attributes:
        step: int32, the number of train steps taken.
        params: the model's parameters.
        optimizer_state: the optimizer's moments and counts.
        carry: the recurrent state, which is handed from batch to batch.
        key: the run's random key; step n draws from fold_in(key, n).
        learning_rate_scale: float32, a factor on every update, lowered when validation stalls.
        average: the average of the parameters over the steps, see `zoo.training.averaging`; None
            if parameters are not averaged.
        objective: the loss.
        optimizer: the update rule.
        num_microbatches: the number of parts of a batch in gradient accumulation.
        num_members: the number of runs in the arrays, see `zoo.training.members`.
        mesh: the devices that hold the arrays, see `zoo.training.devices`; None leaves the arrays
            where they are.
    """

    step: Array
    params: PyTree
    optimizer_state: PyTree
    carry: PyTree
    key: Array
    learning_rate_scale: Array
    average: Average | None
    objective: Objective = struct.field(pytree_node=False)
    optimizer: optax.GradientTransformation = struct.field(pytree_node=False)
    num_microbatches: int = struct.field(pytree_node=False, default=1)
    num_members: int = struct.field(pytree_node=False, default=1)
    mesh: Mesh | None = struct.field(pytree_node=False, default=None)

    @property
    def used_params(self) -> PyTree:
        """The parameters that are evaluated and used: the average, if there is one."""
        return self.params if self.average is None else self.average.params


def create_state(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    params: PyTree,
    carry: PyTree,
    key: Array,
    *,
    averaging: AveragingConfig | None = None,
    **static: Any,
) -> TrainState:
    """Returns the state of a run before its first step.

    Args:
        objective: the loss.
        optimizer: the update rule.
        params: the initial parameters.
        carry: the recurrent state before the first batch.
        key: the run's random key.
        averaging: the settings of the average; None means no averaging.
        static: the last fields of TrainState.
    """
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        optimizer_state=optimizer.init(params),
        carry=carry,
        key=key,
        learning_rate_scale=jnp.ones(()),
        average=start_average(averaging or AveragingConfig(), params),
        objective=objective,
        optimizer=optimizer,
        **static,
    )


def train_step(state: TrainState, batch: PyTree) -> tuple[TrainState, Metrics]:
    """Takes one training step: loss, gradient, update.

    The function is pure: the same state and batch give the same bits.

    Args:
        state: the state before the step.
        batch: a batch for the loss of the state's objective.

    Returns:
        The state after the step, and the objective's metrics with `gradient_norm`, the Euclidean
        norm of the gradient before any clipping.
    """
    key = _fold_in(state.key, state.step)
    gradient = jax.grad(state.objective.loss, has_aux=True)
    if state.num_microbatches > 1:
        gradient = _accumulate(gradient, state.num_microbatches)
    grads, (carry, metrics) = gradient(state.params, state.carry, batch, key)
    updates, optimizer_state = state.optimizer.update(grads, state.optimizer_state, state.params)
    factor = state.learning_rate_scale * state.objective.rate_factor(batch)
    updates = jax.tree.map(lambda update: update * _like(factor, update), updates)
    params = optax.apply_updates(state.params, updates)
    state = state.replace(
        step=state.step + 1,
        params=params,
        optimizer_state=optimizer_state,
        carry=carry,
        average=None if state.average is None else state.average.follow(params),
    )
    return state, metrics | {"gradient_norm": _norm(grads)}


def _like(factor: Array, array: Array) -> Array:
    """Reshapes a factor [], or [M] for M members, to as many axes as an array has."""
    return factor.reshape((*factor.shape, *(1,) * (array.ndim - factor.ndim)))


def _fold_in(key: Array, step: Array) -> Array:
    """Returns the key of a step, or the keys of M members (see `zoo.training.members`)."""
    fold = jax.random.fold_in if key.ndim == 0 else jax.vmap(jax.random.fold_in, in_axes=(0, None))
    return fold(key, step)


def _accumulate(gradient: Callable[..., Any], num_parts: int) -> Callable[..., Any]:
    """Returns a gradient function with gradient accumulation: the parts of a batch one by one.

    It needs the memory of one part. Part i of P has the rows i, i + P, i + 2P, ..., so that each
    part is placed on the devices like the whole batch.
    """

    def split(array: Array) -> Array:
        return jnp.asarray(array).reshape((-1, num_parts, *array.shape[1:])).swapaxes(0, 1)

    def join(array: Array) -> Array:
        return array.swapaxes(0, 1).reshape((-1, *array.shape[2:]))

    def accumulated(params: PyTree, carry: PyTree, batch: PyTree, key: Array) -> PyTree:
        def add_part(sums: PyTree, part: tuple[Array, PyTree, PyTree]) -> tuple[PyTree, PyTree]:
            number, carry, rows = part
            grads, (carry, metrics) = gradient(params, carry, rows, jax.random.fold_in(key, number))
            weight = metrics["num_targets"]
            sums = jax.tree.map(lambda total, grad: total + weight * grad, sums, grads)
            return sums, (carry, metrics)

        zeros = jax.tree.map(jnp.zeros_like, params)
        parts = jnp.arange(num_parts), *jax.tree.map(split, (carry, batch))
        sums, (carry, metrics) = jax.lax.scan(add_part, zeros, parts)
        metrics = {name: values.sum() for name, values in metrics.items()}
        grads = jax.tree.map(lambda total: total / metrics["num_targets"], sums)
        return grads, (jax.tree.map(join, carry), metrics)

    return accumulated


def _norm(tree: PyTree) -> Array:
    """Returns the Euclidean norm; its name in Optax depends on the version of Optax."""
    return jnp.sqrt(sum(jnp.square(array).sum() for array in jax.tree.leaves(tree)))


@partial(jax.jit, donate_argnums=0)
def train_steps(state: TrainState, batches: PyTree, count: Array) -> tuple[TrainState, Metrics]:
    """Takes many training steps in one call, so that starting a step costs almost no time.

    The number of steps is a value, not a shape. So one program is compiled for all counts, and the
    way in which a run is cut into calls does not change a bit of the result.

    Args:
        state: the state before the first step; its buffers are reused.
        batches: arrays [K, ...], K batches stacked.
        count: int32, the number of batches to train on, at most K.

    Returns:
        The state after the last step, and the metrics of each step: arrays [K], zero from `count`.
    """
    capacity = jax.tree.leaves(batches)[0].shape[0]

    def batch_at(index: Array) -> PyTree:
        return jax.tree.map(lambda array: array[index], batches)

    def body(index: Array, loop: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
        state, history = loop
        state, metrics = train_step(state, batch_at(index))
        return state, jax.tree.map(lambda all_, one: all_.at[index].set(one), history, metrics)

    _, shapes = jax.eval_shape(train_step, state, batch_at(jnp.zeros((), jnp.int32)))
    history = jax.tree.map(lambda shape: jnp.zeros((capacity,), shape.dtype), shapes)
    state, history = jax.lax.fori_loop(0, count, body, (state, history))
    if state.mesh is not None:
        places = shardings(state, state.mesh, state.num_members)
        state = jax.lax.with_sharding_constraint(state, places)
    return state, history
